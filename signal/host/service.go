package host

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"golang.org/x/sync/errgroup"

	"parley/signal/server"
)

// maxConnections is how many connections the service accepts at once. A meeting has a few dozen members.
const maxConnections = 200

// roomPath is where another Parley of this machine learns whether a room is hosted here.
const roomPath = "/hosted/"

// service is a rendezvous on one port, for the rooms that were opened here. It ends when no room is held and nobody
// is connected.
type service struct {
	port     int
	listener *gate
	server   *server.Server
	ctx      context.Context
	cancel   context.CancelFunc
	done     chan struct{} // closed when the port is free

	mu    sync.Mutex
	held  int            // holds: one for each open meeting, and for each that is being opened
	rooms map[string]int // the holds of each room that may be joined
	conns int
	over  bool
}

func newService(ctx context.Context, l net.Listener, interfaces func() ([]Interface, error), log *slog.Logger) (*service, error) {
	s := &service{
		port: l.Addr().(*net.TCPAddr).Port, done: make(chan struct{}),
		held: 1, rooms: map[string]int{},
	}
	srv, err := server.New(server.Config{Log: log, MaxConnections: maxConnections, Admit: s.admits})
	if err != nil {
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.server, s.listener = srv, &gate{Listener: l, service: s, interfaces: interfaces}
	return s, nil
}

// run serves until the service is over.
func (s *service) run() error {
	defer close(s.done)
	defer s.cancel()
	defer s.end()
	mux := http.NewServeMux()
	mux.Handle("/", s.server)
	mux.HandleFunc("GET "+roomPath+"{room}", s.tell)
	g, ctx := errgroup.WithContext(s.ctx)
	g.Go(func() error { return s.server.Run(ctx) })
	g.Go(func() error {
		select { // earlier connections wait
		case <-s.server.Ready():
		case <-ctx.Done():
		}
		return Serve(ctx, s.listener, mux)
	})
	return g.Wait()
}

func (s *service) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
}

// hold keeps the service for a meeting that is about to be opened, unless it is over.
func (s *service) hold() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.ctx.Err() != nil {
		return false
	}
	s.held++
	return true
}

// open admits a room. The caller holds the service already.
func (s *service) open(room string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rooms[room]++
}

// close releases one hold, of a room or of none. Members who are in the room may stay.
func (s *service) close(room string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if room != "" {
		if s.rooms[room] == 0 {
			return // closed already
		}
		s.rooms[room]--
	}
	s.held--
	s.endIfIdle()
}

// endIfIdle ends the service when nobody needs it. s.mu is held.
func (s *service) endIfIdle() {
	if s.held == 0 && s.conns == 0 && !s.over {
		s.over = true
		s.cancel()
	}
}

// admits reports whether a room may be joined: this app must have opened it.
func (s *service) admits(room string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.rooms[room]
	return ok
}

// tell answers another program of this machine that asks whether a room is hosted here.
func (s *service) tell(w http.ResponseWriter, r *http.Request) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	s.mu.Lock()
	held := s.rooms[r.PathValue("room")] > 0
	s.mu.Unlock()
	if err != nil || !from.Addr().Unmap().IsLoopback() || !held {
		http.NotFound(w, r)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// gate accepts connections from this machine and its networks, at most maxConnections at a time. Others are closed
// at once.
type gate struct {
	net.Listener
	service    *service
	interfaces func() ([]Interface, error)
}

// Accept waits for the next connection that may enter.
func (g *gate) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if g.enter(c) {
			return &counted{Conn: c, service: g.service}, nil
		}
		c.Close()
	}
}

func (g *gate) enter(c net.Conn) bool {
	from, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return false
	}
	if !admits(nil, from.Addr()) {
		list, err := g.interfaces() // the networks that we are on may have changed
		if err != nil || !admits(list, from.Addr()) {
			return false
		}
	}
	s := g.service
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.conns >= maxConnections {
		return false
	}
	s.conns++
	return true
}

// counted is a connection that the service counts until it is closed.
type counted struct {
	net.Conn
	service *service
	once    sync.Once
}

func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		s := c.service
		s.mu.Lock()
		defer s.mu.Unlock()
		s.conns--
		s.endIfIdle()
	})
	return err
}
