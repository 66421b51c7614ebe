package turn

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"

	"parley/signal"
)

// meetingPoint is the address of a closed service's relays. It is one for documentation (RFC 5737): a check that is sent to
// it over the internet reaches nobody.
var meetingPoint = netip.MustParseAddr("192.0.2.1")

// NewClosed makes a service whose relays send to each other alone. Two members who are both relayed meet on it, and it
// sends nothing to any other address, of this machine, of its network or of the internet. So it can run on a machine
// at home, whose router leads a single port to it.
func NewClosed(secret signal.Secret) (*Server, error) {
	s, err := New(Config{
		Secret: secret, MinPort: 49152, MaxPort: 65535, // RFC 8656, section 7.2
		Relays: []Relay{{Public: meetingPoint, Local: netip.MustParseAddr("127.0.0.1")}},
	})
	if err == nil {
		s.peers.closed = true
	}
	return s, err
}

// ListenGated listens on a port of this machine over UDP and IPv4, to those whom admit admits. Call it before Run.
func (s *Server) ListenGated(port int, admit func(netip.Addr) bool) error {
	p, err := net.ListenPacket("udp4", fmt.Sprintf(":%d", port))
	if err != nil {
		return fmt.Errorf("listen for STUN: %w", err)
	}
	s.packets = append(s.packets, &gated{p, admit})
	return nil
}

// gated is a socket that hears some senders only.
type gated struct {
	net.PacketConn
	admit func(netip.Addr) bool
}

// ReadFrom reads the next packet of somebody who is admitted.
func (g *gated) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := g.PacketConn.ReadFrom(p)
		if err != nil || g.admit(addrPort(from).Addr()) {
			return n, from, err
		}
	}
}

// Own is where the programs of this machine reach the service.
type Own struct {
	net.PacketConn
	outside atomic.Pointer[netip.Addr]
}

// ListenOwn listens on a free port of the loopback address. Call it before Run.
func (s *Server) ListenOwn() (*Own, error) {
	p, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for STUN of this machine: %w", err)
	}
	o := &Own{PacketConn: p}
	s.packets = append(s.packets, o)
	return o, nil
}

// Addr is where it listens.
func (o *Own) Addr() netip.AddrPort { return addrPort(o.LocalAddr()) }

// Behind tells this machine's programs that they are at an address of the internet, with the port that they have here:
// that is what the others see behind most routers (RFC 4787, section 4.2.1). Nobody outside could tell them, since it is
// this machine that others ask. Where a router gives other ports, a direct path fails, and the call is relayed.
func (o *Own) Behind(outside netip.Addr) { o.outside.Store(&outside) }

// ReadFrom reads the next packet, as if it came from outside.
func (o *Own) ReadFrom(p []byte) (int, net.Addr, error) {
	n, from, err := o.PacketConn.ReadFrom(p)
	if outside := o.outside.Load(); err == nil && outside != nil {
		from = net.UDPAddrFromAddrPort(netip.AddrPortFrom(*outside, addrPort(from).Port()))
	}
	return n, from, err
}

// WriteTo answers to where it came from.
func (o *Own) WriteTo(p []byte, to net.Addr) (int, error) {
	return o.PacketConn.WriteTo(p, net.UDPAddrFromAddrPort(netip.AddrPortFrom(o.Addr().Addr(), addrPort(to).Port())))
}
