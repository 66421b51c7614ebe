package host

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"parley/signal"
	"parley/signal/host/portmap"
	"parley/signal/server"
	"parley/signal/turn"
)

// reached is where the internet reaches the service; invalid: nowhere.
type reached struct{ ipv4, ipv6 netip.AddrPort }

// admits reports whether an address of the internet may come in.
func (r reached) admits(outsider netip.Addr) bool {
	return outsider.Is4() && r.ipv4.IsValid() || outsider.Is6() && r.ipv6.IsValid()
}

// outside lets guests from the internet in: the router leads a TCP port to the service and a UDP port to a relay of its own.
// By the relay guests learn their addresses, and where no direct path works they meet on it. Over IPv6 the router opens its
// firewall for the service alone: there everybody has an address that others reach once they have sent something.
type outside struct {
	mapper      *portmap.Mapper
	relay       *turn.Server
	own         *turn.Own // where this app reaches the relay
	port        int       // of this machine, TCP and UDP
	credentials turn.Credentials
	changed     func(reached)

	once    sync.Once
	begun   chan struct{} // closed when a meeting is for the internet
	telling sync.Mutex    // is held while changed runs
	mu      sync.Mutex
	web     netip.AddrPort // what the router leads to the service
	media   netip.AddrPort // and to the relay
	web6    netip.AddrPort // our own address where the router lets others in
}

// newOutside asks nobody yet.
func newOutside(mapper *portmap.Mapper, port int, changed func(reached)) (*outside, error) {
	o := &outside{mapper: mapper, port: port, credentials: turn.Credentials{Secret: turn.NewSecret()}, changed: changed, begun: make(chan struct{})}
	var err error
	if o.relay, err = turn.NewClosed(o.credentials.Secret); err != nil {
		return nil, err
	}
	if err := o.relay.ListenGated(port, o.admits); err != nil {
		return nil, err
	}
	if o.own, err = o.relay.ListenOwn(); err != nil {
		o.relay.Close()
		return nil, err
	}
	return o, nil
}

// begin has the router asked from now on.
func (o *outside) begin() { o.once.Do(func() { close(o.begun) }) }

// run keeps the ports mapped from begin on, and relays, until ctx ends.
func (o *outside) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return o.relay.Run(ctx) })
	number := uint16(o.port)
	for p, at := range map[portmap.Port]*netip.AddrPort{
		{Protocol: portmap.TCP, Number: number}:             &o.web,
		{Protocol: portmap.UDP, Number: number}:             &o.media,
		{Protocol: portmap.TCP, Number: number, IPv6: true}: &o.web6,
	} {
		g.Go(func() error {
			select {
			case <-o.begun:
			case <-ctx.Done():
				return nil
			}
			o.mapper.Keep(ctx, p, func(now netip.AddrPort) { o.mapped(at, now) })
			return nil
		})
	}
	return g.Wait()
}

// mapped notes that the router leads another address to one of the ports.
func (o *outside) mapped(at *netip.AddrPort, now netip.AddrPort) {
	o.telling.Lock()
	defer o.telling.Unlock()
	before := o.address()
	o.mu.Lock()
	*at = now
	o.mu.Unlock()
	if now := o.address(); now != before {
		if now.ipv4.IsValid() {
			o.own.Behind(now.ipv4.Addr())
		}
		o.changed(now)
	}
}

// address is where the service is reached from the internet: over IPv4 only if the relay is reached there too.
func (o *outside) address() reached {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := reached{o.web, o.web6}
	if !o.media.IsValid() || o.media.Addr() != o.web.Addr() {
		r.ipv4 = netip.AddrPort{}
	}
	return r
}

// admits reports whether an address may speak to the relay.
func (o *outside) admits(from netip.Addr) bool {
	return admits(nil, from) || o.address().admits(from.Unmap())
}

// servers name the relay to a member, at the address by which that one has reached the service.
func (o *outside) servers(g server.Guest) []signal.ICEServer {
	web := o.address()
	at, err := netip.ParseAddrPort(g.Host)
	switch {
	case !web.ipv4.IsValid() || err != nil || !at.Addr().Is4() && at != web.ipv6:
		return nil
	case at == web.ipv4 || at == web.ipv6: // who came over IPv6 may have IPv4 too
		o.mu.Lock()
		at = o.media
		o.mu.Unlock()
	case at.Addr().IsLoopback():
		at = o.own.Addr()
	default:
		at = netip.AddrPortFrom(at.Addr(), uint16(o.port))
	}
	return []signal.ICEServer{o.credentials.Server([]string{"turn:" + at.String() + "?transport=udp"}, g.Room, g.ID, time.Now())}
}
