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
	ctx context.Context
}

func newNet(ctx context.Context) (ptransport.Net, error) {
	n, err := stdnet.NewNet()
	return boundNet{n, ctx}, err
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
	return c.(*net.TCPConn), nil
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
