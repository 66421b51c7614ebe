package turn

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"

	pion "github.com/pion/turn/v5"
)

// Relay is an address of allocations.
type Relay struct {
	Public netip.Addr // what members are told
	Local  netip.Addr // what this machine has; another one behind a NAT that maps all ports, as clouds do
}

var (
	errQuota  = errors.New("the member has all the allocations that it may have")
	errFamily = errors.New("this service relays no packets of that IP version")
	errTCP    = errors.New("this service relays UDP only") // RFC 6062 is not for media
	errPorts  = errors.New("no port for a relay is free")
)

// portTries is how many random ports are tried for one allocation. With half of the range taken, one in a million
// allocations fails.
const portTries = 20

// client is from where to where a client speaks to the service. One address may have an allocation on each port, over
// UDP and over TCP.
type client struct {
	network string
	addr    string
	port    uint16 // of the service
}

func clientAt(from, service net.Addr) client {
	return client{from.Network(), from.String(), addrPort(service).Port()}
}

// relays makes the sockets of allocations. It is a pion.RelayAddressGenerator.
type relays struct {
	server *Server

	mu    sync.Mutex
	conns map[uint16]*relayConn // by port
	of    map[client]*relayConn
	open  tally
}

// Validate implements pion.RelayAddressGenerator.
func (r *relays) Validate() error { return nil }

// AllocateListener refuses TCP allocations (RFC 6062).
func (r *relays) AllocateListener(pion.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errTCP
}

// AllocateConn refuses TCP allocations (RFC 6062).
func (r *relays) AllocateConn(pion.AllocateConnConfig) (net.Conn, error) { return nil, errTCP }

// AllocatePacketConn opens the socket of an allocation.
func (r *relays) AllocatePacketConn(cfg pion.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	if cfg.UserID == "" || cfg.RequestedPort != 0 { // a search for a pair of ports, which nobody needs
		return nil, nil, errPorts
	}
	relay, ok := r.server.relayFor(cfg.Network)
	if !ok {
		return nil, nil, errFamily
	}
	account := r.server.ledger.open(cfg.UserID)
	if account == nil {
		return nil, nil, errQuota
	}
	if !r.open.add() {
		r.server.ledger.close(account)
		return nil, nil, errClosed
	}
	for range portTries {
		port := r.server.cfg.MinPort + uint16(rand.IntN(int(r.server.cfg.MaxPort-r.server.cfg.MinPort)+1))
		udp, err := net.ListenUDP(cfg.Network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(relay.Local, port)))
		if err != nil {
			continue
		}
		c := &relayConn{UDPConn: udp, relays: r, account: account, relay: relay, port: port, permitted: map[netip.Addr]bool{}}
		r.mu.Lock()
		r.conns[port] = c
		r.mu.Unlock()
		r.server.metrics.allocations.Inc()
		return c, net.UDPAddrFromAddrPort(netip.AddrPortFrom(relay.Public, port)), nil
	}
	r.server.ledger.close(account)
	r.open.sub()
	return nil, nil, fmt.Errorf("%w after %d tries", errPorts, portTries)
}

// at is the allocation with a port of the relay's address; nil without one.
func (r *relays) at(relay netip.Addr, port uint16) *relayConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.conns[port]; c != nil && c.relay.Public == relay {
		return c
	}
	return nil
}

// created notes which client has which allocation.
func (r *relays) created(from, service net.Addr, _, _, _ string, relay net.Addr, _ int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.conns[addrPort(relay).Port()]; c != nil {
		c.client = clientAt(from, service)
		r.of[c.client] = c
	}
}

// mayPermit reports whether a client's allocation may send to one more address.
func (r *relays) mayPermit(from client, peer netip.Addr) bool {
	r.mu.Lock()
	c := r.of[from]
	r.mu.Unlock()
	return c == nil || c.mayPermit(peer)
}

func (r *relays) permission(given bool) func(_, _ net.Addr, _, _, _ string, relay net.Addr, peer net.IP) {
	return func(_, _ net.Addr, _, _, _ string, relay net.Addr, peer net.IP) {
		ip, _ := netip.AddrFromSlice(peer)
		r.mu.Lock()
		c := r.conns[addrPort(relay).Port()]
		r.mu.Unlock()
		if c != nil {
			c.permit(ip.Unmap(), given)
		}
	}
}

func (r *relays) closed(c *relayConn) {
	r.mu.Lock()
	delete(r.conns, c.port)
	if r.of[c.client] == c {
		delete(r.of, c.client)
	}
	r.mu.Unlock()
	r.server.ledger.close(c.account)
	r.server.metrics.allocations.Dec()
	r.open.sub()
}

// relayConn is the socket of one allocation: it holds the member to its quota, and keeps it from reaching the
// services of this machine.
type relayConn struct {
	*net.UDPConn
	relays  *relays
	account *account
	relay   Relay
	port    uint16
	client  client // relays.mu guards it
	once    sync.Once

	mu        sync.RWMutex
	permitted map[netip.Addr]bool
}

func (c *relayConn) mayPermit(ip netip.Addr) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.permitted[ip] || len(c.permitted) < maxPermissions
}

func (c *relayConn) permit(ip netip.Addr, given bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if given {
		c.permitted[ip] = true
	} else {
		delete(c.permitted, ip)
	}
}

func (c *relayConn) permits(ip netip.Addr) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.permitted[ip]
}

// ReadFrom reads the next packet for the member. What nobody has permitted does not count against its quota, or a
// stranger could use that up.
func (c *relayConn) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.ReadFromUDPAddrPort(p)
		if err != nil {
			return n, nil, err
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if from.Addr() == c.relay.Local && c.relays.at(c.relay.Public, from.Port()) != nil {
			from = netip.AddrPortFrom(c.relay.Public, from.Port())
		}
		m := c.relays.server.metrics
		switch {
		case !c.permits(from.Addr()):
			m.dropped.WithLabelValues("stranger").Inc()
		case !c.account.take(n):
			m.dropped.WithLabelValues("quota").Inc()
		default:
			m.relayed.WithLabelValues("in").Add(float64(n))
			return n, net.UDPAddrFromAddrPort(from), nil
		}
	}
}

// WriteTo sends a packet of the member. One that may not be sent is dropped, as a network would.
func (c *relayConn) WriteTo(p []byte, to net.Addr) (int, error) {
	dst, m := addrPort(to), c.relays.server.metrics
	own := dst.Addr() == c.relay.Public
	switch {
	case dst.Port() < lowestPort,
		own && c.relays.at(dst.Addr(), dst.Port()) == nil: // a service of this machine
		m.dropped.WithLabelValues("peer").Inc()
		return len(p), nil
	case !c.account.take(len(p)):
		m.dropped.WithLabelValues("quota").Inc()
		return len(p), nil
	case own: // the network may not lead back to us
		dst = netip.AddrPortFrom(c.relay.Local, dst.Port())
	}
	m.relayed.WithLabelValues("out").Add(float64(len(p)))
	if _, err := c.WriteToUDPAddrPort(p, dst); err != nil {
		m.dropped.WithLabelValues("network").Inc() // no route there; the next packet may go elsewhere
	}
	return len(p), nil
}

// Close frees the port.
func (c *relayConn) Close() error {
	err := c.UDPConn.Close()
	c.once.Do(func() { c.relays.closed(c) })
	return err
}
