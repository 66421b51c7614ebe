package host

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxCandidates is how many addresses a link names at most. One that works is enough, and people read links aloud.
const maxCandidates = 4

// Interface is what we need to know of a network interface to judge whether others can reach this machine by it.
type Interface struct {
	Name         string
	Up, Loopback bool
	Physical     bool // a device is behind it: Ethernet or wifi
	Tunnel       bool // point-to-point: a VPN, a modem
	Addrs        []netip.Prefix
}

// interfaces lists this machine's.
func interfaces() ([]Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list network interfaces: %w", err)
	}
	var list []Interface
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil {
			continue // it has just gone
		}
		f := Interface{
			Name: i.Name, Up: i.Flags&net.FlagUp != 0, Loopback: i.Flags&net.FlagLoopback != 0,
			Tunnel: i.Flags&net.FlagPointToPoint != 0,
		}
		if _, err := os.Stat(filepath.Join("/sys/class/net", i.Name, "device")); err == nil {
			f.Physical = true
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				f.Addrs = append(f.Addrs, p)
			}
		}
		list = append(list, f)
	}
	return list, nil
}

// Prefixes of the names of tunnels' interfaces, and of those of containers and virtual machines.
var (
	tunnelNames    = []string{"tun", "tap", "wg", "tailscale", "ppp", "utun", "zt", "ipsec", "nordlynx", "proton", "vpn", "gpd", "cscotun"}
	containerNames = []string{"docker", "br-", "virbr", "vnet", "vmnet", "vboxnet", "lxc", "lxdbr", "incusbr", "cni", "flannel", "cali", "podman", "kube"}
)

func named(name string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// sharedSpace is what providers and Tailscale give to machines behind their own NAT (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// Ranks of an address, best first.
const (
	lan4 = iota // a LAN's IPv4
	lan6        // a LAN's IPv6, unique local (RFC 4193) before global
	lan6Global
	lan4Public
	tunnel
	virtual // veth, whose other end may be anywhere
	linkLocal
	useless
)

// rank says how likely it is that others can reach an address.
func rank(i Interface, a netip.Addr) int {
	switch {
	case !i.Up || i.Loopback || a.IsLoopback() || a.IsUnspecified() || a.IsMulticast() || named(i.Name, containerNames):
		return useless
	case a.IsLinkLocalUnicast() && a.Is4():
		return linkLocal
	case a.IsLinkLocalUnicast(): // fe80::/10 needs a zone, which is another one on every machine
		return useless
	case i.Tunnel || named(i.Name, tunnelNames) || sharedSpace.Contains(a):
		return tunnel
	case !i.Physical && named(i.Name, []string{"veth"}):
		return virtual
	case a.Is4() && a.IsPrivate():
		return lan4
	case a.Is4():
		return lan4Public
	case a.IsPrivate():
		return lan6
	}
	return lan6Global
}

// candidates are the addresses at which others may reach this machine, best first. There is none if only this
// machine can reach itself.
func candidates(list []Interface) []netip.Addr {
	type candidate struct {
		addr    netip.Addr
		rank    int
		virtual bool // no device is behind its interface
	}
	var all []candidate
	for _, i := range list {
		for _, p := range i.Addrs {
			a := p.Addr().Unmap().WithZone("")
			if r := rank(i, a); r != useless {
				all = append(all, candidate{a, r, !i.Physical})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		if c := cmp.Compare(a.rank, b.rank); c != 0 {
			return c
		}
		switch {
		case a.virtual == b.virtual:
			return 0
		case b.virtual:
			return -1
		}
		return 1
	})
	var best []netip.Addr
	for _, c := range all {
		if c.rank == linkLocal && all[0].rank != linkLocal || len(best) == maxCandidates {
			break
		}
		if !slices.Contains(best, c.addr) {
			best = append(best, c.addr)
		}
	}
	return best
}

// admits reports whether an address may connect. It may if it is this machine's, a private network's, or of the IPv6
// network of one of our own interfaces.
func admits(list []Interface, from netip.Addr) bool {
	from = from.Unmap().WithZone("")
	if from.IsLoopback() || from.IsPrivate() || from.IsLinkLocalUnicast() || sharedSpace.Contains(from) {
		return true
	}
	if from.Is4() {
		return false
	}
	for _, i := range list {
		for _, p := range i.Addrs {
			// A prefix shorter than a LAN's (RFC 4291, section 2.5.4) is not one LAN but a provider's network.
			if p.Bits() >= 64 && p.Bits() < 128 && p.Contains(from) {
				return true
			}
		}
	}
	return false
}
