package peer

import (
	"context"
	"errors"
	"net"
	"testing"
)

// A relay is reached over IPv6 without Pion seeing an address of it, or it would ask for an IPv6 relay.
func TestRelaySocketsHideIPv6(t *testing.T) {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n, err := newNet(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	at, err := n.ResolveTCPAddr("tcp6", l.Addr().String())
	if err != nil || at.String() != l.Addr().String() {
		t.Fatalf("%v, %v", at, err)
	}
	tcp, err := n.DialTCP("tcp6", nil, at)
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := n.ListenPacket("udp6", "[::]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	if a := tcp.LocalAddr().(*net.TCPAddr); a.IP.To4() == nil || a.Port == 0 {
		t.Errorf("TCP from %v", a)
	}
	if a := udp.LocalAddr().(*net.UDPAddr); a.IP.To4() == nil || a.Port == 0 {
		t.Errorf("UDP from %v", a)
	}
	if _, err := n.ResolveUDPAddr("udp4", "[::1]:3478"); err == nil {
		t.Error("an IPv6 address over IPv4")
	}
}

// What takes long ends with the connection that it is for.
func TestRelayIsNotWaitedForAfterTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n, err := newNet(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := n.DialTCP("tcp4", nil, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9}); !errors.Is(err, context.Canceled) {
		t.Errorf("dialled after the end: %v", err)
	}
	if _, err := n.ResolveUDPAddr("udp4", "relay.invalid:3478"); err == nil {
		t.Error("found nobody's address")
	}
}
