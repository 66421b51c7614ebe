// Package pmptest is a router of a test that speaks NAT-PMP.
package pmptest

import (
	"net"
	"net/netip"
	"testing"
)

// port is NAT-PMP's (RFC 6886, section 1.1).
const port = 5351

// Serve answers requests at an address of this machine until the test ends. No answer is sent for nil.
func Serve(t testing.TB, at netip.Addr, answer func(request []byte) []byte) {
	t.Helper()
	l, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, port)))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		request := make([]byte, 100)
		for {
			n, from, err := l.ReadFromUDPAddrPort(request)
			if err != nil {
				return
			}
			if a := answer(request[:n]); a != nil {
				_, _ = l.WriteToUDPAddrPort(a, from)
			}
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
}
