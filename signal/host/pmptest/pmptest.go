// Package pmptest is a router of a test that speaks PCP or NAT-PMP.
package pmptest

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
)

// port is that of both protocols (RFC 6886, section 1.1; RFC 6887, section 19).
const port = 5351

// Serve answers NAT-PMP at an address of this machine until the test ends, and refuses PCP as routers do that know NAT-PMP
// alone (RFC 6886, section 3.5). No answer is sent for nil.
func Serve(t testing.TB, at netip.Addr, answer func(request []byte) []byte) {
	t.Helper()
	ServeAll(t, at, func(q []byte) []byte {
		if q[0] != 0 {
			return []byte{0, q[1] | 128, 0, 1, 0, 0, 0, 0}
		}
		return answer(q)
	})
}

// ServeAll answers requests of both protocols.
func ServeAll(t testing.TB, at netip.Addr, answer func(request []byte) []byte) {
	t.Helper()
	l, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, port)))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		request := make([]byte, 1200)
		for {
			n, from, err := l.ReadFromUDPAddrPort(request)
			if err != nil {
				return
			}
			if n < 2 {
				continue
			}
			if a := answer(request[:n]); a != nil {
				_, _ = l.WriteToUDPAddrPort(a, from)
			}
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
}

// PCP is what an honest router answers to a PCP request: MAP or ANNOUNCE (RFC 6887, sections 11 and 14). The router grants
// what is asked for, at its outside address; a firewall has none, and grants the address that it is asked for.
type PCP struct {
	Outside netip.Addr
	Clock   func() uint32 // seconds since the router started
}

// Answer answers one request.
func (r PCP) Answer(q []byte) []byte {
	a := append([]byte(nil), q...)
	a[1] |= 128
	a[3] = 0
	binary.BigEndian.PutUint32(a[8:], r.Clock())
	clear(a[12:24])
	if len(q) < 60 {
		return a
	}
	outside := r.Outside.As16()
	if !r.Outside.IsValid() {
		outside = [16]byte(q[8:24])
	}
	copy(a[44:], outside[:])
	return a
}
