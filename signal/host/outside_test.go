package host

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/signal"
	"parley/signal/host/pmptest"
	"parley/signal/host/portmap"
	"parley/signal/server"
	"parley/signal/turn"
)

// router speaks NAT-PMP at an address of the loopback network, and keeps what it has mapped.
type router struct {
	at      netip.Addr
	outside netip.Addr            // what it says its address is
	without byte                  // the protocol that it does not map: 1 UDP, 2 TCP
	lie     func(q []byte) []byte // instead of an honest answer

	mu     sync.Mutex
	mapped map[byte]uint16
}

func startRouter(t *testing.T, r *router) *router {
	t.Helper()
	r.mapped = map[byte]uint16{}
	answer := r.answer
	if r.lie != nil {
		answer = r.lie
	}
	pmptest.Serve(t, r.at, answer)
	return r
}

// answer answers as RFC 6886, section 3 has it. Outside, ports are greater by one.
func (r *router) answer(q []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := []byte{0, q[1] | 128, 0, 0, 0, 0, 0, 0}
	if len(q) < 12 {
		return append(a, r.outside.AsSlice()...)
	}
	port, seconds := binary.BigEndian.Uint16(q[4:]), binary.BigEndian.Uint32(q[8:])
	switch {
	case q[1] == r.without:
		a[3] = 2 // not authorised
	case seconds == 0:
		delete(r.mapped, q[1])
	default:
		r.mapped[q[1]] = port
	}
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(append(a, q[4], q[5]), port+1), seconds)
}

func (r *router) mappings() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.mapped)
}

// behind has an app ask this router.
func (r *router) behind(a *app) {
	a.mapper = &portmap.Mapper{
		Log: slog.New(slog.DiscardHandler),
		Gateway: func(ipv6 bool) (netip.Addr, netip.Addr, error) {
			if ipv6 {
				return netip.Addr{}, netip.Addr{}, errors.New("no IPv6")
			}
			return r.at, netip.MustParseAddr("127.0.0.1"), nil
		},
	}
}

// public is a router's address.
var public = netip.MustParseAddr("5.0.0.10")

// openWatched opens a meeting, and returns what is told about it.
func (a *app) openWatched(room string) (*Hosting, <-chan *Hosting) {
	a.t.Helper()
	told := make(chan *Hosting, 10)
	h, err := a.Open(newLink(), room, func(h *Hosting) { told <- h })
	if err != nil {
		a.t.Fatal(err)
	}
	return h, told
}

// TestRouterLetsIn: once the router leads both ports here, the link has its address; members that are here already are told
// of the relay, each where it reaches the service; and when the meeting is over, the router leads nothing here.
func TestRouterLetsIn(t *testing.T) {
	r := startRouter(t, &router{at: netip.MustParseAddr("127.78.0.1"), outside: public})
	a := startApp(t, "", physical(face("eth0", "192.168.0.2/24")))
	r.behind(a)
	h, told := a.openWatched(roomA)
	if !h.Anywhere {
		select {
		case h = <-told:
		case <-time.After(20 * time.Second):
			t.Fatal("nobody is told that the router lets others in")
		}
	}
	a.mu.Lock()
	s := a.byRoom[roomA]
	a.mu.Unlock()
	if silent := a.open(newLink(), roomB); silent.Anywhere || len(silent.Link.At) != 0 { // on the same service
		t.Errorf("who does not ask for it gets a link to %q", silent.Link.At)
	}
	a.Close(roomB)
	web := s.outside.address().ipv4
	if web.Addr() != r.outside || int(web.Port()) != s.port+1 || !h.Anywhere || h.Link.At[len(h.Link.At)-1] != web.String() {
		t.Errorf("reached at %v, the link at %q", web, h.Link.At)
	}
	for host, want := range map[string]string{
		h.Own.Host:                    "turn:" + s.outside.own.Addr().String() + "?transport=udp",
		web.String():                  "turn:" + web.String() + "?transport=udp", // this router maps both alike
		"192.168.0.2:" + h.Own.Port(): "turn:192.168.0.2:" + h.Own.Port() + "?transport=udp",
		"[fd00::5]:8443":              "",
		"meet.example.org":            "",
		"":                            "",
	} {
		got := ""
		if all := s.outside.servers(server.Guest{Room: roomA, ID: signal.NewID(), Host: host}); len(all) == 1 {
			got = strings.Join(all[0].URLs, " ")
		}
		if got != want {
			t.Errorf("who came to %q is told of %q, want %q", host, got, want)
		}
	}
	if n := r.mappings(); n != 2 {
		t.Errorf("%d mappings", n)
	}
	a.Close(roomA)
	<-s.done
	if n := r.mappings(); n != 0 {
		t.Errorf("%d mappings are left", n)
	}
}

// TestFirewallLetsIn: the link has our IPv6 address once, and says whether others need IPv6 to open it. Who came by it is told
// of the relay that the router leads to over IPv4.
func TestFirewallLetsIn(t *testing.T) {
	a := startApp(t, "", physical(face("eth0", "192.168.0.2/24", "2a0a:0:1::2/64")))
	first := a.open(newLink(), roomA)
	a.mu.Lock()
	s := a.byRoom[roomA]
	a.mu.Unlock()
	own := netip.AddrPortFrom(netip.MustParseAddr("2a0a:0:1::2"), uint16(s.port))
	if len(first.Link.At) != 1 || first.Link.At[0] != own.String() {
		t.Fatalf("the link is at %q", first.Link.At)
	}
	hosting := func(r reached) *Hosting {
		h, err := a.hosting(newLink(), s.port, r)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	if h := hosting(reached{ipv6: own}); !h.IPv6 || h.Anywhere || len(h.Link.At) != 1 {
		t.Errorf("over IPv6 alone: %+v", h)
	}
	four := netip.AddrPortFrom(public, 4711)
	if h := hosting(reached{ipv4: four, ipv6: own}); h.IPv6 || !h.Anywhere || strings.Join(h.Link.At, " ") != own.String()+" 5.0.0.10:4711" {
		t.Errorf("over both: %+v", h)
	}
	o := &outside{credentials: turn.Credentials{Secret: turn.NewSecret()}, web6: own}
	guest := server.Guest{Room: roomA, ID: signal.NewID(), Host: own.String()}
	if all := o.servers(guest); all != nil {
		t.Errorf("without a relay, members are told of %v", all)
	}
	o.web, o.media = four, netip.AddrPortFrom(public, 4712)
	if all := o.servers(guest); len(all) != 1 || all[0].URLs[0] != "turn:5.0.0.10:4712?transport=udp" {
		t.Errorf("members are told of %v", all)
	}
}

// TestRouterLetsNobodyIn: one port of the two is not enough, and a router that is itself behind another, is silent or talks
// rubbish leads nowhere. The meeting is hosted for the network all the same, and it ends as always.
func TestRouterLetsNobodyIn(t *testing.T) {
	for i, c := range []struct {
		name   string
		router *router
	}{
		{"no UDP", &router{outside: public, without: 1}},
		{"no TCP", &router{outside: public, without: 2}},
		{"double NAT", &router{outside: netip.MustParseAddr("100.64.0.2")}},
		{"another router's network", &router{outside: netip.MustParseAddr("192.168.7.7")}},
		{"silence", &router{lie: func([]byte) []byte { return nil }}},
		{"rubbish", &router{lie: func([]byte) []byte { return []byte(strings.Repeat("x", 60_000)) }}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.router.at = netip.AddrFrom4([4]byte{127, 78, 1, byte(i + 1)})
			r := startRouter(t, c.router)
			var log lockedLog
			a := startApp(t, "", physical(face("eth0", "192.168.0.2/24")))
			r.behind(a)
			a.mapper.Log = slog.New(slog.NewTextHandler(&log, nil))
			h, told := a.openWatched(roomA)
			log.await(t, "the router lets nobody in")
			a.mu.Lock()
			s := a.byRoom[roomA]
			a.mu.Unlock()
			if h.Anywhere || len(told) > 0 || s.outside.address() != (reached{}) {
				t.Error("the link is said to work from anywhere")
			}
			if all := s.outside.servers(server.Guest{Host: h.Own.Host}); all != nil {
				t.Errorf("members are told of %+v", all)
			}
			ws, f := join(t, h.Own, roomA)
			if !is[signal.Welcome](f) {
				t.Errorf("the meeting answers %T", f)
			}
			ws.Close()
			a.Close(roomA)
			<-s.done
			if n := r.mappings(); n != 0 {
				t.Errorf("%d mappings are left", n)
			}
		})
	}
}

// TestPortOfRelayTaken: without its UDP port the meeting is hosted for the network alone, and the router is not asked.
func TestPortOfRelayTaken(t *testing.T) {
	r := startRouter(t, &router{at: netip.MustParseAddr("127.78.0.2"), outside: public})
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	taken, err := net.ListenUDP("udp4", &net.UDPAddr{Port: port})
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	a := startApp(t, "")
	r.behind(a)
	s, err := newService(a.ctx, l, a.interfaces, a.mapper, a.log)
	if err != nil || s.outside != nil {
		t.Fatalf("%v, %v", s, err)
	}
	s.close("")
	l.Close()
}

// TestOutsiders holds the limits for who comes from the internet, and leaves room for this network.
func TestOutsiders(t *testing.T) {
	a := startApp(t, "")
	a.open(newLink(), roomA)
	a.mu.Lock()
	s := a.byRoom[roomA]
	a.mu.Unlock()
	stranger := func(n byte) netip.Addr { return netip.AddrFrom4([4]byte{5, 0, 0, n}) }
	if s.enter(stranger(1)) {
		t.Error("a stranger enters though the router lets nobody in")
	}
	s.reach(reached{ipv4: netip.MustParseAddrPort("5.0.0.10:8443")})
	if s.enter(netip.MustParseAddr("2a0a::1")) {
		t.Error("a stranger enters over IPv6, where the router lets nobody in")
	}
	s.reach(reached{ipv6: netip.MustParseAddrPort("[2a0a:0:1::2]:8443")})
	if s.enter(stranger(1)) {
		t.Error("a stranger enters over IPv4, where the router lets nobody in")
	}
	if !s.enter(netip.MustParseAddr("2a0a::1")) {
		t.Error("a stranger does not enter over IPv6, where the router lets others in")
	}
	(&counted{Conn: closed(), service: s, outsider: netip.MustParseAddr("2a0a::1")}).Close()
	s.reach(reached{ipv4: netip.MustParseAddrPort("5.0.0.10:8443")})
	var all []*counted
	enter := func(who netip.Addr) bool {
		if !s.enter(who) {
			return false
		}
		all = append(all, &counted{Conn: closed(), service: s, outsider: who})
		return true
	}
	for n := range byte(maxOfOutsider) {
		if !enter(stranger(1)) {
			t.Fatalf("connection %d of an address is refused", n+1)
		}
	}
	if enter(stranger(1)) {
		t.Errorf("connection %d of an address enters", maxOfOutsider+1)
	}
	for n := byte(2); len(all) < maxOutside; n++ {
		for range min(maxOfOutsider, maxOutside-len(all)) {
			if !enter(stranger(n)) {
				t.Fatalf("connection %d from outside is refused", len(all)+1)
			}
		}
	}
	if enter(stranger(200)) {
		t.Errorf("connection %d from outside enters", maxOutside+1)
	}
	for n := range maxConnections - maxOutside {
		if !enter(netip.Addr{}) {
			t.Fatalf("connection %d of this network is refused", n+1)
		}
	}
	if enter(netip.Addr{}) {
		t.Errorf("connection %d enters", maxConnections+1)
	}
	all[0].Close()
	all[0].Close() // counts once
	if !enter(stranger(200)) || enter(stranger(201)) {
		t.Error("one that has gone makes room for one")
	}
	for _, c := range all {
		c.Close()
	}
	s.mu.Lock()
	if len(s.outsiders) != 0 || s.conns != 0 {
		t.Errorf("all have gone, and %d of %d addresses are counted", s.conns, len(s.outsiders))
	}
	s.mu.Unlock()
	s.reach(reached{})
	if s.enter(stranger(1)) {
		t.Error("a stranger enters after the router has closed")
	}
}

// closed is a connection whose other end has gone.
func closed() net.Conn {
	here, there := net.Pipe()
	there.Close()
	return here
}

// lockedLog keeps what is logged.
type lockedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) await(t *testing.T, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		l.mu.Lock()
		found := strings.Contains(l.text.String(), text)
		l.mu.Unlock()
		if found {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("nobody logs %q", text)
}
