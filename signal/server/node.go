package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/time/rate"

	"parley/signal"
)

// Times of the nodes among each other.
const (
	settleTimeout = 250 * time.Millisecond // for other nodes to answer our hello
	syncTimeout   = 300 * time.Millisecond // for known nodes to say who is in a room
	claimTimeout  = 2 * time.Second        // for a session to move here
	ghostTimeout  = 5 * time.Second        // for a session to come up where it has moved to
)

// node knows which members are where. What it knows of other nodes is soft state: announced,
// repeated, and forgotten when it is repeated no more.
type node struct {
	name    string
	log     *slog.Logger
	metrics *metrics
	bus     *bus
	ledger  *ledger
	stopped chan struct{}
	loops   sync.WaitGroup

	mu      sync.Mutex // before any session's
	rooms   map[string]*room
	nodes   map[string]time.Time // the others, and when we last heard of them
	leaving bool

	repeatSoon bool // a new node should hear about our rooms before their turn
}

func newNode(log *slog.Logger, m *metrics, l *ledger) *node {
	return &node{
		name: signal.NewSession(), log: log, metrics: m, ledger: l, stopped: make(chan struct{}),
		rooms: map[string]*room{}, nodes: map[string]time.Time{},
	}
}

// start connects to NATS, if there is an address, and finds the other nodes. Nobody else on NATS is found out at once.
func (n *node) start(ctx context.Context, address string, cluster Cluster) error {
	b, err := dialBus(address, n.name, cluster, n.busTrouble, func(err error) {
		if err != nil || ctx.Err() == nil { // our own goodbye is no news
			n.log.Warn("NATS connection changed", "err", err)
		}
	})
	if err != nil {
		return err
	}
	n.bus = b
	if b.alone() {
		return nil
	}
	heard := time.Now()
	_ = b.ask(ctx, subjectNodes, notice{Kind: noticeHello, Node: n.name}, settleTimeout, func(text []byte) bool {
		var nt notice
		if json.Unmarshal(text, &nt) == nil && nt.Node != "" {
			n.nodes[nt.Node] = heard
		}
		return false
	})
	for _, subject := range []string{subjectNodes, subjectNode + n.name} {
		if _, err := b.subscribe(subject); err != nil {
			b.close()
			return err
		}
	}
	n.metrics.nodes.Store(int64(len(n.nodes)))
	b.publish(subjectNodes, notice{Kind: noticeAlive, Node: n.name})
	if err := b.flush(5 * time.Second); err != nil {
		b.close()
		return err
	}
	n.loops.Go(n.dispatch)
	n.loops.Go(n.keepPresence)
	return nil
}

func (n *node) busTrouble(err error) {
	if errors.Is(err, nats.ErrSlowConsumer) {
		n.metrics.busLost.Inc()
	}
	n.log.Warn("NATS", "err", err)
}

func (n *node) connected() bool { return n.bus != nil && n.bus.connected() }

// members is how many sessions live here.
func (n *node) members() int { return int(n.metrics.members.Load()) }

// dismiss sends the members elsewhere. Their sessions can still be claimed.
func (n *node) dismiss() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.leaving = true
	for _, r := range n.rooms {
		for _, s := range r.sessions {
			s.mu.Lock()
			s.dropConn(signal.CodeGoingAway)
			s.mu.Unlock()
		}
	}
}

// stop waits for sessions to move to other nodes, if there are any, and ends the node.
func (n *node) stop() {
	limit := time.NewTimer(handOverTimeout)
	defer limit.Stop()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for waiting := n.metrics.nodes.Load() > 0; waiting && n.members() > 0; {
		select {
		case <-poll.C:
		case <-limit.C:
			waiting = false
		}
	}
	n.bus.publish(subjectNodes, notice{Kind: noticeBye, Node: n.name})
	_ = n.bus.flush(time.Second)
	close(n.stopped)
	n.loops.Wait()
	n.bus.close()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.rooms {
		for _, s := range r.sessions {
			s.finish(signal.CodeGoingAway)
		}
	}
}

// dispatch takes what NATS brings, in the order in which it came over the connection.
func (n *node) dispatch() {
	seen := stamps{}
	for {
		select {
		case <-n.stopped:
			return
		case msg := <-n.bus.inbox:
			n.take(msg, seen)
		}
	}
}

func (n *node) take(msg *nats.Msg, seen stamps) {
	data, err := n.bus.seal.open(msg, seen)
	if err != nil {
		n.metrics.forged.Inc()
		return
	}
	if room, ok := strings.CutPrefix(msg.Subject, subjectRoom); ok && len(data) > 0 && data[0] == relayTag {
		if m, err := decodeRelayed(data); err == nil {
			n.mu.Lock()
			defer n.mu.Unlock()
			for _, o := range n.deliver(room, m, nil) {
				go o.conn.write(o.session, newScratch(), false)
			}
		}
		return
	}
	var nt notice
	if err := json.Unmarshal(data, &nt); err != nil {
		n.log.Warn("a notice that cannot be read", "bytes", len(data))
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hear(nt.Node)
	switch nt.Kind {
	case noticeHello:
		n.reply(msg, notice{Kind: noticeAlive, Node: n.name})
	case noticeSync:
		n.reply(msg, notice{Kind: noticeAlive, Node: n.name})
	case noticeBye:
		n.forget(nt.Node)
	case noticeAsk:
		n.announce(nt.Room, n.rooms[nt.Room])
	case noticeClaim:
		n.handOver(msg, nt)
	case noticeAlive:
	default:
		r := n.rooms[strings.TrimPrefix(msg.Subject, subjectRoom)]
		if r == nil {
			return
		}
		switch nt.Kind {
		case noticeHold, noticeGo, noticeFlood:
			n.control(r, nt)
		default:
			n.observe(r, nt)
		}
		n.tidy(r)
	}
}

func (n *node) reply(msg *nats.Msg, nt notice) {
	if msg.Reply != "" {
		n.bus.publish(msg.Reply, nt)
	}
}

// hear notes that a node lives. To a new one we introduce ourselves and our members: it may
// have started at the same moment.
func (n *node) hear(name string) {
	_, known := n.nodes[name]
	n.nodes[name] = time.Now()
	if known || n.leaving {
		return
	}
	n.metrics.nodes.Store(int64(len(n.nodes)))
	n.log.Info("node found", "node", name)
	n.bus.publish(subjectNodes, notice{Kind: noticeAlive, Node: n.name})
	n.repeatSoon = true // not all rooms here and now: there may be tens of thousands
}

// forget drops a node. Its members have time to come back elsewhere: they are connecting already, and what flows between
// members does not need us.
func (n *node) forget(name string) {
	delete(n.nodes, name)
	n.metrics.nodes.Store(int64(len(n.nodes)))
	n.log.Info("node gone", "node", name)
	for _, r := range n.rooms {
		r.answered(name)
		for _, e := range r.view {
			if e.node == name {
				e.lost, e.seen = true, time.Now().Add(returnTime-memberDead)
			}
		}
	}
}

// announce tells everyone which of the room's members are here; r may be nil.
func (n *node) announce(name string, r *room) {
	nt := notice{Kind: noticeHere, Node: n.name}
	if r != nil {
		for _, e := range r.view {
			if e.node == n.name {
				nt.Members = append(nt.Members, *e)
			}
		}
	}
	n.bus.publish(subjectRoom+name, nt)
}

// deliver puts a relayed body in line for its receivers on this node. It is encoded once. The
// connections that the caller has to write to are appended to outputs. n.mu is held.
func (n *node) deliver(name string, m relayed, outputs []output) []output {
	r := n.rooms[name]
	if r == nil {
		return outputs
	}
	if m.to != "" && r.sessions[m.from] != nil && r.view[m.to] == nil {
		n.metrics.lost.Inc()
	}
	st := stream{m.from, m.to}
	var e event
	encoded := func() event {
		if e.tail == nil {
			e = newMessage(m)
		}
		return e
	}
	for id, s := range r.sessions {
		if id == m.from || (m.to != "" && m.to != id) {
			continue
		}
		if n.flooded(r, s, m.from) {
			continue
		}
		c, err := s.put(encoded(), st, m.seq)
		if err != nil {
			n.metrics.overflows.Inc()
			n.end(r, s, signal.CodeOverflow)
			continue
		}
		if c != nil {
			outputs = append(outputs, output{c, s})
		}
		n.throttle(r, s, m.from)
		if a, limit := n.ledger.excess(s); a != nil {
			n.relieve(a, limit)
		}
		n.metrics.delivered.Inc()
	}
	for id, c := range r.claims {
		if id != m.from && (m.to == "" || m.to == id) {
			c.add(encoded(), st, m.seq)
		}
	}
	n.tidy(r)
	return outputs
}

// pace waits until the member may send, and while too much of other nodes waits to be dispatched.
func (n *node) pace(ctx context.Context, s *session, size int) error {
	now := time.Now()
	if err := spend(ctx, s.sends, now, 1); err != nil {
		return err
	}
	if err := spend(ctx, s.volume, now, size); err != nil {
		return err
	}
	if err := s.waitAddress(ctx, now, size); err != nil {
		return err
	}
	for len(n.bus.inbox) > inboxSize/2 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// spend waits until a limiter allows n. Mostly it does so at once, which waiting is slow to find out.
func spend(ctx context.Context, l *rate.Limiter, now time.Time, n int) error {
	if l.AllowN(now, n) {
		return nil
	}
	return l.WaitN(ctx, n)
}

// relay publishes what a member sends to other nodes, and puts it in line for the members here, whose
// connections it appends to outputs as deliver does. The session cannot move meanwhile.
func (n *node) relay(s *session, c *conn, f signal.Send, outputs []output) ([]output, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.mayRelay(s, f); err != nil {
		return outputs, err
	}
	m := relayed{from: s.id, to: f.To, seq: f.Seq, body: f.Body}
	fresh, err := s.accept(c, f, func() error { return n.bus.relay(s.room, m) })
	if err != nil || !fresh {
		return outputs, err
	}
	n.metrics.relayed.Inc()
	n.metrics.bytes.Add(float64(len(f.Body)))
	return n.deliver(s.room, m, outputs), nil
}

// part ends what a connection was to a session: the membership, when the member has left or
// broken the protocol; otherwise it waits for another connection.
func (n *node) part(s *session, c *conn, why error) {
	var code signal.ErrorCode
	switch {
	case errors.Is(why, errLeft):
		code = codeBye
	case errors.Is(why, signal.ErrInvalid), errors.Is(why, signal.ErrType), errors.Is(why, signal.ErrTooLarge),
		errors.Is(why, errOrder), errors.Is(why, errAck):
		code = signal.CodeBadMessage
		n.metrics.refused.WithLabelValues(string(code)).Inc()
	default:
		s.detach(c, func() { n.expire(s) })
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if r := n.rooms[s.room]; r != nil && s.holds(c) {
		n.end(r, s, code)
		n.tidy(r)
	}
}

func (n *node) expire(s *session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r := n.rooms[s.room]; r != nil && s.stale() {
		n.end(r, s, codeBye)
		n.tidy(r)
	}
}

// shortHash stands for a room in logs.
func shortHash(room string) string {
	sum := sha256.Sum256([]byte(room))
	return hex.EncodeToString(sum[:4])
}
