package peer

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"parley/media/transport"
	"parley/signal"
)

func TestICEServersThatAreUsed(t *testing.T) {
	many := make([]string, 20)
	for i := range many {
		many[i] = "stun:a.example"
	}
	for name, c := range map[string]struct {
		server signal.ICEServer
		want   []string
	}{
		"TURN": {
			signal.ICEServer{URLs: []string{"turn:a.example?transport=udp", "turns:[2001:db8::1]:443?transport=tcp"}, Username: "u", Credential: "c"},
			[]string{"turn:a.example?transport=udp", "turns:[2001:db8::1]:443?transport=tcp"},
		},
		"without credential": {signal.ICEServer{URLs: []string{"turn:a.example", "stun:a.example"}}, []string{"stun:a.example"}},
		"of the future":      {signal.ICEServer{URLs: []string{"turn2:a.example", "stun:a.example"}}, []string{"stun:a.example"}},
		"rubbish":            {signal.ICEServer{URLs: []string{"", "turn:", "stun:a:b"}, Username: "u", Credential: "c"}, nil},
		"too many":           {signal.ICEServer{URLs: many}, many[:maxICEURLs]},
	} {
		var got []string
		all := iceServers(transport.Route{Servers: []signal.ICEServer{c.server}})
		for _, s := range all {
			got = append(got, s.URLs...)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if pc, err := webrtc.NewPeerConnection(webrtc.Configuration{ICEServers: all}); err != nil {
			t.Errorf("%s: %v", name, err)
		} else {
			pc.Close()
		}
	}
}

func TestObstacles(t *testing.T) {
	for name, c := range map[string]struct {
		tried tried
		want  transport.Obstacle
	}{
		"no answer":                  {tried{relays: true}, transport.NoObstacle},
		"no server":                  {tried{answered: true}, transport.WithoutRelay},
		"no server, hidden":          {tried{answered: true, hidden: true}, transport.HiddenWithoutRelay},
		"STUN only, answered":        {tried{answered: true, servers: true, reflexive: true}, transport.WithoutRelay},
		"STUN only, silent":          {tried{answered: true, servers: true}, transport.WithoutUDPNorRelay},
		"nothing comes back":         {tried{answered: true, servers: true, relays: true}, transport.WithoutUDP},
		"the relay alone is silent":  {tried{answered: true, servers: true, relays: true, reflexive: true}, transport.RelaySilent},
		"it is silent, hidden":       {tried{answered: true, servers: true, relays: true, hidden: true}, transport.RelaySilent},
		"a way out over TCP":         {tried{answered: true, servers: true, relays: true, relayed: true}, transport.TheirNetwork},
		"a way out over UDP, hidden": {tried{answered: true, servers: true, relays: true, relayed: true, hidden: true}, transport.TheirNetwork},
	} {
		if got := c.tried.obstacle(); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// A relay is left when others are named instead of it, and no sooner.
func TestStrayed(t *testing.T) {
	named := func(urls ...string) transport.Route {
		return transport.Route{Servers: []signal.ICEServer{{URLs: urls, Username: "u", Credential: "c"}}}
	}
	old := named("turn:a.example?transport=udp", "turn:a.example?transport=tcp")
	for name, c := range map[string]struct {
		own, connected bool
		now            transport.Route
		want           bool
	}{
		"another relay":          {true, true, named("turn:b.example?transport=udp"), true},
		"the same":               {true, true, old, false},
		"one of them":            {true, true, named("turn:b.example?transport=udp", "turn:a.example?transport=tcp"), false},
		"none":                   {true, true, transport.Route{}, false},
		"no relay any more":      {true, true, named("stun:b.example"), false},
		"the other side's":       {false, true, named("turn:b.example?transport=udp"), false},
		"before it is connected": {true, false, named("turn:b.example?transport=udp"), false},
	} {
		p := New(Config{Route: func() transport.Route { return c.now }})
		p.tried, p.ownRelay, p.connected = newTried(old, true), c.own, c.connected
		if got := p.strayed(); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}

// Who hides their address sends none of it, neither in a description nor in a candidate.
func TestHiddenAddressIsNotSent(t *testing.T) {
	var mu sync.Mutex
	var sent []string
	offered := make(chan struct{}, 16)
	e := newEnd(t, nil, "", "", func(b []byte) {
		mu.Lock()
		sent = append(sent, string(b))
		mu.Unlock()
		offered <- struct{}{}
	})
	e.peer.cfg.Route = func() transport.Route { return transport.Route{RelayOnly: true} }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.peer.Run(ctx) }()
	select {
	case <-offered:
	case <-time.After(20 * time.Second):
		t.Fatal("no offer")
	}
	for limit := time.Now().Add(20 * time.Second); e.peer.pc.ICEGatheringState() != webrtc.ICEGatheringStateComplete; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("still gathering")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range sent {
		if strings.Contains(text, "candidate:") {
			t.Errorf("a candidate was sent without a relay: %s", text)
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && strings.Contains(text, n.IP.String()) {
				t.Errorf("%v in %s", n.IP, text)
			}
		}
	}
	p := Peer{hidden: true}
	const candidate = "candidate:1 1 udp 1 192.0.2.1 5000 typ relay raddr 10.1.2.3 rport 4000 ufrag x"
	if got, want := p.hide(candidate), "candidate:1 1 udp 1 192.0.2.1 5000 typ relay raddr 0.0.0.0 rport 9 ufrag x"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if p.hidden = false; p.hide(candidate) != candidate {
		t.Error("a candidate changed although nothing is hidden")
	}
}

// Who hides their address in mid-call gets new connections; those who are not connected will get them anyway.
func TestHidingBeginsAnew(t *testing.T) {
	m, _ := play(t, model{me: me}, here(earlier(bo), newcomer(ada)), peerIs(bo, transport.Connected))
	if m.conns[bo].attempt == 0 || m.conns[ada].attempt != 0 {
		t.Fatalf("connections %+v", m.conns)
	}
	m, effects := play(t, m, rerouted{})
	if got, want := brief(effects), "close Bo, offer Bo, attemptTimeout in 10s"; got != want {
		t.Errorf("effects %q, want %q", got, want)
	}
	if m.phase(bo) != transport.Reconnecting {
		t.Errorf("phase %v", m.phase(bo))
	}
	// A further change within a few seconds waits, with nothing open meanwhile.
	m, effects = play(t, m, rerouted{}, rerouted{})
	if got, want := brief(effects), "close Bo, refuse, retryConn in 10s"; got != want || m.conns[bo].attempt != 0 {
		t.Errorf("effects %q, want %q; %+v", got, want, m.conns[bo])
	}
}

func TestDetours(t *testing.T) {
	four, six := netip.MustParseAddrPort("5.0.0.10:1"), netip.MustParseAddrPort("[2a0a::1]:1")
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for name, c := range map[string]struct {
		tried    tried
		protocol string
		theirs   []netip.AddrPort
		want     transport.Detour
	}{
		"hidden":                  {tried{hidden: true}, "udp", []netip.AddrPort{four}, transport.DetourHidden},
		"no UDP":                  {tried{relayed: true}, "tcp", []netip.AddrPort{four}, transport.DetourNoUDP},
		"UDP, and a relay by TCP": {tried{relayed: true, reflexive: true}, "tls", []netip.AddrPort{four}, transport.DetourRouters},
		"theirs hide":             {tried{relayed: true}, "udp", nil, transport.DetourTheirs},
		"another IP version":      {tried{relayed: true}, "udp", []netip.AddrPort{six}, transport.DetourFamily},
		"one of two versions":     {tried{relayed: true}, "udp", []netip.AddrPort{six, four}, transport.DetourRouters},
		"symmetric routers":       {tried{relayed: true, reflexive: true}, "udp", []netip.AddrPort{four}, transport.DetourRouters},
	} {
		p := puncher{theirs: c.theirs}
		p.opened(socket)
		if got := c.tried.detour(c.protocol, &p); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
