package main

import "testing"

// TestDropCode: what is forgotten comes back when it runs.
func TestDropCode(t *testing.T) {
	first, err := dropCode()
	if err != nil {
		t.Fatal(err)
	}
	second, err := dropCode()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d kB, then %d kB", first, second)
	if first == 0 || second >= first {
		t.Errorf("%d kB of code were dropped, then %d", first, second)
	}
}
