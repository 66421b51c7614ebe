package peer

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"
	"golang.org/x/sync/errgroup"

	"parley/media/transport"
	"parley/signal"
	"parley/signal/loop"
)

// Network is how connections reach others. The zero value is the network of this machine, with
// neither STUN nor TURN.
type Network struct {
	Settings     webrtc.SettingEngine
	ICEServers   []webrtc.ICEServer
	Certificates []webrtc.Certificate // nil: one is made for each connection
}

// queueSize is how many events wait for the loop. None is dropped: who finds no place waits, and the
// loop waits for nobody.
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

	mu     sync.Mutex
	peers  map[signal.ID]*running
	phases map[signal.ID]transport.Phase
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
		peers: make(map[signal.ID]*running),
	}
	m.policy.Store(&transport.Policy{})
	return m
}

// Follow makes the connections match the members.
func (m *Mesh) Follow(members []transport.Member, online bool) { m.put(followed{members, online}) }

// Receive takes a call message of a member.
func (m *Mesh) Receive(from signal.ID, payload []byte) {
	m.put(received{from, payload, offerName(payload)})
}

// SetPolicy changes how the paths are shared out.
func (m *Mesh) SetPolicy(p transport.Policy) { m.policy.Store(&p) }

// Phase is how things stand with a member.
func (m *Mesh) Phase(id signal.ID) transport.Phase {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.phases[id]
}

// Stats is how the connection to a member does; false while there is none.
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

// put waits for a place in the queue. The loop must not call it.
func (m *Mesh) put(ev event) {
	select {
	case m.queue <- ev:
	case <-m.done:
	}
}

// Run is the loop of the mesh: it feeds next and carries out what that decides, until ctx ends. It
// is called once.
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
				x.apply(ev, time.Now())
			}
		}
	})
	return g.Wait()
}

// meshLoop carries out effects. It belongs to the loop's goroutine; what it starts runs in its group.
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

// publish makes the phases known, and says whether any is another one now.
func (x *meshLoop) publish() (changed bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	phases := make(map[signal.ID]transport.Phase, len(x.model.members))
	for _, p := range x.model.members {
		phases[p.id] = p.phase
		changed = changed || x.phases[p.id] != p.phase
	}
	changed = changed || len(phases) != len(x.phases)
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
	case closeDown:
		x.stop(e.id)
	case comeBackFor:
		x.later(e.wait, e.ev)
	}
}

// later brings an event back after a while.
func (x *meshLoop) later(wait time.Duration, ev event) {
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

// start begins a connection: an offer, or the answer to the offer named conn.
func (x *meshLoop) start(id signal.ID, attempt int, conn string) {
	x.stop(id)
	p := New(Config{
		Media: x.cfg.Media, Network: x.network, Conn: conn, Member: id,
		Send:    func(payload []byte) { x.cfg.Send(id, payload) },
		Changed: func(p transport.Phase) { x.put(changed{id, attempt, p}) },
		Allot:   func(rate int) (camera, screen int) { return allot(rate, x.policy.Load().Presenting) },
		Spare:   func() bool { return x.policy.Load().SpareTiles },
		Log:     x.cfg.Log.With("peer", short(id)),
	})
	ctx, cancel := context.WithCancel(x.ctx)
	x.mu.Lock()
	x.peers[id] = &running{p, cancel}
	x.mu.Unlock()
	x.group.Go(func() error {
		defer cancel()
		if err := p.Run(ctx); err != nil && ctx.Err() == nil {
			x.cfg.Log.Error("peer", "err", err)
			x.put(changed{id, attempt, transport.Failed})
		}
		return nil
	})
}

func (x *meshLoop) stop(id signal.ID) {
	x.mu.Lock()
	r := x.peers[id]
	delete(x.peers, id)
	x.mu.Unlock()
	if r != nil {
		r.cancel()
	}
}

// short is enough of an id to tell members apart in a log.
func short(id signal.ID) string { return string(id[:min(4, len(id))]) }
