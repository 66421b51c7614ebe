package peer

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	ptransport "github.com/pion/transport/v5"
	"github.com/pion/webrtc/v4"
	"golang.org/x/sync/errgroup"

	"parley/media/transport"
	"parley/signal"
	"parley/signal/loop"
)

// Network is the network configuration of connections. The zero value uses this machine's network.
type Network struct {
	Settings     webrtc.SettingEngine
	Net          ptransport.Net       // nil: this machine's
	Certificates []webrtc.Certificate // nil: one is made for each connection
}

// queueSize bounds the events that wait for the loop. None is dropped: when the queue is full, the producer
// waits. The loop itself never waits for a producer.
const queueSize = 256

// Mesh carries the tracks of a meeting over one connection to each other member. It decides when to
// offer, answer, restart and give up a connection; a Peer is one of them.
type Mesh struct {
	cfg      transport.Config
	network  Network
	queue    chan event
	done     chan struct{} // closed when Run ends
	refusals loop.RateLimitedLog
	policy   atomic.Pointer[transport.Policy]
	route    atomic.Pointer[transport.Route]

	mu     sync.Mutex
	peers  map[signal.ID]*running
	phases map[signal.ID]transport.Phase
	why    map[signal.ID]transport.Obstacle // of members to whom a connection failed
}

// running is a connection and how to end it.
type running struct {
	peer   *Peer
	cancel context.CancelFunc
}

// NewMesh returns a mesh that does nothing until Run.
func NewMesh(cfg transport.Config, network Network) *Mesh {
	m := &Mesh{
		cfg: cfg, network: network, queue: make(chan event, queueSize), done: make(chan struct{}),
		peers: make(map[signal.ID]*running), why: make(map[signal.ID]transport.Obstacle),
	}
	m.policy.Store(&transport.Policy{})
	m.route.Store(&transport.Route{})
	return m
}

// Follow makes the connections match the members.
func (m *Mesh) Follow(members []transport.Member, online bool) { m.put(followed{members, online}) }

// Use tells how to look for paths from now on. Connections that work keep theirs, unless our address is hidden
// from now on, or no longer is.
func (m *Mesh) Use(r transport.Route) {
	if old := m.route.Swap(&r); old.RelayOnly != r.RelayOnly {
		m.put(rerouted{})
	}
}

// Obstacle says what was in the way when the connection to a member last failed.
func (m *Mesh) Obstacle(id signal.ID) transport.Obstacle {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.why[id]
}

// Receive takes a call message of a member.
func (m *Mesh) Receive(from signal.ID, payload []byte) {
	m.put(received{from: from, payload: payload})
}

// SetPolicy changes how paths are divided.
func (m *Mesh) SetPolicy(p transport.Policy) { m.policy.Store(&p) }

// Phase is the state of the connection to a member.
func (m *Mesh) Phase(id signal.ID) transport.Phase {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.phases[id]
}

// Stats measures the connection to a member; false while there is none.
func (m *Mesh) Stats(id signal.ID) (transport.Stats, bool) {
	if r := m.running(id); r != nil {
		return r.peer.Stats(), true
	}
	return transport.Stats{}, false
}

func (m *Mesh) running(id signal.ID) *running {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.peers[id]
}

// put waits for room in the queue. The loop itself must not call it.
func (m *Mesh) put(ev event) {
	select {
	case m.queue <- ev:
	case <-m.done:
	}
}

// Run is the loop of the mesh: it feeds events to next and carries out the effects, until ctx ends. It is
// called once.
func (m *Mesh) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	x := meshLoop{Mesh: m, ctx: ctx, group: g, model: model{me: m.cfg.Me}}
	g.Go(func() error {
		defer close(m.done)
		for {
			select {
			case <-ctx.Done():
				return nil
			case ev := <-m.queue:
				if r, ok := ev.(received); ok {
					r.offer = offerName(r.payload) // here, because the caller must not wait for a parser
					ev = r
				}
				x.apply(ev, time.Now())
			}
		}
	})
	return g.Wait()
}

// meshLoop carries out effects. Only the loop's goroutine uses it; what it starts runs in its group.
type meshLoop struct {
	*Mesh
	ctx   context.Context
	group *errgroup.Group
	model model
}

func (x *meshLoop) apply(ev event, now time.Time) {
	m, effects := next(x.model, ev, now)
	x.model = m
	for _, e := range effects {
		x.do(e)
	}
	if x.publish() {
		x.cfg.Changed()
	}
}

// publish updates what Phase returns and reports whether any phase changed.
func (x *meshLoop) publish() (changed bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	phases := make(map[signal.ID]transport.Phase, len(x.model.members))
	for _, p := range x.model.members {
		phases[p.id] = p.phase
		changed = changed || x.phases[p.id] != p.phase
	}
	changed = changed || len(phases) != len(x.phases)
	for id := range x.why {
		if _, here := phases[id]; !here {
			delete(x.why, id)
		}
	}
	x.phases = phases
	return changed
}

func (x *meshLoop) do(e effect) {
	switch e := e.(type) {
	case makeOffer:
		x.start(e.id, e.attempt, "")
	case makeAnswer:
		x.start(e.id, e.attempt, e.conn)
		x.signal(e.id, e.payload)
	case passOn:
		x.signal(e.id, e.payload)
	case refuse:
		x.refusals.Warn(x.cfg.Log, "connection refused: too many attempts", "peer", short(e.id))
	case restart:
		if r := x.running(e.id); r != nil {
			r.peer.Restart()
		}
	case closeConn:
		x.stop(e.id)
	case later:
		x.after(e.wait, e.ev)
	}
}

// after delivers an event after a delay.
func (x *meshLoop) after(wait time.Duration, ev event) {
	x.group.Go(func() error {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
			x.put(ev)
		case <-x.ctx.Done():
		}
		return nil
	})
}

func (x *meshLoop) signal(id signal.ID, payload []byte) {
	r := x.running(id)
	if r == nil {
		return
	}
	if err := r.peer.Signal(payload); err != nil {
		x.refusals.Warn(x.cfg.Log, "call message refused", "err", err)
	}
}

// start opens a connection: with an offer, or with an answer to the offer named conn.
func (x *meshLoop) start(id signal.ID, attempt int, conn string) {
	x.stop(id)
	p := New(Config{
		Media: x.cfg.Media, Network: x.network, Conn: conn, Member: id,
		Send:      func(payload []byte) { x.cfg.Send(id, payload) },
		Changed:   func(p transport.Phase) { x.put(changed{id, attempt, p}) },
		SplitRate: func(rate int) (camera, screen int) { return splitRate(rate, x.policy.Load().Presenting) },
		Route:     func() transport.Route { return *x.route.Load() },
		HalfRate:  func() bool { return x.policy.Load().HalfRateTiles },
		Log:       x.cfg.Log.With("peer", short(id)),
	})
	ctx, cancel := context.WithCancel(x.ctx)
	x.mu.Lock()
	x.peers[id] = &running{p, cancel}
	x.mu.Unlock()
	x.group.Go(func() error {
		defer cancel()
		if err := p.Run(ctx); err != nil && ctx.Err() == nil {
			x.cfg.Log.Error("peer", "err", err)
			x.put(broke{id, attempt})
		}
		return nil
	})
}

func (x *meshLoop) stop(id signal.ID) {
	x.mu.Lock()
	r := x.peers[id]
	delete(x.peers, id)
	if r != nil {
		x.why[id] = r.peer.Obstacle()
	}
	x.mu.Unlock()
	if r != nil {
		r.cancel()
	}
}

// short is enough of an ID to tell members apart in a log.
func short(id signal.ID) string { return string(id[:min(4, len(id))]) }
