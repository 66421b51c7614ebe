package turn

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// startClosed runs a closed service that admits this machine while open is set.
func startClosed(t *testing.T, open *atomic.Bool) (gate *service, own *Own) {
	t.Helper()
	s, err := NewClosed("hush")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ListenGated(0, func(from netip.Addr) bool { return from.IsLoopback() && open.Load() }); err != nil {
		t.Fatal(err)
	}
	if own, err = s.ListenOwn(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	_, port, _ := net.SplitHostPort(s.packets[0].LocalAddr().String())
	return &service{Server: s, udp: "127.0.0.1:" + port}, own
}

// TestClosedRelay: two members meet on the relay, the app by its own socket and a guest by the open one, and nothing leads
// from there to anybody else.
func TestClosedRelay(t *testing.T) {
	var open atomic.Bool
	open.Store(true)
	gate, own := startClosed(t, &open)
	host := as(t, &service{Server: gate.Server, udp: own.Addr().String()}, alice)
	guest := as(t, gate, bob)
	hostAt, guestAt := host.allocate(), guest.allocate()
	if hostAt.Addr() != meetingPoint || guestAt.Addr() != meetingPoint {
		t.Fatalf("relays at %v and %v", hostAt, guestAt)
	}
	for _, a := range []*attacker{host, guest} {
		if code := a.permit(meetingPoint.String() + ":1"); code != 0 {
			t.Fatalf("the other relay is refused: %d", code)
		}
	}
	host.send(guestAt.String(), []byte("good morning"))
	if from, text := guest.receive(); from != hostAt || text != "good morning" {
		t.Errorf("the guest hears %q from %v", text, from)
	}
	guest.send(hostAt.String(), []byte("and to you"))
	if from, text := host.receive(); from != guestAt || text != "and to you" {
		t.Errorf("the host hears %q from %v", text, from)
	}
	for _, to := range []string{
		"127.0.0.1", "192.168.0.2", "10.0.0.1", "169.254.169.254", "100.64.0.1", "5.0.0.10", "8.8.8.8", "192.0.2.2", "2a0a::1",
	} {
		code := guest.permit(netip.AddrPortFrom(netip.MustParseAddr(to), 4711).String())
		if code != stun.CodeForbidden && code != stun.CodePeerAddrFamilyMismatch {
			t.Errorf("relaying to %s: %d", to, code)
		}
	}
}

// TestClosedRelayReachesNoProgram: the relays' sockets are this machine's, and so are its other programs. A packet to one of
// these is dropped.
func TestClosedRelayReachesNoProgram(t *testing.T) {
	var open atomic.Bool
	open.Store(true)
	gate, _ := startClosed(t, &open)
	victim, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer victim.Close()
	guest := as(t, gate, bob)
	guest.allocate()
	guest.permit(meetingPoint.String() + ":1")
	guest.send(netip.AddrPortFrom(meetingPoint, addrPort(victim.LocalAddr()).Port()).String(), []byte("hello"))
	guest.send(victim.LocalAddr().String(), []byte("hello"))
	guest.settle()
	if _, err := victim.WriteTo([]byte("end"), victim.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if n, _, err := victim.ReadFrom(buf); err != nil || string(buf[:n]) != "end" {
		t.Errorf("a program of this machine got %q, %v", buf[:n], err)
	}
}

// TestOwnIsOutside: this machine's programs are told the address of the router, with their own port. Guests are told what
// they have.
func TestOwnIsOutside(t *testing.T) {
	var open atomic.Bool
	open.Store(true)
	gate, own := startClosed(t, &open)
	here := attack(t, &service{udp: own.Addr().String()}, "", "")
	port := addrPort(here.conn.LocalAddr()).Port()
	if got := here.address(); got != netip.AddrPortFrom(loopback, port) {
		t.Errorf("before the router answers: %v", got)
	}
	own.Behind(netip.MustParseAddr("5.0.0.10"))
	if got := here.address(); got != netip.AddrPortFrom(netip.MustParseAddr("5.0.0.10"), port) {
		t.Errorf("behind the router: %v", got)
	}
	guest := attack(t, gate, "", "")
	if got, want := guest.address(), addrPort(guest.conn.LocalAddr()); got != want {
		t.Errorf("a guest at %v is told %v", want, got)
	}
}

// TestGated: who is not admitted gets no answer.
func TestGated(t *testing.T) {
	var open atomic.Bool
	gate, _ := startClosed(t, &open)
	a := attack(t, gate, "", "")
	a.brief = true
	if _, err := a.exchange(stun.MustBuild(stun.TransactionID, stun.BindingRequest)); err == nil {
		t.Error("a stranger is answered")
	}
	open.Store(true)
	a.brief = false
	a.settle()
}

// address is what the service says the sender's address is.
func (a *attacker) address() netip.AddrPort {
	a.t.Helper()
	answer, err := a.exchange(stun.MustBuild(stun.TransactionID, stun.BindingRequest))
	if err != nil {
		a.t.Fatal(err)
	}
	var x stun.XORMappedAddress
	if err := x.GetFrom(answer); err != nil {
		a.t.Fatal(err)
	}
	ip, _ := netip.AddrFromSlice(x.IP)
	return netip.AddrPortFrom(ip.Unmap(), uint16(x.Port))
}

// receive waits for what a peer has sent to the allocation.
func (a *attacker) receive() (from netip.AddrPort, text string) {
	a.t.Helper()
	buf := make([]byte, 2000)
	_ = a.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		n, _, err := a.conn.ReadFrom(buf)
		if err != nil {
			a.t.Fatal(err)
		}
		m := &stun.Message{Raw: buf[:n]}
		if m.Decode() != nil || m.Type != stun.NewType(stun.MethodData, stun.ClassIndication) {
			continue
		}
		var peer stun.XORMappedAddress
		if err := peer.GetFromAs(m, stun.AttrXORPeerAddress); err != nil {
			a.t.Fatal(err)
		}
		data, err := m.Get(stun.AttrData)
		if err != nil {
			a.t.Fatal(err)
		}
		ip, _ := netip.AddrFromSlice(peer.IP)
		return netip.AddrPortFrom(ip.Unmap(), uint16(peer.Port)), string(data)
	}
}
