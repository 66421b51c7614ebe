// Package portmap asks the router for a port that others reach from the internet, by PCP (RFC 6887), NAT-PMP (RFC 6886)
// or UPnP-IGD. It believes no answer that it can check, and every answer has bounds.
package portmap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-netroute"

	"parley/signal/turn"
)

const (
	lease      = 20 * time.Minute // what a crash leaves behind at most
	retry      = time.Minute      // after a failure
	roundLimit = 15 * time.Second // for all questions of one round
	endLimit   = 3 * time.Second  // for giving a mapping back
	minRenewal = 30 * time.Second // however short the router makes the lease
	interval   = time.Minute      // from one check of a mapping to the next
	silentFor  = 2 * time.Minute  // how long a mapping is believed in while the router is silent
	maxRouters = 8                // that are remembered; a machine seldom has more than one for IPv4 and one for IPv6
)

// Protocol is what travels through a mapped port.
type Protocol string

// The protocols.
const (
	TCP Protocol = "TCP"
	UDP Protocol = "UDP"
)

// Port is a port of this machine.
type Port struct {
	Protocol Protocol
	Number   uint16
	IPv6     bool // at our IPv6 address, to which the router's firewall lets nobody in by itself
}

var (
	errNoRouter = errors.New("this machine is behind no router of its own network")
	errNoIPv6   = errors.New("this machine has no IPv6 address on the internet")
	errOutside  = errors.New("the router's own address is not on the internet, or it does not say which it is")
	errPort     = errors.New("the router names no usable port")
	errTime     = errors.New("the router maps the port for no time at all")
	errOther    = errors.New("the router names another address than this machine's")
	errLost     = errors.New("the router has lost the mapping")
	errSilent   = errors.New("the router does not answer")
)

// Mapper maps ports.
type Mapper struct {
	Log *slog.Logger
	// Gateway finds the router and this machine's address in its network, for IPv4 or IPv6.
	Gateway func(ipv6 bool) (router, own netip.Addr, err error)

	find func(ctx context.Context, router, own netip.Addr) ([]device, error) // UPnP devices; nil: by SSDP

	// Tests do not wait. 0 is the constant of this name.
	retry, margin, interval time.Duration // margin: how long before the end of a lease it is renewed

	mu     sync.Mutex
	nonces map[netip.Addr]nonce // by router: it knows by them that a later question is ours too
}

// New makes a mapper that asks this machine's router.
func New(log *slog.Logger) *Mapper { return &Mapper{Log: log, Gateway: gateway} }

// gateway reads the system's routing table. It sends nothing.
func gateway(ipv6 bool) (router, own netip.Addr, err error) {
	to := net.IPv4(8, 8, 8, 8) // any address of the internet
	if ipv6 {
		to = net.ParseIP("2001:4860:4860::8888")
	}
	table, err := netroute.New()
	if err != nil {
		return router, own, fmt.Errorf("read the routing table: %w", err)
	}
	face, via, from, err := table.Route(to)
	if err != nil && ipv6 {
		return router, own, errNoIPv6 // as in most networks
	}
	if err != nil {
		return router, own, fmt.Errorf("find the router: %w", err)
	}
	router, _ = netip.AddrFromSlice(via)
	own, _ = netip.AddrFromSlice(from)
	if router = router.Unmap(); router.Is6() && router.IsLinkLocalUnicast() {
		router = router.WithZone(face.Name)
	}
	return router, own.Unmap(), nil
}

// device is a way to ask a router.
type device interface {
	// add asks for a mapping. The router may choose another port than wanted, and another time.
	add(ctx context.Context, p Port, wanted netip.AddrPort) (grant, error)
	// check asks cheaply whether the router still has the mapping. It returns errLost if not, and another error if the
	// router does not say.
	check(ctx context.Context, p Port, g *grant) error
	remove(ctx context.Context, p Port, external netip.AddrPort) error
	String() string
}

// grant is what a router grants.
type grant struct {
	external netip.AddrPort
	lifetime time.Duration
	epoch    epoch // unknown to UPnP
}

// mapping is a grant that we use.
type mapping struct {
	grant
	device      device
	router, own netip.Addr
	port        Port
	until       time.Time
}

// Keep keeps a port of this machine mapped until ctx ends, then gives the mapping back. It calls changed with the
// address at which others reach the port, and with an invalid one when they no longer do.
func (m *Mapper) Keep(ctx context.Context, p Port, changed func(netip.AddrPort)) {
	var now *mapping
	defer func() {
		if now != nil {
			m.remove(ctx, now)
		}
	}()
	var said string
	for {
		next, err := m.renew(ctx, p, now)
		switch {
		case err == nil && now != nil && next.external == now.external:
			now = next
		case err == nil: // an earlier one has gone: the router would have given it again
			now, said = next, ""
			m.Log.Info("the router lets others in", "by", now.device, "protocol", p.Protocol, "ipv6", p.IPv6)
			changed(now.external)
		case ctx.Err() == nil && now != nil && !time.Now().Before(now.until):
			now = nil
			changed(netip.AddrPort{})
		}
		if err != nil && ctx.Err() == nil && err.Error() != said {
			said = err.Error() // once, not at every try; the window says it to everybody
			level := slog.LevelInfo
			if errors.Is(err, errNoIPv6) {
				level = slog.LevelDebug
			}
			m.Log.Log(ctx, level, "the router lets nobody in from outside its network", "protocol", p.Protocol, "ipv6", p.IPv6, "err", err)
		}
		if !m.rest(ctx, now, err) {
			return
		}
	}
}

// rest waits until the router is to be asked again. Meanwhile it checks the mapping, and returns at once if that is lost.
// It reports whether ctx goes on.
func (m *Mapper) rest(ctx context.Context, now *mapping, err error) bool {
	until := time.Now().Add(m.pause(now, err))
	for err == nil {
		next := min(cmp.Or(m.interval, interval), time.Until(until))
		if !sleep(ctx, next) {
			return false
		}
		if !time.Now().Before(until) {
			return true
		}
		switch err := m.check(ctx, now); {
		case errors.Is(err, errLost):
			m.Log.Info("the router has lost the mapping", "protocol", now.port.Protocol, "ipv6", now.port.IPv6)
			now.until = time.Now() // unless it gives us another one, nobody gets in
			return true
		case err != nil:
			now.until = earlier(now.until, time.Now().Add(silentFor))
			return true
		}
	}
	return sleep(ctx, time.Until(until))
}

func (m *Mapper) check(ctx context.Context, now *mapping) error {
	ctx, cancel := context.WithTimeout(ctx, roundLimit)
	defer cancel()
	return now.device.check(ctx, now.port, &now.grant)
}

// pause is how long a mapping, or a failure, lasts before the router is asked again.
func (m *Mapper) pause(now *mapping, err error) time.Duration {
	again := cmp.Or(m.retry, retry)
	switch {
	case err == nil && m.margin > 0:
		return max(now.lifetime-m.margin, 0)
	case err == nil:
		return max(now.lifetime/2, minRenewal)
	case now != nil:
		return min(again, max(time.Until(now.until), 0))
	}
	return again
}

// renew asks for the mapping again, or for a new one. Who granted it is asked first.
func (m *Mapper) renew(ctx context.Context, p Port, now *mapping) (*mapping, error) {
	ctx, cancel := context.WithTimeout(ctx, roundLimit)
	defer cancel()
	router, own, err := m.Gateway(p.IPv6)
	if err != nil {
		return nil, err
	}
	if err := behind(router, own, p.IPv6); err != nil {
		return nil, err
	}
	wanted := netip.AddrPortFrom(netip.Addr{}, p.Number)
	if now != nil {
		wanted = now.external
	}
	var all []error
	try := func(d device) *mapping {
		g, err := d.add(ctx, p, wanted)
		if err != nil {
			all = append(all, fmt.Errorf("%s: %w", d, err))
			return nil
		}
		g.lifetime = min(g.lifetime, lease)
		return &mapping{g, d, router, own, p, time.Now().Add(g.lifetime)}
	}
	var asked device
	if now != nil && now.router == router && now.own == own {
		asked = now.device
		if found := try(asked); found != nil {
			return found, nil
		}
	}
	for _, d := range m.withoutSearch(router, own) {
		if asked != nil && asked.String() == d.String() {
			continue
		}
		if found := try(d); found != nil {
			return found, nil
		}
	}
	if p.IPv6 {
		return nil, errors.Join(all...) // the other protocols know IPv4 alone
	}
	find := m.find
	if find == nil {
		find = findIGD
	}
	devices, err := find(ctx, router, own)
	if err != nil {
		all = append(all, err)
	}
	for _, d := range devices {
		if found := try(d); found != nil {
			return found, nil
		}
	}
	return nil, errors.Join(all...)
}

// withoutSearch are the ways to ask a router whose address is known, the best first. Both protocols have one port.
func (m *Mapper) withoutSearch(router, own netip.Addr) []device {
	all := []device{pcp{router, own, m.nonce(router)}}
	if own.Is4() {
		all = append(all, newPMP(router, own))
	}
	return all
}

// nonce is the same for all questions to a router, or it would not let us renew what we have mapped (RFC 6887, section
// 11.2). Another router does not learn it.
func (m *Mapper) nonce(router netip.Addr) nonce {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, ok := m.nonces[router]
	if !ok {
		if n = newNonce(); m.nonces == nil || len(m.nonces) >= maxRouters {
			m.nonces = map[netip.Addr]nonce{}
		}
		m.nonces[router] = n
	}
	return n
}

// shared is the address space of providers' own NAT (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

// behind returns an error unless this machine's address is behind a router that can be asked.
func behind(router, own netip.Addr, ipv6 bool) error {
	switch {
	case ipv6 && (!own.Is6() || !turn.Public(own)):
		return errNoIPv6
	case ipv6 && router.Is6() && !router.IsUnspecified():
		return nil
	case !ipv6 && router.Is4() && own.Is4() && (router.IsPrivate() || router.IsLoopback() || shared.Contains(router)):
		return nil
	}
	return errNoRouter
}

// usable returns an error for a grant that lets nobody in: an address behind another router leads nowhere, and a firewall
// opens no other address than ours.
func usable(p Port, g grant, own netip.AddrPort) error {
	switch {
	case p.IPv6 && g.external.Addr() != own.Addr():
		return errOther
	case g.external.Port() == 0 || p.IPv6 && g.external.Port() != own.Port():
		return errPort
	case g.lifetime <= 0:
		return errTime
	case p.IPv6:
		return nil
	}
	return onInternet(g.external.Addr())
}

// onInternet returns an error unless an IPv4 address is reached from everywhere.
func onInternet(addr netip.Addr) error {
	if !addr.Is4() || !turn.Public(addr) {
		return errOutside
	}
	return nil
}

// remove gives a mapping back, also after ctx has ended.
func (m *Mapper) remove(ctx context.Context, old *mapping) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	if err := old.device.remove(ctx, old.port, old.external); err != nil {
		m.Log.Warn("the router keeps a mapping until its time is over", "err", err)
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// sleep waits, and reports whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
