package turn

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// refused are the IPv4 networks that packets are not relayed to: this host, private networks, links, multicast,
// carrier-grade NAT, documentation and tests (RFC 6890). Cloud providers answer with secrets at 169.254.169.254.
var refused = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/4", "240.0.0.0/4",
)

// globalIPv6 is the only part of IPv6 that is relayed to. That leaves out loopback, link-local, unique local
// (RFC 4193), multicast, and what hides an IPv4 address: mapped, compatible and NAT64 (RFC 6052).
var globalIPv6 = netip.MustParsePrefix("2000::/3")

// refusedIPv6 are the parts of it that hide an IPv4 address (Teredo, 6to4), and documentation.
var refusedIPv6 = prefixes("2001::/32", "2001:db8::/32", "2002::/16", "3fff::/20")

// lowestPort is the lowest port that is relayed to. A member's is above, and below are services (DNS, NTP, SNMP)
// that would answer a small packet with a large one.
const lowestPort = 1024

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

// peers says whom packets may be relayed to.
type peers struct {
	allow []netip.Prefix // although they are not public
	own   func() []netip.Addr
	relay []netip.Addr // our public addresses: two members who are both relayed meet there
	// closed: they meet there alone, and nobody else is sent anything
	closed bool
}

// permits reports whether an allocation may send to an address at all.
func (p peers) permits(ip netip.Addr) bool {
	if !ip.IsValid() || ip.Zone() != "" {
		return false
	}
	if slices.Contains(p.relay, ip) {
		return true // the port decides: relayConn.WriteTo
	}
	if p.closed {
		return false
	}
	if slices.Contains(p.own(), ip.Unmap()) {
		return false
	}
	if contains(p.allow, ip) {
		return true
	}
	return Public(ip)
}

// Public reports whether an address is one machine's on the internet.
func Public(ip netip.Addr) bool {
	if ip.Is4() {
		return !contains(refused, ip)
	}
	return globalIPv6.Contains(ip) && !contains(refusedIPv6, ip)
}

func contains(list []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// cacheFor is how long this machine's addresses are believed to stay.
const cacheFor = 10 * time.Second

// cache keeps this machine's addresses, for which the kernel is asked.
type cache struct {
	mu    sync.Mutex
	until time.Time
	known []netip.Addr
}

func (c *cache) addresses() []netip.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); !now.Before(c.until) {
		c.known, c.until = addresses(), now.Add(cacheFor)
	}
	return c.known
}

// addresses are this machine's own.
func addresses() []netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				out = append(out, ip.Unmap())
			}
		}
	}
	return out
}

// addrPort is the netip form of a UDP or TCP address.
func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		ap = a.AddrPort()
	case *net.TCPAddr:
		ap = a.AddrPort()
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
