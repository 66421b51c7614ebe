// Package portmap asks the router for a port that others reach from the internet, by NAT-PMP (RFC 6886) or UPnP-IGD.
// It believes no answer that it can check, and every answer has bounds.
package portmap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
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
)

// Protocol is what travels through a mapped port.
type Protocol string

// The protocols.
const (
	TCP Protocol = "TCP"
	UDP Protocol = "UDP"
)

var (
	errNoRouter = errors.New("this machine is behind no router of its own network")
	errOutside  = errors.New("the router's own address is not on the internet, or it does not say which it is")
	errPort     = errors.New("the router names no usable port")
)

// Mapper maps ports.
type Mapper struct {
	Log *slog.Logger
	// Gateway finds the router and this machine's address in its network.
	Gateway func() (router, own netip.Addr, err error)

	find   func(ctx context.Context, router, own netip.Addr) ([]device, error) // UPnP devices; nil: by SSDP
	retry  time.Duration
	margin time.Duration // tests renew sooner
}

// New makes a mapper that asks this machine's router.
func New(log *slog.Logger) *Mapper { return &Mapper{Log: log, Gateway: gateway} }

// gateway reads the system's routing table. It sends nothing.
func gateway() (router, own netip.Addr, err error) {
	table, err := netroute.New()
	if err != nil {
		return router, own, fmt.Errorf("read the routing table: %w", err)
	}
	_, via, from, err := table.Route(net.IPv4(8, 8, 8, 8)) // any address of the internet
	if err != nil {
		return router, own, fmt.Errorf("find the router: %w", err)
	}
	router, _ = netip.AddrFromSlice(via)
	own, _ = netip.AddrFromSlice(from)
	return router.Unmap(), own.Unmap(), nil
}

// device is a way to ask a router.
type device interface {
	// external is the router's address on the internet, as the router says.
	external(ctx context.Context) (netip.Addr, error)
	// add asks for a mapping to a port of this machine. The router may choose another port than wanted, and another
	// time.
	add(ctx context.Context, p Protocol, port, wanted uint16) (external uint16, lifetime time.Duration, err error)
	remove(ctx context.Context, p Protocol, port, external uint16) error
	String() string
}

// mapping is what a router has granted.
type mapping struct {
	device   device
	protocol Protocol
	port     uint16
	external netip.AddrPort
	lifetime time.Duration
	until    time.Time
}

// Keep keeps a port of this machine mapped until ctx ends, then gives the mapping back. It calls changed with the
// address at which others reach the port, and with an invalid one when they no longer do.
func (m *Mapper) Keep(ctx context.Context, p Protocol, port uint16, changed func(netip.AddrPort)) {
	var now *mapping
	defer func() {
		if now != nil {
			m.remove(ctx, now)
		}
	}()
	var said string
	for {
		next, err := m.renew(ctx, p, port, now)
		switch {
		case err == nil && now != nil && next.external == now.external:
			now = next
		case err == nil: // an earlier one has gone: the router would have given it again
			now, said = next, ""
			m.Log.Info("the router lets others in", "by", now.device, "protocol", p)
			changed(now.external)
		case now != nil && !time.Now().Before(now.until):
			now = nil
			changed(netip.AddrPort{})
		}
		if err != nil && ctx.Err() == nil && err.Error() != said {
			said = err.Error() // once, not at every try; the window says it to everybody
			m.Log.Info("the router lets nobody in from outside its network", "protocol", p, "err", err)
		}
		if !sleep(ctx, m.pause(now, err)) {
			return
		}
	}
}

// pause is how long a mapping, or a failure, lasts before the router is asked again.
func (m *Mapper) pause(now *mapping, err error) time.Duration {
	again := retry
	if m.retry > 0 {
		again = m.retry
	}
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

// renew asks for the mapping again, or for a new one.
func (m *Mapper) renew(ctx context.Context, p Protocol, port uint16, now *mapping) (*mapping, error) {
	ctx, cancel := context.WithTimeout(ctx, roundLimit)
	defer cancel()
	router, own, err := m.Gateway()
	if err != nil {
		return nil, err
	}
	if !router.Is4() || !own.Is4() || !router.IsPrivate() && !router.IsLoopback() && !shared.Contains(router) {
		return nil, errNoRouter
	}
	wanted := port
	if now != nil {
		wanted = now.external.Port()
	}
	var all []error
	try := func(d device) *mapping {
		found, err := ask(ctx, d, p, port, wanted)
		if err != nil {
			all = append(all, fmt.Errorf("%s: %w", d, err))
		}
		return found
	}
	if found := try(newPMP(router, own)); found != nil {
		return found, nil
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

// shared is the address space of providers' own NAT (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

// ask asks one device. What it says is checked before and after: a mapping on a router that is itself behind another
// leads nowhere.
func ask(ctx context.Context, d device, p Protocol, port, wanted uint16) (*mapping, error) {
	addr, err := d.external(ctx)
	if err != nil {
		return nil, err
	}
	if !addr.Is4() || !turn.Public(addr) {
		return nil, errOutside
	}
	external, lifetime, err := d.add(ctx, p, port, wanted)
	if err != nil {
		if external != 0 { // it may have mapped something all the same
			_ = d.remove(ctx, p, port, external)
		}
		return nil, err
	}
	if external == 0 || lifetime <= 0 {
		return nil, errPort
	}
	lifetime = min(lifetime, lease)
	return &mapping{d, p, port, netip.AddrPortFrom(addr, external), lifetime, time.Now().Add(lifetime)}, nil
}

// remove gives a mapping back, also after ctx has ended.
func (m *Mapper) remove(ctx context.Context, old *mapping) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	if err := old.device.remove(ctx, old.protocol, old.port, old.external.Port()); err != nil {
		m.Log.Warn("the router keeps a mapping until its time is over", "err", err)
	}
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
