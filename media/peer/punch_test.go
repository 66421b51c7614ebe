package peer

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

func TestPunch(t *testing.T) {
	open := func() *net.UDPConn {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	ours, gone, theirs := open(), open(), open()
	var p puncher
	p.opened(ours)
	p.opened(gone)
	gone.Close()
	g := guard{loopback: true, punch: &p}
	at := theirs.LocalAddr().(*net.UDPAddr).AddrPort()
	for _, c := range []string{
		"candidate:1 1 udp 1 192.0.2.1 5000 typ relay raddr 0.0.0.0 rport 9", // a relay needs no opening
		"candidate:1 1 udp 1 " + at.Addr().String() + " " + strconv.Itoa(int(at.Port())) + " typ srflx raddr 0.0.0.0 rport 9",
		"candidate:1 1 udp 1 2001:db8::1 5000 typ host",
	} {
		if !g.candidate(c) {
			t.Errorf("%q refused", c)
		}
	}
	if len(p.theirs) != 2 {
		t.Fatalf("addresses %v", p.theirs)
	}
	now := time.Now()
	const local, remote = "v=0\r\na=ice-ufrag:ours\r\na=ice-pwd:our secret\r\n", "v=0\r\na=ice-ufrag:theirs\r\na=ice-pwd:their secret\r\n"
	p.punch(now, local, remote)
	p.punch(now.Add(time.Second), local, remote) // too soon
	buf := make([]byte, 500)
	_ = theirs.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, from, err := theirs.ReadFromUDPAddrPort(buf)
	if err != nil || from != ours.LocalAddr().(*net.UDPAddr).AddrPort() {
		t.Fatalf("from %v, %v", from, err)
	}
	m := stun.Message{Raw: buf[:n]}
	var user stun.Username
	if err := errors.Join(m.Decode(), user.GetFrom(&m), stun.NewShortTermIntegrity("their secret").Check(&m), stun.Fingerprint.Check(&m)); err != nil {
		t.Error(err)
	}
	if m.Type != stun.BindingRequest || user.String() != "theirs:ours" || !m.Contains(stun.AttrICEControlled) {
		t.Errorf("%v of %v", m.Type, user)
	}
	_ = theirs.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, _, err := theirs.ReadFromUDPAddrPort(buf); err == nil {
		t.Error("a second one came at once")
	}
	if len(p.sockets) != 1 {
		t.Errorf("%d sockets", len(p.sockets))
	}
	for i := range 2 * maxPunched {
		p.add(netip.AddrPortFrom(at.Addr(), uint16(2000+i)))
	}
	if len(p.theirs) != maxPunched {
		t.Errorf("%d addresses", len(p.theirs))
	}
	if p.forget(); len(p.theirs) != 0 {
		t.Error("not forgotten")
	}
}
