package portmap

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/signal/host/pmptest"
)

// restarting is a router that loses its mappings.
type restarting struct {
	mu     sync.Mutex
	clock  uint32
	mapped int  // questions for a mapping
	broken bool // it maps nothing any more
	onMap  func()
}

func (r *restarting) now() uint32 { return r.clock }

// follow keeps a port mapped until the router has been asked for it enough times, and returns what was told.
func (r *restarting) follow(t *testing.T, m *Mapper, enough int) string {
	t.Helper()
	m.interval, m.retry = 10*time.Millisecond, 10*time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var told []string
	r.mu.Lock()
	r.onMap = func() {
		if r.mapped >= enough {
			cancel()
		}
	}
	r.mu.Unlock()
	m.Keep(ctx, web, func(a netip.AddrPort) {
		told = append(told, a.String())
		r.mu.Lock()
		defer r.mu.Unlock()
		if a.IsValid() {
			r.clock = 0 // it restarts
		} else {
			r.broken = false // and is repaired
		}
	})
	if context.Cause(ctx) != context.Canceled {
		t.Fatalf("asked for a mapping %d times, want %d; told %s", r.mapped, enough, told)
	}
	return strings.Join(told, ", ")
}

// asked notes a question for a mapping. r.mu is held.
func (r *restarting) asked() {
	r.mapped++
	r.onMap()
}

func (r *restarting) pcp(q []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q[0] != 2 {
		return []byte{0, q[1] | 128, 0, 2, 0, 0, 0, 0}
	}
	maps := len(q) == 60 && q[6]|q[7] != 0
	if maps {
		r.clock = 1000
		r.asked()
	}
	a := pmptest.PCP{Outside: outside, Clock: r.now}.Answer(q)
	if maps && r.broken {
		a[3] = 8
	}
	return a
}

func (r *restarting) pmp(q []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := pmpAnswers(outside, 8443, 1200)(q)
	if len(q) == 12 && q[10]|q[11] != 0 {
		if r.broken {
			a[3] = 4
		}
		r.clock = 1000
		r.asked()
	}
	a[6], a[7] = byte(r.clock>>8), byte(r.clock)
	return a
}

// TestLost: a router whose clock fell back has lost its mappings. It is asked again at once, long before the lease ends; and
// if it refuses, the link is no longer said to work from anywhere, until it does again.
func TestLost(t *testing.T) {
	for i, c := range []struct {
		name   string
		answer func(r *restarting) func([]byte) []byte
	}{
		{"PCP", func(r *restarting) func([]byte) []byte { return r.pcp }},
		{"NAT-PMP", func(r *restarting) func([]byte) []byte { return func(q []byte) []byte { return refusing(q, r.pmp) } }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := &restarting{}
			at := netip.AddrFrom4([4]byte{127, 79, 2, byte(2*i + 1)})
			pmptest.ServeAll(t, at, c.answer(r))
			if told := r.follow(t, pmpMapper(at), 2); told != "5.0.0.10:8443" {
				t.Errorf("told %s", told)
			}
			r = &restarting{}
			at = netip.AddrFrom4([4]byte{127, 79, 2, byte(2*i + 2)})
			pmptest.ServeAll(t, at, c.answer(r))
			first := true
			m := pmpMapper(at)
			m.Gateway = func(bool) (netip.Addr, netip.Addr, error) {
				r.mu.Lock()
				defer r.mu.Unlock()
				if r.mapped == 1 && first {
					first, r.broken = false, true
				}
				return at, loopback, nil
			}
			if told := r.follow(t, m, 3); !strings.HasPrefix(told, "5.0.0.10:8443, invalid AddrPort") {
				t.Errorf("told %s", told)
			}
		})
	}
}

func refusing(q []byte, pmp func([]byte) []byte) []byte {
	if q[0] != 0 {
		return []byte{0, q[1] | 128, 0, 1, 0, 0, 0, 0}
	}
	return pmp(q)
}

// TestUPnPLost: UPnP has no clock, but a list.
func TestUPnPLost(t *testing.T) {
	r := newRouter(t)
	m := r.mapper()
	m.interval, m.retry = 10*time.Millisecond, 10*time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var told []string
	m.Keep(ctx, web, func(a netip.AddrPort) {
		told = append(told, a.String())
		r.mu.Lock()
		defer r.mu.Unlock()
		switch len(told) {
		case 1:
			r.list = "714" // it lists the mapping no longer, and new ones neither
		case 2:
			r.list = "" // and again
		case 3:
			r.outside = "5.0.0.11" // its provider gives it another address
		case 4:
			cancel()
		}
	})
	if s := strings.Join(told, ", "); s != "5.0.0.10:8443, invalid AddrPort, 5.0.0.10:8443, 5.0.0.11:8443" {
		t.Errorf("told %s", s)
	}
}

// TestSilent: a router that says nothing any more is believed in for a while, and not until the lease ends.
func TestSilent(t *testing.T) {
	at := netip.MustParseAddr("127.79.2.9")
	m := pmpMapper(at)
	now := &mapping{device: pcp{at, loopback, newNonce()}, router: at, own: loopback, port: web, until: time.Now().Add(lease)}
	now.lifetime = lease
	m.interval = time.Millisecond
	if !m.rest(t.Context(), now, nil) {
		t.Fatal("over")
	}
	if left := time.Until(now.until); left > silentFor || left < silentFor/2 {
		t.Errorf("it is believed in for %v more", left)
	}
}
