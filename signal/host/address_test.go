package host

import (
	"net/netip"
	"strings"
	"testing"
)

func face(name string, addrs ...string) Interface {
	i := Interface{Name: name, Up: true}
	for _, a := range addrs {
		i.Addrs = append(i.Addrs, netip.MustParsePrefix(a))
	}
	return i
}

func physical(i Interface) Interface  { i.Physical = true; return i }
func tunnelled(i Interface) Interface { i.Tunnel = true; return i }
func down(i Interface) Interface      { i.Up = false; return i }

var loopback = Interface{Name: "lo", Up: true, Loopback: true, Addrs: []netip.Prefix{
	netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("::1/128"),
}}

func TestCandidates(t *testing.T) {
	for _, c := range []struct {
		name string
		list []Interface
		want string
	}{
		{"no network", []Interface{loopback}, ""},
		{"a LAN", []Interface{loopback, physical(face("eth0", "192.168.1.5/24"))}, "192.168.1.5"},
		{"IPv6 only", []Interface{loopback, physical(face("eth0", "fd00::5/64", "fe80::1/64"))}, "fd00::5"},
		{"unique local before global", []Interface{face("eth0", "2001:db8::5/64", "fd00::5/64")}, "fd00::5 2001:db8::5"},
		{"both families", []Interface{face("eth0", "fd00::5/64", "10.0.0.5/24")}, "10.0.0.5 fd00::5"},
		{"link-local only", []Interface{loopback, face("eth0", "169.254.7.8/16", "fe80::1/64")}, "169.254.7.8"},
		{"link-local beside better", []Interface{face("eth0", "169.254.7.8/16"), face("wlan0", "10.0.0.5/24")}, "10.0.0.5"},
		{"link-local beside IPv6", []Interface{face("eth0", "169.254.7.8/16", "fd00::5/64")}, "fd00::5"},
		{"fe80 only", []Interface{face("eth0", "fe80::1/64")}, ""},
		{"a VPN before a LAN", []Interface{tunnelled(face("foo0", "10.8.0.2/24")), face("eth0", "192.168.1.5/24")}, "192.168.1.5 10.8.0.2"},
		{"a VPN by name", []Interface{face("tun0", "10.8.0.2/24"), face("wg1", "fd01::2/64"), face("wlan0", "192.168.1.5/24")}, "192.168.1.5 10.8.0.2 fd01::2"},
		{"a VPN before a LAN of IPv6", []Interface{face("tun0", "10.8.0.2/24"), face("eth0", "fd00::5/64")}, "fd00::5 10.8.0.2"},
		{"shared address space", []Interface{face("eth1", "100.101.102.103/10"), face("eth0", "10.0.0.5/24")}, "10.0.0.5 100.101.102.103"},
		{"a VPN alone", []Interface{loopback, tunnelled(face("tun0", "10.8.0.2/24"))}, "10.8.0.2"},
		{"containers", []Interface{face("docker0", "172.17.0.1/16"), face("br-0a1b2c", "172.18.0.1/16"), physical(face("eth0", "10.0.0.5/24"))}, "10.0.0.5"},
		{"only containers", []Interface{loopback, face("docker0", "172.17.0.1/16"), face("virbr0", "192.168.122.1/24")}, ""},
		{"veth alone", []Interface{loopback, face("veth0", "10.9.0.1/24")}, "10.9.0.1"},
		{"veth beside a LAN", []Interface{face("veth0", "10.9.0.1/24"), physical(face("eth0", "10.0.0.5/24"))}, "10.0.0.5 10.9.0.1"},
		{"a device before none", []Interface{face("br0", "10.1.0.1/24"), physical(face("wlan0", "192.168.1.5/24"))}, "192.168.1.5 10.1.0.1"},
		{"down", []Interface{down(face("eth0", "10.0.0.5/24")), face("wlan0", "192.168.1.5/24")}, "192.168.1.5"},
		{"a public address after private ones", []Interface{face("eth0", "203.0.113.5/24", "10.0.0.5/24")}, "10.0.0.5 203.0.113.5"},
		{"many", []Interface{face("eth0", "10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24", "10.0.0.4/24", "10.0.0.5/24")}, "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4"},
		{"twice", []Interface{face("eth0", "10.0.0.1/24"), face("eth1", "10.0.0.1/24")}, "10.0.0.1"},
	} {
		var got []string
		for _, a := range candidates(c.list) {
			got = append(got, a.String())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAdmits(t *testing.T) {
	list := []Interface{loopback, face("eth0", "2001:db8:1:1::5/64", "203.0.113.5/24")}
	for from, want := range map[string]bool{
		"127.0.0.1": true, "::1": true, "::ffff:127.0.0.1": true, "10.1.2.3": true, "172.16.0.1": true, "172.32.0.1": false,
		"192.168.3.4": true, "169.254.1.1": true, "fe80::1": true, "fe80::1%eth0": true, "fd12::1": true, "100.64.0.1": true,
		"100.128.0.1": false, "8.8.8.8": false, "203.0.113.9": false, "::ffff:8.8.8.8": false,
		"2001:db8:1:1::9": true, "2001:db8:1:2::9": false,
	} {
		if got := admits(list, netip.MustParseAddr(from)); got != want {
			t.Errorf("%s admitted: %v, want %v", from, got, want)
		}
	}
}
