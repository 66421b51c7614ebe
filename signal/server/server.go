// Package server is the rendezvous: it introduces the members of a meeting to each other and
// relays what they seal, over any number of nodes that share one NATS.
package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"parley/signal"
	"parley/signal/guest"
)

// Limits that are not part of the protocol.
const (
	defaultConnections = 10_000
	defaultRate        = 200     // sends a second of one member, on average
	defaultBurst       = 1024    // sends at once: offers and candidates for a full room
	meanBody           = 4 << 10 // bytes that the rate and the burst allow for a send
	frameRate          = 2000    // other frames a second
	joinTimeout        = 5 * time.Second
	writeTimeout       = 10 * time.Second
	ackDelay           = 250 * time.Millisecond // how long an acknowledgement waits for company,
	busyAckDelay       = time.Second            // and where something was written a moment ago
	farewellTimeout    = 2 * time.Second        // for the last frames of all connections
	handOverTimeout    = 5 * time.Second        // for members to move to other nodes when this one stops
)

// Config is what a node needs.
type Config struct {
	NATS           string       // URL of the NATS that the nodes share; empty: this node is alone
	Cluster        Cluster      // for an external NATS
	Log            *slog.Logger // nil: no log
	MaxConnections int          // 0: 10 000
	PerAddress     int          // connections of one address, on which its other budgets depend; 0: 200
	// TrustedProxies may say in X-Forwarded-For whose requests they pass on.
	TrustedProxies []netip.Prefix
	Rate           float64 // sends a second, of 4 KiB, that one member may make on average; 0: 200
	Burst          int     // sends, of 4 KiB, at once; 0: 1024
	// ICE names the STUN and TURN servers for a member, by any goroutine; nil: none. It is asked at each welcome, after
	// RenewICE, and again every ICERenewal, before the credentials expire.
	ICE        func(Guest) []signal.ICEServer
	ICERenewal time.Duration          // 0: never
	Collectors []prometheus.Collector // further figures for Metrics
	// Downloads are the packages of the app that the page at / offers; nil: none.
	Downloads fs.FS
	// Admit says whether a room may be joined, by any goroutine; nil: every room.
	Admit func(room string) bool
}

// Guest is a member as Config.ICE knows it.
type Guest struct {
	Room string
	ID   signal.ID
	Host string // how its request named this service: HOST or HOST:PORT, chosen by the client
}

// Server is one node of the rendezvous. It is an http.Handler; it serves members while Run runs.
type Server struct {
	cfg      Config
	log      *slog.Logger
	metrics  *metrics
	node     *node
	mux      *http.ServeMux
	upgrader websocket.Upgrader

	iceChanges atomic.Uint64 // see RenewICE

	mu      sync.Mutex
	started bool
	open    bool               // takes connections
	conns   map[*conn]*session // nil while it joins
	busy    sync.WaitGroup     // one for each connection
	ready   chan struct{}

	closing context.Context // ends when no member is served any more
	close   context.CancelFunc
}

// New makes a node. It starts nothing and reaches nothing.
func New(cfg Config) (*Server, error) {
	if cfg.MaxConnections < 0 || cfg.PerAddress < 0 || cfg.Rate < 0 || cfg.Burst < 0 {
		return nil, errors.New("configure the rendezvous: limits must not be negative")
	}
	if err := cfg.Cluster.check(cfg.NATS); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxConnections == 0 {
		cfg.MaxConnections = defaultConnections
	}
	if cfg.PerAddress == 0 {
		cfg.PerAddress = defaultPerAddress
	}
	if cfg.Rate == 0 {
		cfg.Rate = defaultRate
	}
	if cfg.Burst == 0 {
		cfg.Burst = defaultBurst
	}
	s := &Server{
		cfg: cfg, log: cfg.Log, conns: map[*conn]*session{}, ready: make(chan struct{}),
		upgrader: websocket.Upgrader{
			Subprotocols:     []string{signal.Subprotocol, signal.Subprotocol1},
			HandshakeTimeout: joinTimeout,
			ReadBufferSize:   1024,
			WriteBufferSize:  4096,
			WriteBufferPool:  &sync.Pool{}, // a connection that is silent holds none
		},
	}
	s.closing, s.close = context.WithCancel(context.Background())
	s.metrics = newMetrics()
	for _, c := range cfg.Collectors {
		if err := s.metrics.registry.Register(c); err != nil {
			return nil, fmt.Errorf("configure the rendezvous: %w", err)
		}
	}
	s.node = newNode(cfg.Log, s.metrics, newLedger(cfg.PerAddress, cfg.MaxConnections))
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("GET "+signal.SocketPath, s.serveSocket)
	s.mux.HandleFunc("GET /healthz", s.serveHealth)
	s.mux.Handle("GET /download/", http.StripPrefix("/download", guest.Downloads(cfg.Downloads)))
	s.mux.HandleFunc("GET /", guest.ServePage)
	return s, nil
}

// ServeHTTP serves the socket at /ws, health at /healthz, at / a page for people, and at /download/ the app.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Metrics serves the figures for Prometheus. They are for whoever runs the service, so they belong
// on a listener of their own.
func (s *Server) Metrics() http.Handler {
	return promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{})
}

// Alone tells whether there is no other node that members could go to.
func (s *Server) Alone() bool { return s.metrics.nodes.Load() == 0 }

// Ready is closed when the node takes members.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Run runs the node until ctx ends, and returns nil when every connection has ended. Members
// are told to connect elsewhere first. Starting to reach NATS may fail; later on, a NATS that is
// gone is waited for. A server runs once.
func (s *Server) Run(ctx context.Context) error {
	s.mu.Lock()
	again := s.started
	s.started = true
	s.mu.Unlock()
	if again {
		return errors.New("run the rendezvous: it has run already")
	}
	if err := s.node.start(ctx, s.cfg.NATS, s.cfg.Cluster); err != nil {
		s.close()
		return err
	}
	s.mu.Lock()
	s.open = true
	s.mu.Unlock()
	close(s.ready)
	s.log.Info("rendezvous ready", "node", s.node.name, "nats", s.cfg.NATS != "")
	s.keepAlive(ctx)
	s.shutDown()
	return nil
}

// shutDown ends every connection, then the node.
func (s *Server) shutDown() {
	s.mu.Lock()
	s.open = false
	s.mu.Unlock()
	s.log.Info("rendezvous stops", "members", s.node.members())
	s.node.dismiss()
	s.close()
	hard := time.AfterFunc(farewellTimeout, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.conns {
			_ = c.ws.Close()
		}
	})
	s.busy.Wait()
	hard.Stop()
	s.node.stop()
}

// enter counts a connection in, or says why it cannot be taken.
func (s *Server) enter(r *http.Request) (v *visit, refusal string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open {
		return nil, stopped
	}
	if v, refusal = s.node.ledger.arrive(s.clientAddr(r)); refusal != "" {
		return nil, refusal
	}
	s.metrics.open.Add(1)
	s.busy.Add(1)
	return v, ""
}

// exit counts a connection out; c is nil when it did not become one.
func (s *Server) exit(c *conn, v *visit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	v.gone()
	s.metrics.open.Add(-1)
	s.busy.Done()
}

// track notes a connection, and which session it is for once that is known.
func (s *Server) track(c *conn, sess *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = sess
}

// keepAlive looks through the connections until ctx ends: it has acknowledgements written that are
// still owed, and asks those for a sign of life to which nothing has been written for a heartbeat.
// One goroutine does so for all of them, where a timer for each would cost more than it brings.
func (s *Server) keepAlive(ctx context.Context) {
	tick := time.NewTicker(ackDelay)
	defer tick.Stop()
	type live struct {
		conn *conn
		sess *session
	}
	var all []live
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.mu.Lock()
			for c, sess := range s.conns {
				if sess != nil {
					all = append(all, live{c, sess})
				}
			}
			s.mu.Unlock()
			for _, l := range all {
				if l.sess.remind(l.conn, now) {
					l.conn.flush(l.sess)
				}
			}
			clear(all)
			all = all[:0]
		}
	}
}

// serveHealth answers 200 when members can be served, 503 otherwise.
func (s *Server) serveHealth(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	open := s.open
	s.mu.Unlock()
	if !open || !s.node.connected() {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}
