package desktop

import (
	"net"
	"testing"
)

func TestOwnAddress(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true,
		"": false, "0.0.0.0": false, "192.0.2.1": false, "meet.example.org": false, "localhost.example.org": false,
	} {
		if got := OwnAddress(host); got != want {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !OwnAddress(n.IP.String()) {
			t.Errorf("%v is an address of this machine", n.IP)
		}
	}
}
