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

// outside lets guests from the internet in: the router leads a TCP port to the service and a UDP port to a relay of its own.
// By the relay guests learn their addresses, and where no direct path works they meet on it.
type outside struct {
	mapper      *portmap.Mapper
	relay       *turn.Server
	own         *turn.Own // where this app reaches the relay
	port        int       // of this machine, TCP and UDP
	credentials turn.Credentials
	changed     func(netip.AddrPort) // where the service is reached from the internet; invalid: nowhere

	once    sync.Once
	begun   chan struct{} // closed when a meeting is for the internet
	telling sync.Mutex    // is held while changed runs
	mu      sync.Mutex
	web     netip.AddrPort // what the router leads to the service
	media   netip.AddrPort // and to the relay
}

// newOutside asks nobody yet.
func newOutside(mapper *portmap.Mapper, port int, changed func(netip.AddrPort)) (*outside, error) {
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
	for p, at := range map[portmap.Protocol]*netip.AddrPort{portmap.TCP: &o.web, portmap.UDP: &o.media} {
		g.Go(func() error {
			select {
			case <-o.begun:
			case <-ctx.Done():
				return nil
			}
			o.mapper.Keep(ctx, p, uint16(o.port), func(now netip.AddrPort) { o.mapped(at, now) })
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
		if now.IsValid() {
			o.own.Behind(now.Addr())
		}
		o.changed(now)
	}
}

// address is where the service is reached from the internet. It is invalid unless the relay is reached there too.
func (o *outside) address() netip.AddrPort {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.media.IsValid() || o.media.Addr() != o.web.Addr() {
		return netip.AddrPort{}
	}
	return o.web
}

// admits reports whether an address may speak to the relay.
func (o *outside) admits(from netip.Addr) bool { return admits(nil, from) || o.address().IsValid() }

// servers name the relay to a member, at the address by which that one has reached the service.
func (o *outside) servers(g server.Guest) []signal.ICEServer {
	web := o.address()
	at, err := netip.ParseAddrPort(g.Host)
	switch {
	case !web.IsValid() || err != nil || !at.Addr().Is4():
		return nil
	case at == web:
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
