package portmap

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/signal/host/pmptest"
)

var outside = netip.MustParseAddr("5.0.0.10")

// stopped is the clock of a router that has just started.
func stopped() uint32 { return 1 }

// TestPCP maps and gives back: with one nonce, for our own address, and NAT-PMP is not asked.
func TestPCP(t *testing.T) {
	at := netip.MustParseAddr("127.79.0.1")
	var mu sync.Mutex
	var asked [][]byte
	honest := pmptest.PCP{Outside: outside, Clock: stopped}
	pmptest.ServeAll(t, at, func(q []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, slices.Clone(q))
		return honest.Answer(q)
	})
	ctx, cancel := context.WithCancel(t.Context())
	var got netip.AddrPort
	pmpMapper(at).Keep(ctx, Port{Protocol: UDP, Number: 8443}, func(a netip.AddrPort) { got = a; cancel() })
	if got.String() != "5.0.0.10:8443" {
		t.Errorf("mapped to %s", got)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(asked) != 2 {
		t.Fatalf("the router was asked %d times", len(asked))
	}
	for i, lifetime := range []uint32{uint32(lease / time.Second), 0} {
		q := asked[i]
		if len(q) != 60 || q[0] != 2 || q[1] != 1 || netip.AddrFrom16([16]byte(q[8:24])).Unmap() != loopback || q[36] != 17 {
			t.Errorf("question %d is % x", i, q)
		}
		if got := binary.BigEndian.Uint32(q[4:]); got != lifetime {
			t.Errorf("question %d asks for %d s", i, got)
		}
	}
	if [12]byte(asked[0][24:]) != [12]byte(asked[1][24:]) || [12]byte(asked[0][24:]) == [12]byte{} {
		t.Errorf("the nonces are % x and % x", asked[0][24:36], asked[1][24:36])
	}
}

// pcpLies are answers of routers that lie or break: each changes an honest one.
var pcpLies = map[string]func(a []byte) []byte{
	"silence":            func([]byte) []byte { return nil },
	"wrong nonce":        func(a []byte) []byte { a[24] ^= 1; return a },
	"other protocol":     func(a []byte) []byte { a[36] = 17; return a },
	"other port of ours": func(a []byte) []byte { a[41] ^= 1; return a },
	"short":              func(a []byte) []byte { return a[:56] },
	"a header alone":     func(a []byte) []byte { return a[:24] },
	"a byte":             func(a []byte) []byte { return a[:1] },
	"odd":                func(a []byte) []byte { return append(a, 0) },
	"too long":           func(a []byte) []byte { return append(a, make([]byte, 1200)...) },
	"a question":         func(a []byte) []byte { a[1] &^= 128; return a },
	"other opcode":       func(a []byte) []byte { a[1] = 128 | 2; return a },
	"version 1":          func(a []byte) []byte { a[0] = 1; return a },
	"version 3":          func(a []byte) []byte { a[0] = 3; return a },
	"NAT-PMP":            func([]byte) []byte { return []byte{0, 129, 0, 1, 0, 0, 0, 0} },
	"rubbish":            func([]byte) []byte { return []byte(strings.Repeat("x", 64)) },
	"port 0":             func(a []byte) []byte { a[42], a[43] = 0, 0; return a },
	"lifetime 0":         func(a []byte) []byte { clear(a[4:8]); return a },
	"no address":         func(a []byte) []byte { clear(a[44:60]); return a },
	"private":            address("192.168.7.7"),
	"a provider's NAT":   address("100.64.0.9"),
	"loopback":           address("127.0.0.1"),
	"IPv6":               address("2a0a::1"),
	"UNSUPP_VERSION":     code(1),
	"NOT_AUTHORIZED":     code(2),
	"NETWORK_FAILURE":    code(7),
	"USER_EX_QUOTA":      code(10),
	"ADDRESS_MISMATCH":   code(12),
	"an unknown code":    code(255),
	"a code, and short":  func(a []byte) []byte { a[3] = 3; return a[:24] },
}

func address(text string) func(a []byte) []byte {
	as16 := netip.MustParseAddr(text).As16()
	return func(a []byte) []byte { copy(a[44:], as16[:]); return a }
}

func code(c byte) func(a []byte) []byte {
	return func(a []byte) []byte { a[3] = c; return a }
}

// TestPCPLies: whatever a router says, it is over within seconds, nobody is told that the link works from anywhere, and
// what was not usable is given back.
func TestPCPLies(t *testing.T) {
	i := byte(0)
	for name, lie := range pcpLies {
		i++
		at := netip.AddrFrom4([4]byte{127, 79, 1, i})
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			held := false
			honest := pmptest.PCP{Outside: outside, Clock: stopped}
			pmptest.ServeAll(t, at, func(q []byte) []byte {
				if q[0] != 2 {
					return []byte{0, q[1] | 128, 0, 2, 0, 0, 0, 0}
				}
				mu.Lock()
				held = binary.BigEndian.Uint32(q[4:]) > 0
				mu.Unlock()
				return lie(honest.Answer(q))
			})
			ctx, cancel := context.WithTimeout(t.Context(), 2*roundLimit)
			defer cancel()
			found, err := pmpMapper(at).renew(ctx, web, nil)
			if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "PCP: ") {
				t.Errorf("believed: %+v, %v, %v", found, err, ctx.Err())
			}
			mu.Lock()
			defer mu.Unlock()
			granted := map[string]bool{"port 0": true, "lifetime 0": true, "no address": true, "private": true, "a provider's NAT": true, "loopback": true, "IPv6": true}
			if granted[name] && held {
				t.Error("the router keeps a mapping that we do not use")
			}
		})
	}
}

// TestPCPFlood: answers that do not fit do not keep the one that does from being found, however many come first.
func TestPCPFlood(t *testing.T) {
	at := netip.MustParseAddr("127.79.0.2")
	honest := pmptest.PCP{Outside: outside, Clock: stopped}
	n := 0
	pmptest.ServeAll(t, at, func(q []byte) []byte {
		if n++; n < 3 {
			return pcpLies["wrong nonce"](honest.Answer(q))
		}
		return honest.Answer(q)
	})
	if found, err := pmpMapper(at).renew(t.Context(), web, nil); err != nil || found.external.Addr() != outside {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestOrder: PCP comes first, then NAT-PMP; who granted a mapping is asked first to renew it.
func TestOrder(t *testing.T) {
	at := netip.MustParseAddr("127.79.0.3")
	var mu sync.Mutex
	var asked []byte
	honest := pmpAnswers(outside, 8443, 60)
	pmptest.ServeAll(t, at, func(q []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, q[0])
		if q[0] == 2 {
			return []byte{0, q[1] | 128, 0, 1, 0, 0, 0, 0}
		}
		return honest(q)
	})
	m := pmpMapper(at)
	first, err := m.renew(t.Context(), web, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = m.renew(t.Context(), web, first); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if want := []byte{2, 0, 0, 0, 0}; !slices.Equal(asked, want) {
		t.Errorf("asked by the versions %v, want %v", asked, want)
	}
}

// TestPinhole: a firewall opens our own IPv6 address, and no other is believed.
func TestPinhole(t *testing.T) {
	at := netip.IPv6Loopback() // the only one that a machine surely has, so one router serves all rows
	var mu sync.Mutex
	lie := func(a []byte) []byte { return a }
	honest := pmptest.PCP{Clock: stopped}
	pmptest.ServeAll(t, at, func(q []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		return lie(honest.Answer(q))
	})
	hole := Port{Protocol: TCP, Number: 8443, IPv6: true}
	for name, c := range map[string]struct {
		lie  func(a []byte) []byte
		want error
	}{
		"honest":          {func(a []byte) []byte { return a }, nil},
		"another address": {address("2a0a::99"), errOther},
		"IPv4":            {address("5.0.0.10"), errOther},
		"another port":    {func(a []byte) []byte { a[43] ^= 1; return a }, errPort},
		"lifetime 0":      {pcpLies["lifetime 0"], errTime},
		"refuses":         {code(2), pcpRefusal(2)},
		"wrong nonce":     {pcpLies["wrong nonce"], errSilent},
	} {
		t.Run(name, func(t *testing.T) {
			mu.Lock()
			lie = c.lie
			mu.Unlock()
			g, err := pcp{at, at, newNonce()}.add(t.Context(), hole, netip.AddrPortFrom(netip.Addr{}, hole.Number))
			if !errors.Is(err, c.want) || err == nil && g.external != netip.AddrPortFrom(at, 8443) {
				t.Errorf("%+v, %v, want %v", g, err, c.want)
			}
		})
	}
	for name, own := range map[string]string{"unique local": "fd00::2", "link-local": "fe80::2", "documentation": "2001:db8::2", "IPv4": "5.0.0.10"} {
		m := pmpMapper(at)
		m.Gateway = func(bool) (netip.Addr, netip.Addr, error) { return at, netip.MustParseAddr(own), nil }
		if _, err := m.renew(t.Context(), hole, nil); !errors.Is(err, errNoIPv6) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEpoch has the rules of RFC 6887, section 8.5.
func TestEpoch(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	for name, c := range map[string]struct {
		before, after uint32
		passed        time.Duration
		lost          bool
	}{
		"at our speed":             {100, 160, time.Minute, false},
		"a second back":            {100, 99, 0, false},
		"two back":                 {100, 98, 0, true},
		"started anew":             {100, 3, time.Minute, true},
		"started anew, long since": {100, 130, 2 * time.Minute, true},
		"a little slow":            {100, 156, time.Minute, false},
		"a little fast":            {100, 164, time.Minute, false},
		"stands still":             {100, 100, time.Minute, true},
		"runs ahead":               {100, 1000, time.Minute, true},
		"runs over":                {1<<32 - 1, 59, time.Minute, true},
	} {
		e := epoch{c.before, start}
		if err := e.follow(c.after, start.Add(c.passed)); errors.Is(err, errLost) != c.lost {
			t.Errorf("%s: %v", name, err)
		}
		if e != (epoch{c.after, start.Add(c.passed)}) {
			t.Errorf("%s: it goes on from %v", name, e)
		}
	}
	var unknown epoch
	if err := unknown.follow(5, start); err != nil {
		t.Errorf("the first time of all: %v", err)
	}
}
