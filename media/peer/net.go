package peer

import (
	"context"
	"net"
	"time"

	ptransport "github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"
)

// dialTimeout is for the connection to a relay over TCP, and for looking up its name. Connections wait for that when
// they end, and a network that swallows packets would keep them for minutes.
const dialTimeout = 5 * time.Second

// boundNet is the machine's network. What would take long ends with the connection.
type boundNet struct {
	ptransport.Net
	ctx    context.Context
	opened func(ptransport.UDPConn) // told of each socket of a candidate, but relays; nil: nobody is
}

func newNet(ctx context.Context, opened func(ptransport.UDPConn)) (ptransport.Net, error) {
	n, err := stdnet.NewNet()
	return boundNet{n, ctx, opened}, err
}

// ListenUDP opens the socket of a candidate.
func (n boundNet) ListenUDP(network string, local *net.UDPAddr) (ptransport.UDPConn, error) {
	c, err := n.Net.ListenUDP(network, local)
	if err == nil && n.opened != nil {
		n.opened(c)
	}
	return c, err
}

// DialTCP connects to a relay.
func (n boundNet) DialTCP(network string, local, remote *net.TCPAddr) (ptransport.TCPConn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	if local != nil {
		d.LocalAddr = local
	}
	c, err := d.DialContext(n.ctx, network, remote.String())
	if err != nil {
		return nil, err
	}
	keepQueueShort(c)
	return relayTCP{c.(*net.TCPConn)}, nil
}

// ListenPacket opens a socket to a relay over UDP.
func (n boundNet) ListenPacket(network, address string) (net.PacketConn, error) {
	c, err := n.Net.ListenPacket(network, address)
	if err != nil {
		return nil, err
	}
	return relayUDP{c}, nil
}

// relayTCP and relayUDP hide an own IPv6 address. Seeing one, Pion would ask the relay for an IPv6 address too, and a
// member with IPv6 alone could never meet one with IPv4 alone. Seeing none, it asks for nothing and gets IPv4
// (RFC 8656, section 7.2), which others reach by relays of theirs if not directly.
type (
	relayTCP struct{ *net.TCPConn }
	relayUDP struct{ net.PacketConn }
)

// LocalAddr has the port alone.
func (c relayTCP) LocalAddr() net.Addr {
	if a, ok := c.TCPConn.LocalAddr().(*net.TCPAddr); ok && a.IP.To4() == nil {
		return &net.TCPAddr{IP: net.IPv4zero, Port: a.Port}
	}
	return c.TCPConn.LocalAddr()
}

// LocalAddr has the port alone.
func (c relayUDP) LocalAddr() net.Addr {
	if a, ok := c.PacketConn.LocalAddr().(*net.UDPAddr); ok && a.IP.To4() == nil {
		return &net.UDPAddr{IP: net.IPv4zero, Port: a.Port}
	}
	return c.PacketConn.LocalAddr()
}

// ResolveTCPAddr looks up the address of a relay.
func (n boundNet) ResolveTCPAddr(network, address string) (*net.TCPAddr, error) {
	ip, port, err := n.resolve(network, address)
	return &net.TCPAddr{IP: ip, Port: port}, err
}

// ResolveUDPAddr looks up the address of a relay or a STUN server.
func (n boundNet) ResolveUDPAddr(network, address string) (*net.UDPAddr, error) {
	ip, port, err := n.resolve(network, address)
	return &net.UDPAddr{IP: ip, Port: port}, err
}

// resolve looks up HOST:PORT. The network, such as tcp4, says which IP version is wanted.
func (n boundNet) resolve(network, address string) (net.IP, int, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithTimeout(n.ctx, dialTimeout)
	defer cancel()
	port, err := net.DefaultResolver.LookupPort(ctx, network[:3], service)
	if err != nil {
		return nil, 0, err
	}
	version := "ip" + network[3:]
	all, err := net.DefaultResolver.LookupIP(ctx, version, host)
	if err != nil {
		return nil, 0, err
	}
	return all[0], port, nil
}
