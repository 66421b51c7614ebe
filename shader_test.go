//go:build linux && amd64 && !gles

package main

import "testing"

// TestPlainPictures: the toolkit has the program that ours was made for.
func TestPlainPictures(t *testing.T) {
	if string(toolkitPictures) != plainPictures {
		t.Errorf("the toolkit draws pictures by another program than before; see whether ours still does the same:\n%s", toolkitPictures)
	}
}
