package turn

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	pion "github.com/pion/turn/v5"

	"parley/signal"
)

// Only a credential of this service that has not ended opens an allocation.
func TestCredentialsThatAreRefused(t *testing.T) {
	s := start(t, false)
	until := time.Now().Add(time.Hour)
	hers, herKey := s.check.Mint(testRoom, alice, until)
	his, hisKey := s.check.Mint(testRoom, bob, until)
	late, lateKey := s.check.Mint(testRoom, alice, time.Now().Add(-time.Second))
	foreign, foreignKey := Credentials{"another secret"}.Mint(testRoom, alice, until)
	for name, c := range map[string]struct {
		username string
		password signal.Secret
	}{
		"expired":                        {late, lateKey},
		"expired, its end moved":         {hers, lateKey},
		"another member's user name":     {hers, hisKey},
		"another member's credential":    {his, herKey},
		"of another service":             {foreign, foreignKey},
		"without credential":             {hers, ""},
		"without member":                 {strings.Split(hers, ":")[0], herKey},
		"without end":                    {":" + strings.Split(hers, ":")[1], herKey},
		"no user name of ours":           {"admin", "admin"},
		"the user name as its own proof": {hers, signal.Secret(hers)},
	} {
		answer, code, err := attack(t, s, c.username, c.password).ask(stun.MethodAllocate, udpTransport)
		if err != nil || code != stun.CodeUnauthorized {
			t.Errorf("%s: %d, %v, %v", name, code, err, answer)
		}
	}
	if n := count(t, s.metrics.allocations); n != 0 {
		t.Errorf("%v allocations", n)
	}
	as(t, s, alice).allocate()
}

// A member cannot use the allocation of another, even from behind the same address and port.
func TestAnotherMembersAllocation(t *testing.T) {
	s := start(t, false)
	a := as(t, s, alice)
	a.allocate()
	username, password := s.check.Mint(testRoom, bob, time.Now().Add(time.Hour))
	a.username, a.password, a.brief = username, string(password), true
	for _, m := range []stun.Method{stun.MethodRefresh, stun.MethodCreatePermission, stun.MethodChannelBind} {
		if _, code, err := a.ask(m, peerAddress("127.0.0.1:9999"), channelNumber(0x4000)); err == nil && code == 0 {
			t.Errorf("%v of another member was granted", m)
		}
	}
	a.brief = false
	a.settle()
	s.relays.mu.Lock()
	defer s.relays.mu.Unlock()
	for _, c := range s.relays.conns {
		if len(c.permitted) > 0 {
			t.Errorf("permissions %v", c.permitted)
		}
	}
}

// No member reaches this machine, its network, or what hides behind either through the service.
func TestRefusedPeers(t *testing.T) {
	s := start(t, true)
	four, six := as(t, s, alice), as(t, s, alice)
	four.allocate()
	six.allocate(ipv6)
	for _, peer := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.2", "127.255.0.1",
		"169.254.169.254", "169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1",
		"198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::2", "::127.0.0.1", "64:ff9b::a00:1", "64:ff9b::169.254.169.254", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1",
		"2002:a00:1::1", "2002:7f00:1::1", "3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "5f00::1", "4000::1",
	} {
		a := four
		if ip := netip.MustParseAddr(peer); ip.Is6() {
			a = six
		}
		where := net.JoinHostPort(peer, "9999")
		if code := a.permit(where); code != stun.CodeForbidden {
			t.Errorf("permission for %s: %d", peer, code)
		}
		if _, code, err := a.ask(stun.MethodChannelBind, channelNumber(0x4001), peerAddress(where)); err != nil || code == 0 {
			t.Errorf("channel to %s: %d, %v", peer, code, err)
		}
	}
	// An IPv4 address in IPv6's clothes, in an attribute that says IPv6.
	for _, hiding := range []string{"::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:127.0.0.2"} {
		for _, a := range []*attacker{four, six} {
			if _, code, err := a.ask(stun.MethodCreatePermission, mapped(netip.MustParseAddr(hiding))); err != nil || code == 0 {
				t.Errorf("permission for %s: %d, %v", hiding, code, err)
			}
		}
	}
	for _, peer := range []string{"8.8.8.8:9999", "100.63.0.1:9999", "172.32.0.1:9999"} {
		if code := four.permit(peer); code != 0 {
			t.Errorf("permission for %s: %d", peer, code)
		}
	}
	if code := six.permit("[2a00:1450::1]:9999"); code != 0 {
		t.Errorf("permission for an IPv6 address: %d", code)
	}
}

// mapped is a peer address of family IPv6 whatever it is.
type mapped netip.Addr

func (p mapped) AddTo(m *stun.Message) error {
	value := []byte{0, 2, 0x27, 0x0f ^ 0x21}
	key := append([]byte{0x21, 0x12, 0xa4, 0x42}, m.TransactionID[:]...)
	for i, b := range netip.Addr(p).As16() {
		value = append(value, b^key[i])
	}
	m.Add(stun.AttrXORPeerAddress, value)
	return nil
}

// The addresses of the service itself are refused, also when an operator permits the network they are in, but two
// members who are both relayed meet there.
func TestOwnAddress(t *testing.T) {
	s := start(t, true)
	s.peers.allow = prefixes("0.0.0.0/0", "::/0")
	s.peers.own = func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("192.168.7.7"), relayIP} }
	a, b := as(t, s, alice), as(t, s, bob)
	hers, his := a.allocate(), b.allocate()
	if code := a.permit("192.168.7.7:9999"); code != stun.CodeForbidden {
		t.Errorf("permission for an own address: %d", code)
	}
	if code := a.permit("192.168.7.8:9999"); code != 0 {
		t.Errorf("permission for a neighbour that the operator permits: %d", code)
	}
	service, err := net.ListenPacket("udp4", relayIP.String()+":0") // of this machine, but no allocation
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	if code := a.permit(his.String()); code != 0 {
		t.Fatalf("permission for the other's allocation: %d", code)
	}
	if code := b.permit(hers.String()); code != 0 {
		t.Fatalf("permission for the other's allocation: %d", code)
	}
	a.send(service.LocalAddr().String(), []byte("to a service"))
	a.send(netip.AddrPortFrom(relayIP, 3478).String(), []byte("to TURN"))
	a.send(netip.AddrPortFrom(relayIP, 53).String(), []byte("to DNS"))
	a.settle()
	_ = service.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, _, err := service.ReadFrom(make([]byte, 100)); err == nil {
		t.Errorf("a service of this machine got %d bytes", n)
	}
	if n := count(t, s.metrics.dropped.WithLabelValues("peer")); n != 3 {
		t.Errorf("%v packets dropped for their peer, want 3", n)
	}
	a.send(his.String(), []byte("hello"))
	buf := make([]byte, 2000)
	_ = b.conn.SetReadDeadline(time.Now().Add(patience))
	n, _, err := b.conn.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	m := &stun.Message{Raw: buf[:n]}
	if err := m.Decode(); err != nil {
		t.Fatal(err)
	}
	data, _ := m.Get(stun.AttrData)
	var from stun.XORMappedAddress
	_ = from.GetFromAs(m, stun.AttrXORPeerAddress)
	if string(data) != "hello" || from.String() != hers.String() {
		t.Errorf("got %q from %v, want hello from %v", data, from, hers)
	}
}

// One member has a bounded number of allocations, however many addresses and credentials it uses; others keep theirs.
func TestAllocationQuota(t *testing.T) {
	s := start(t, false)
	for i := range maxAllocations {
		username, password := s.check.Mint(testRoom, alice, time.Now().Add(time.Hour+time.Duration(i)*time.Minute))
		attack(t, s, username, password).allocate()
	}
	over := as(t, s, alice)
	if _, code, err := over.ask(stun.MethodAllocate, udpTransport); err != nil || code != stun.CodeAllocQuotaReached {
		t.Errorf("one more: %d, %v", code, err)
	}
	first := as(t, s, bob)
	first.allocate()
	if n := count(t, s.metrics.refused.WithLabelValues("quota")); n != 1 {
		t.Errorf("%v refused", n)
	}
}

// What ends is no longer counted.
func TestAllocationsEnd(t *testing.T) {
	s := start(t, false)
	a := as(t, s, alice)
	a.allocate()
	if _, code, err := a.ask(stun.MethodRefresh, attribute(stun.AttrLifetime, 0, 0, 0, 0)); err != nil || code != 0 {
		t.Fatalf("end: %d, %v", code, err)
	}
	if n := count(t, s.metrics.allocations); n != 0 {
		t.Errorf("%v allocations", n)
	}
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	if s.ledger.total != 0 {
		t.Errorf("%d in the ledger", s.ledger.total)
	}
	s.ledger.forget(time.Now().Add(rememberFor - time.Second))
	if len(s.ledger.members) != 1 {
		t.Error("a member that starts over has a new burst")
	}
	if s.ledger.forget(time.Now().Add(rememberFor + time.Second)); len(s.ledger.members) != 0 {
		t.Error("the account is never forgotten")
	}
}

// One allocation has a bounded number of permissions.
func TestPermissionQuota(t *testing.T) {
	s := start(t, false)
	a := as(t, s, alice)
	a.allocate()
	peer := func(i int) string { return netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}).String() + ":9999" }
	for i := range maxPermissions {
		if code := a.permit(peer(i)); code != 0 {
			t.Fatalf("permission %d: %d", i+1, code)
		}
	}
	if code := a.permit(peer(maxPermissions)); code != stun.CodeForbidden {
		t.Errorf("one more: %d", code)
	}
	if code := a.permit(peer(0)); code != 0 {
		t.Errorf("one of them again: %d", code)
	}
	// An allocation over TCP from the same address and port has a quota of its own, and opens none to the first.
	from, _ := net.ResolveTCPAddr("tcp4", a.conn.LocalAddr().String())
	tcp, err := (&net.Dialer{LocalAddr: from}).Dial("tcp4", s.tcp)
	if err != nil {
		t.Fatal(err)
	}
	conn := pion.NewSTUNConn(tcp)
	t.Cleanup(func() { conn.Close() })
	b := &attacker{t: t, conn: conn, to: tcp.RemoteAddr(), username: a.username, password: a.password}
	b.allocate()
	if code := a.permit(peer(maxPermissions)); code != stun.CodeForbidden {
		t.Errorf("one more over UDP, after an allocation over TCP: %d", code)
	}
	if code := b.permit(peer(maxPermissions)); code != 0 {
		t.Errorf("the first over TCP: %d", code)
	}
}

// A member that sends too fast loses packets, and gets no more through than its rate.
func TestByteQuota(t *testing.T) {
	s := start(t, false)
	a := as(t, s, alice)
	a.allocate()
	peer, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	if code := a.permit(peer.LocalAddr().String()); code != 0 {
		t.Fatal(code)
	}
	began := time.Now()
	data := make([]byte, 1200)
	dropped := s.metrics.dropped.WithLabelValues("quota")
	for sent := 0; count(t, dropped) < 1000; sent++ {
		a.send(peer.LocalAddr().String(), data)
		if sent%64 == 0 {
			a.settle()
		}
		if time.Since(began) > patience {
			t.Fatalf("%v bytes relayed and no packet dropped", count(t, s.metrics.relayed.WithLabelValues("out")))
		}
	}
	relayed := count(t, s.metrics.relayed.WithLabelValues("out"))
	if most := maxBurst + maxRate*time.Since(began).Seconds(); relayed > most || relayed < maxBurst/2 {
		t.Errorf("%v bytes relayed, %v allowed", relayed, most)
	}
}

// A stranger cannot use up a member's rate.
func TestStrangersDoNotCount(t *testing.T) {
	s := start(t, false)
	a := as(t, s, alice)
	relay := a.allocate()
	stranger, err := net.Dial("udp4", relay.String())
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	strangers := s.metrics.dropped.WithLabelValues("stranger")
	waitFor(t, "a stranger to be dropped", func() bool {
		_, _ = stranger.Write(make([]byte, 1200))
		return count(t, strangers) > 0
	})
	if n := count(t, s.metrics.relayed.WithLabelValues("in")); n != 0 {
		t.Errorf("%v bytes counted", n)
	}
}

// Allocations over TCP (RFC 6062), pairs of ports and the like are not offered.
func TestOtherAllocations(t *testing.T) {
	s := start(t, false)
	for name, with := range map[string][]stun.Setter{
		"TCP":       {attribute(stun.AttrRequestedTransport, 6, 0, 0, 0)},
		"even port": {udpTransport, attribute(stun.AttrEvenPort, 0x80)},
		"reserved":  {udpTransport, attribute(stun.AttrReservationToken, make([]byte, 8)...)},
		"SCTP":      {attribute(stun.AttrRequestedTransport, 132, 0, 0, 0)},
	} {
		if _, code, err := as(t, s, alice).ask(stun.MethodAllocate, with...); err != nil || code == 0 {
			t.Errorf("%s: %d, %v", name, code, err)
		}
	}
	if n := count(t, s.metrics.allocations); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// One address has a bounded number of connections.
func TestConnectionQuota(t *testing.T) {
	c := clients{of: map[netip.Addr]int{}}
	for range maxClientsOfAddress {
		if !c.enter(netip.MustParseAddr("2001:4860::1")) {
			t.Fatal("refused too early")
		}
	}
	if c.enter(netip.MustParseAddr("2001:4860::2")) {
		t.Error("another address of the same network has its own count")
	}
	if !c.enter(netip.MustParseAddr("2001:4860:0:1::1")) {
		t.Error("another network is refused")
	}
	c.leave(netip.MustParseAddr("2001:4860::3"))
	if !c.enter(netip.MustParseAddr("2001:4860::2")) {
		t.Error("what ended still counts")
	}
}
