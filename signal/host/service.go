package host

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"parley/signal/host/portmap"
	"parley/signal/server"
	"parley/signal/turn"
)

// Limits of connections at once. A meeting has a few dozen members. Who comes from the internet leaves room for this
// machine and its network.
const (
	maxConnections = 200
	maxOutside     = 100 // from the internet
	maxOfOutsider  = 16  // from one of its addresses
)

// roomPath is where another Parley of this machine learns whether a room is hosted here.
const roomPath = "/hosted/"

// service is a rendezvous on one port, for the rooms that were opened here. It ends when no room is held and nobody
// is connected.
type service struct {
	port     int
	listener *gate
	server   *server.Server
	outside  *outside // nil: the router is not asked
	log      *slog.Logger
	ctx      context.Context
	cancel   context.CancelFunc
	done     chan struct{} // closed when the port is free

	mu        sync.Mutex
	held      int                // holds: one for each open meeting, and for each that is being opened
	rooms     map[string]int     // the holds of each room that may be joined
	watchers  map[string]watcher // by room: who wants to know of reached
	conns     int
	reached   reached
	outsiders map[netip.Addr]int // connections from there
	over      bool
}

// watcher is told where the internet reaches the service.
type watcher func(now reached)

func newService(ctx context.Context, l net.Listener, interfaces func() ([]Interface, error), mapper *portmap.Mapper, log *slog.Logger) (*service, error) {
	s := &service{
		port: l.Addr().(*net.TCPAddr).Port, done: make(chan struct{}), log: log,
		held: 1, rooms: map[string]int{}, watchers: map[string]watcher{}, outsiders: map[netip.Addr]int{},
	}
	cfg := server.Config{Log: log, MaxConnections: maxConnections, Admit: s.admits}
	if mapper != nil {
		var err error
		if s.outside, err = newOutside(mapper, s.port, s.reach); err != nil {
			log.Warn("the meeting is hosted for this network alone", "err", err)
		} else {
			cfg.ICE, cfg.ICERenewal = s.outside.servers, turn.Renewal
		}
	}
	srv, err := server.New(cfg)
	if err != nil {
		if s.outside != nil {
			s.outside.relay.Close()
		}
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
	if s.outside != nil {
		g.Go(func() error {
			if err := s.outside.run(ctx); err != nil { // this network's meetings go on
				s.log.Error("the relay of this machine has failed", "err", err)
				s.reach(reached{})
			}
			return nil
		})
	}
	return g.Wait()
}

// reach notes where the internet reaches the service, and tells who has a meeting here.
func (s *service) reach(now reached) {
	s.mu.Lock()
	s.reached = now
	watchers := slices.Collect(maps.Values(s.watchers))
	s.mu.Unlock()
	s.server.RenewICE()
	for _, w := range watchers {
		w(now)
	}
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

// open admits a room, and says where the internet reaches it, now and by the watcher from now on. With nil for the watcher
// the room is not for the internet. The caller holds the service already.
func (s *service) open(room string, w watcher) reached {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rooms[room]++
	if w == nil {
		delete(s.watchers, room)
		return reached{}
	}
	s.watchers[room] = w
	if s.outside != nil {
		s.outside.begin()
	}
	return s.reached
}

// close releases one hold, of a room or of none. Members who are in the room may stay.
func (s *service) close(room string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if room != "" {
		if s.rooms[room] == 0 {
			return // closed already
		}
		if s.rooms[room]--; s.rooms[room] == 0 {
			delete(s.watchers, room)
		}
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

// gate accepts connections from this machine and its networks, and from the internet while the router leads it here. It
// closes all others at once, and those beyond the limits.
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
		if outsider, ok := g.enter(c); ok {
			return &counted{Conn: c, service: g.service, outsider: outsider}, nil
		}
		c.Close()
	}
}

// enter counts a connection in, if it may enter. The outsider is its address if that is on the internet.
func (g *gate) enter(c net.Conn) (outsider netip.Addr, ok bool) {
	from, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return outsider, false
	}
	if !admits(nil, from.Addr()) {
		list, err := g.interfaces() // the networks that we are on may have changed
		if err != nil || !admits(list, from.Addr()) {
			outsider = from.Addr().Unmap()
		}
	}
	return outsider, g.service.enter(outsider)
}

// enter counts a connection in, unless there are too many. An outsider may enter while the router leads the internet
// here.
func (s *service) enter(outsider netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.conns >= maxConnections {
		return false
	}
	if outsider.IsValid() {
		all := 0
		for _, n := range s.outsiders {
			all += n
		}
		if !s.reached.admits(outsider) || all >= maxOutside || s.outsiders[outsider] >= maxOfOutsider {
			return false
		}
		s.outsiders[outsider]++
	}
	s.conns++
	return true
}

// counted is a connection that the service counts until it is closed.
type counted struct {
	net.Conn
	service  *service
	outsider netip.Addr // invalid: it comes from our own network
	once     sync.Once
}

func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		s := c.service
		s.mu.Lock()
		defer s.mu.Unlock()
		s.conns--
		if c.outsider.IsValid() {
			if s.outsiders[c.outsider]--; s.outsiders[c.outsider] == 0 {
				delete(s.outsiders, c.outsider)
			}
		}
		s.endIfIdle()
	})
	return err
}
