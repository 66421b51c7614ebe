package turn

import (
	"net"
	"net/netip"
	"slices"
	"testing"
)

func TestServersAreWhereTheMemberIs(t *testing.T) {
	both := func(at string, more ...string) []string {
		return append([]string{"turn:" + at + "?transport=udp", "turn:" + at + "?transport=tcp"}, more...)
	}
	plain, secure := Place{Port: 3478, Web: 8443}, Place{Port: 3478, Web: 443, TLS: true}
	named := Place{Host: "turn.example", Port: 5000, Web: 8443}
	for _, c := range []struct {
		place   Place
		request string
		want    []string
	}{
		{plain, "meet.example:8443", both("meet.example:3478", "turn:meet.example:8443?transport=tcp")},
		{plain, "192.0.2.1:8443", both("192.0.2.1:3478", "turn:192.0.2.1:8443?transport=tcp")},
		{plain, "[2001:db8::1]:8443", both("[2001:db8::1]:3478", "turn:[2001:db8::1]:8443?transport=tcp")},
		{plain, "meet.example", both("meet.example:3478")}, // a proxy has another port
		{plain, "meet.example:9000", both("meet.example:3478")},
		{secure, "meet.example", both("meet.example:3478", "turns:meet.example:443?transport=tcp")},
		{secure, "[2001:db8::1]", both("[2001:db8::1]:3478", "turns:[2001:db8::1]:443?transport=tcp")},
		{Place{Port: 3478}, "meet.example:8443", both("meet.example:3478")},
		{named, "meet.example:8443", both("turn.example:5000", "turn:turn.example:8443?transport=tcp")},
		{plain, "", nil},
		{plain, "a b:8443", nil},
		{plain, "a?x:8443", nil},
		{plain, "user@host:8443", nil},
		{plain, "[fe80::1%eth0]:8443", nil},
	} {
		var got []string
		for _, s := range c.place.Servers(Credentials{"hush"}, c.request, testRoom, alice) {
			got = append(got, s.URLs...)
			if s.Credential == "" || s.TTL == 0 {
				t.Errorf("%q: no credential", c.request)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.request, got, c.want)
		}
		if len(got) > 0 {
			if _, err := ParseURLs(got[0]); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestParseURLs(t *testing.T) {
	got, err := ParseURLs("stun:a.example, turn:a.example:3478?transport=tcp,turns:[2001:db8::1]:5349")
	if err != nil || len(got) != 3 || got[1] != "turn:a.example:3478?transport=tcp" {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{"", "a.example", "https://a.example", "turn:", "turn:a:b", "turn:u@a.example", "stun:a,,"} {
		if got, err := ParseURLs(bad); err == nil {
			t.Errorf("%q is taken for %q", bad, got)
		}
	}
}

func TestFindRelays(t *testing.T) {
	ip := netip.MustParseAddr
	if got, err := FindRelays([]netip.Addr{loopback}); err != nil || !slices.Equal(got, []Relay{{loopback, loopback}}) {
		t.Errorf("own address: %v, %v", got, err)
	}
	if got, err := FindRelays([]netip.Addr{loopback, ip("::1")}); err != nil || len(got) != 2 {
		t.Errorf("both: %v, %v", got, err)
	}
	if got, err := FindRelays([]netip.Addr{loopback, ip("127.0.0.2")}); err == nil {
		t.Errorf("two of IPv4: %v", got)
	}
	// A machine without a way out, as in a test, says so; another one finds its address.
	got, err := FindRelays([]netip.Addr{ip("8.8.8.8")})
	if own := towardsInternet(true); own.IsValid() {
		if err != nil || !slices.Equal(got, []Relay{{ip("8.8.8.8"), own}}) {
			t.Errorf("behind a NAT: %v, %v", got, err)
		}
	} else if err == nil {
		t.Errorf("found %v", got)
	}
	if own, _ := net.InterfaceAddrs(); has(own, ip("8.8.8.8")) {
		t.Error("8.8.8.8 is ours")
	}
}
