package client

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"parley/signal"
)

// pipes is a listener inside the process: what dial gives one end of, Accept gives the other.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { close(p.done); return nil }

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A service that says nothing any more is taken for gone after signal.Silence, not before, and it
// has got a ping every signal.Heartbeat until then. One that pings is kept.
func TestSilentServerIsNoticed(t *testing.T) {
	for name, lively := range map[string]bool{"silent": false, "lively": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var pings atomic.Int64
				p := newPipes()
				s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					serveHeartbeats(w, r, lively, &pings)
				})}
				go func() { _ = s.Serve(p) }()
				lost := make(chan error, 1)
				cfg := config("ws://parley.test/ws", func(ev Event) {
					if d, ok := ev.(Disconnected); ok {
						select {
						case lost <- d.Err:
						default:
						}
					}
				})
				cfg.Dial = p.dial
				c := New(cfg)
				ctx, cancel := context.WithCancel(t.Context())
				result := make(chan error, 1)
				began := time.Now()
				go func() { result <- c.Run(ctx) }()
				select {
				case err := <-lost:
					if lively || !errors.Is(err, errSilent) || time.Since(began) != signal.Silence || pings.Load() != 2 {
						t.Errorf("lost after %v and %d pings: %v", time.Since(began), pings.Load(), err)
					}
				case <-time.After(time.Minute):
					if !lively {
						t.Error("a silent service is not noticed")
					}
				}
				cancel()
				if err := <-result; err != nil {
					t.Errorf("run: %v", err)
				}
				_ = s.Close()
				time.Sleep(time.Second) // the bubble's clock: lets the handler see it
			})
		})
	}
}

// serveHeartbeats welcomes a client and counts its pings; it answers only when it is lively.
func serveHeartbeats(w http.ResponseWriter, r *http.Request, lively bool, pings *atomic.Int64) {
	up := websocket.Upgrader{Subprotocols: []string{signal.Subprotocol}}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	challenge(conn)
	if _, _, err := conn.ReadMessage(); err != nil { // the join
		return
	}
	welcome := signal.Welcome{Version: signal.Version, Session: strings.Repeat("s", 16)}
	_ = conn.WriteMessage(websocket.TextMessage, signal.Encode(welcome))
	for {
		_, text, err := conn.ReadMessage()
		if err != nil {
			return
		}
		f, _ := signal.Decode(text)
		if _, ping := f.(signal.Ping); ping {
			pings.Add(1)
			if lively {
				_ = conn.WriteMessage(websocket.TextMessage, signal.Encode(signal.Pong{}))
			}
		}
	}
}

// Attempts that fail are repeated after at most 200 ms, twice that, and so on up to 5 s.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var retries []time.Duration
		ctx, cancel := context.WithCancel(t.Context())
		cfg := config("ws://parley.test/ws", func(ev Event) {
			retries = append(retries, ev.(Disconnected).Retry)
			if len(retries) == 200 {
				cancel()
			}
		})
		cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no route")}
		}
		began := time.Now()
		if err := New(cfg).Run(ctx); err != nil {
			t.Fatal(err)
		}
		var sum, longest time.Duration
		for i, d := range retries {
			if limit := min(backoffCap, backoffBase<<min(i, 10)); d >= limit {
				t.Errorf("retry %d after %v, want less than %v", i, d, limit)
			}
			longest = max(longest, d)
			sum += d
		}
		if mean := sum / 200; mean < backoffCap/3 || longest < backoffCap*3/4 {
			t.Errorf("no full jitter: mean %v, longest %v", mean, longest)
		}
		if waited := time.Since(began); waited != sum-retries[199] {
			t.Errorf("waited %v in all, said %v", waited, sum-retries[199])
		}
	})
}
