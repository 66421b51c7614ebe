package turn

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/pion/stun/v4"

	"parley/signal"
)

// errURL is about a URL of --turn-url.
var errURL = errors.New("no URL such as turn:turn.example.org:3478?transport=udp")

// ParseURLs reads the URLs of STUN and TURN servers (RFC 7064, RFC 7065) in a list with commas.
func ParseURLs(list string) ([]string, error) {
	var urls []string
	for text := range strings.SplitSeq(list, ",") {
		text = strings.TrimSpace(text)
		if _, err := stun.ParseURI(text); err != nil || strings.Contains(text, "@") {
			return nil, fmt.Errorf("%q is %w", text, errURL)
		}
		urls = append(urls, text)
	}
	return urls, nil
}

// Place is where members find the service.
type Place struct {
	Host string // name or address; empty: as they name the rendezvous
	Port int    // for UDP and TCP
	Web  int    // the rendezvous' own port, if it is shared; else 0
	TLS  bool   // on Web
}

// Servers is what a member is told who has reached the rendezvous as request, HOST or HOST:PORT; nothing if that
// is no name of a host.
func (p Place) Servers(c Credentials, request, room string, id signal.ID) []signal.ICEServer {
	host, port, err := net.SplitHostPort(request)
	if err != nil {
		host, port = strings.Trim(request, "[]"), "80"
		if p.TLS {
			port = "443"
		}
	}
	direct := port == strconv.Itoa(p.Web) // no proxy in between, which would take HTTP only
	if p.Host != "" {
		host = p.Host
	}
	if !isHost(host) {
		return nil
	}
	at := net.JoinHostPort(host, strconv.Itoa(p.Port))
	urls := []string{"turn:" + at + "?transport=udp", "turn:" + at + "?transport=tcp"}
	if p.Web != 0 && direct {
		scheme := "turn:"
		if p.TLS {
			scheme = "turns:"
		}
		urls = append(urls, scheme+net.JoinHostPort(host, port)+"?transport=tcp")
	}
	return []signal.ICEServer{c.Server(urls, room, id, time.Now())}
}

func isHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return !strings.Contains(host, "%")
	}
	ok := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.'
	}
	return host != "" && len(host) <= 253 && !strings.ContainsFunc(host, func(r rune) bool { return !ok(r) })
}

// FindRelays makes relays of the public addresses that an operator names, or of those that this machine has towards
// the internet. An address that no interface has is that of a NAT in front, which leads all ports here.
func FindRelays(public []netip.Addr) ([]Relay, error) {
	own, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("find this machine's addresses: %w", err)
	}
	var relays []Relay
	seen := map[bool]bool{}
	for _, ip := range public {
		if ip = ip.Unmap(); seen[ip.Is4()] {
			return nil, errors.New("name one address of IPv4 and one of IPv6 at most")
		}
		seen[ip.Is4()] = true
		r := Relay{Public: ip, Local: ip}
		if !has(own, ip) {
			if r.Local = towardsInternet(ip.Is4()); !r.Local.IsValid() {
				return nil, fmt.Errorf("this machine has neither %v nor a way to the internet", ip)
			}
		}
		relays = append(relays, r)
	}
	if len(public) > 0 {
		return relays, nil
	}
	for _, four := range []bool{true, false} {
		if ip := towardsInternet(four); ip.IsValid() {
			relays = append(relays, Relay{Public: ip, Local: ip})
		}
	}
	if len(relays) == 0 {
		return nil, errors.New("this machine has no way to the internet")
	}
	return relays, nil
}

func has(own []net.Addr, ip netip.Addr) bool {
	for _, a := range own {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ip.AsSlice()) {
			return true
		}
	}
	return false
}

// towardsInternet is the address that packets to the internet leave with. None is sent: the kernel is asked for the
// route to an address that is there for good.
func towardsInternet(four bool) netip.Addr {
	network, to := "udp4", "198.41.0.4:53"
	if !four {
		network, to = "udp6", "[2001:503:ba3e::2:30]:53" // a.root-servers.net
	}
	c, err := net.Dial(network, to)
	if err != nil {
		return netip.Addr{}
	}
	defer c.Close()
	return addrPort(c.LocalAddr()).Addr()
}
