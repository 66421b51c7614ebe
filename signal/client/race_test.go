package client

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"parley/signal"
)

// world is a network inside the process: what listens at an address, and who was dialled when.
type world struct {
	mu      sync.Mutex
	hosts   map[string]*pipes // by HOST:PORT; nil: packets vanish; not there: refused
	dialled []string
	joins   []uint64 // the numbers of the connections that joined, in order
	began   time.Time
}

func (w *world) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	w.mu.Lock()
	p, ok := w.hosts[addr]
	w.dialled = append(w.dialled, addr)
	w.mu.Unlock()
	switch {
	case !ok:
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("refused")}
	case p == nil:
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return p.dial(ctx, network, addr)
}

// service is a rendezvous that welcomes after a delay; silent, it never does.
func (w *world) service(t *testing.T, delay time.Duration, silent bool) *pipes {
	p := newPipes()
	s := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{Subprotocols: []string{signal.Subprotocol}}
		conn, err := up.Upgrade(rw, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		challenge(conn)
		_, text, err := conn.ReadMessage()
		if err != nil {
			return
		}
		f, _ := signal.Decode(text)
		w.mu.Lock()
		w.joins = append(w.joins, f.(signal.Join).Try)
		w.mu.Unlock()
		if !silent {
			time.Sleep(delay)
			welcome := signal.Welcome{Version: signal.Version, Session: strings.Repeat("s", 16)}
			_ = conn.WriteMessage(websocket.TextMessage, signal.Encode(welcome))
		}
		for err == nil {
			_, _, err = conn.ReadMessage()
		}
	})}
	go func() { _ = s.Serve(p) }()
	t.Cleanup(func() {
		_ = s.Close()
		time.Sleep(time.Second) // the bubble's clock: lets the handlers see it
	})
	return p
}

// meet runs a client until it is connected, and says after how long.
func (w *world) meet(t *testing.T, hosts ...string) time.Duration {
	t.Helper()
	connected := make(chan struct{}, 1)
	cfg := config("", func(ev Event) {
		if _, ok := ev.(Connected); ok {
			connected <- struct{}{}
		}
	})
	cfg.URLs = nil
	for _, h := range hosts {
		cfg.URLs = append(cfg.URLs, "ws://"+h+"/ws")
	}
	cfg.Dial = w.dial
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	w.began = time.Now()
	go func() { result <- New(cfg).Run(ctx) }()
	select {
	case <-connected:
	case err := <-result:
		t.Fatalf("run: %v", err)
	case <-time.After(time.Minute):
		t.Error("not connected within a minute")
	}
	took := time.Since(w.began)
	cancel()
	if err := <-result; err != nil {
		t.Errorf("run: %v", err)
	}
	return took
}

// A rendezvous is found at whichever of its addresses can be reached, without waiting for the
// others to time out.
func TestEveryAddressIsTried(t *testing.T) {
	const silent = "silent"
	for name, c := range map[string]struct {
		others map[string]string // what the others are: "" loses packets
		urls   []string
		took   time.Duration
	}{
		"the first":                    {nil, []string{"good:1", "b:1"}, 0},
		"first refused":                {nil, []string{"a:1", "good:1"}, 0},
		"first lost":                   {map[string]string{"a:1": ""}, []string{"a:1", "good:1"}, stagger},
		"first says nothing over TCP":  {map[string]string{"a:1": "mute"}, []string{"a:1", "good:1"}, stagger},
		"first upgrades and is silent": {map[string]string{"a:1": silent}, []string{"a:1", "good:1"}, joinPatience},
		"all lost but the last": {
			map[string]string{"a:1": "", "b:1": "", "[fd00::5]:1": ""},
			[]string{"a:1", "b:1", "[fd00::5]:1", "good:1"},
			3 * stagger,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{}
				w.hosts = map[string]*pipes{"good:1": w.service(t, 0, false)}
				for host, kind := range c.others {
					switch kind {
					case silent:
						w.hosts[host] = w.service(t, 0, true)
					case "mute":
						w.hosts[host] = newPipes()
					default:
						w.hosts[host] = nil
					}
				}
				if took := w.meet(t, c.urls...); took != c.took {
					t.Errorf("connected after %v, want %v", took, c.took)
				}
			})
		})
	}
}

// Two ways to one service: only one connection joins, for a second would take the
// membership from the first.
func TestOneOfManyJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		s := w.service(t, joinPatience*3/4, false)
		w.hosts = map[string]*pipes{"a:1": s, "b:1": s, "c:1": s}
		if took := w.meet(t, "a:1", "b:1", "c:1"); took != joinPatience*3/4 {
			t.Errorf("connected after %v", took)
		}
		if !slices.Equal(w.joins, []uint64{1}) {
			t.Errorf("joined %v", w.joins)
		}
	})
}

// After a loss the address that worked is tried first, then the others.
func TestTheLastGoodAddressComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		w.hosts = map[string]*pipes{"b:1": w.service(t, 0, false)}
		events := make(chan Event, 100)
		cfg := config("", func(ev Event) { events <- ev })
		cfg.URLs = []string{"ws://a:1/ws", "ws://b:1/ws", "ws://c:1/ws"}
		cfg.Dial = w.dial
		c := New(cfg)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- c.Run(ctx) }()
		if _, ok := (<-events).(Connected); !ok {
			t.Error("not connected at first")
		}
		w.mu.Lock()
		w.dialled, w.hosts["c:1"] = nil, w.hosts["b:1"]
		delete(w.hosts, "b:1")
		w.mu.Unlock()
		c.Kick()
		for {
			if _, ok := (<-events).(Connected); ok {
				break
			}
		}
		if want := []string{"b:1", "a:1", "c:1"}; !slices.Equal(w.dialled, want) {
			t.Errorf("dialled %v, want %v", w.dialled, want)
		}
		cancel()
		if err := <-result; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}
