package server

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"parley/signal"
)

// A sender that is faster than a receiver is slowed: it is read no further, down to TCP's
// back-pressure, while its share of what waits for that receiver is as large as what is still
// free there. So one sender gets half of the room, two a third each, and never is it full
// (Choudhury and Hahne, Dynamic Queue Length Thresholds, 1998). A receiver that acknowledges nothing, or
// takes too long for what waits, is slow itself: it holds up nobody, and overflows.
//
// A sender at another node cannot be asked to wait before its message is here. Its node is told to
// hold it once half of the room is used, and told again when there is room; what is on its way
// meanwhile finds place in the other half, for a node lets a sender get only so far ahead of the
// others. A sender that fills even that is put out.
const (
	presenceReserve = maxWaiting / 4 // frames kept for joined and left, which cannot be slowed
	stallTimeout    = 5 * time.Second
	turnTimeout     = signal.ResumeWindow // to acknowledge everything that waits at one moment
	flowPoll        = 5 * time.Millisecond
	holdRepeat      = time.Second      // for a node that has not heard it
	holdTimeout     = 2 * stallTimeout // without a repetition
	aheadFrames     = 32               // that a sender may be ahead of other nodes
	aheadBytes      = 64 << 10
	aheadTime       = time.Second // by then they are assumed to have caught up
)

// errHeld tells that a receiver has no room now for what a member sends.
var errHeld = errors.New("a receiver has no room now")

// source is what a session knows of one sender.
type source struct {
	frames, bytes int       // that wait
	marks         [2]uint64 // the last sequence put in line: to everyone, to this member alone
	heldAt        time.Time // when its node was told to hold it; zero: it is not held
	floodAt       time.Time // when its node was told to put it out; zero: it was not
}

// mark is where a source keeps the sequences of a stream.
func (o *source) mark(st stream) *uint64 {
	if st.To == "" {
		return &o.marks[0]
	}
	return &o.marks[1]
}

// source finds or makes what the session knows of a sender. s.mu is held.
func (s *session) source(id signal.ID) *source {
	o := s.sources[id]
	if o == nil {
		o = &source{}
		if s.sources == nil {
			s.sources = map[signal.ID]*source{}
		}
		s.sources[id] = o
	}
	return o
}

// forget drops what is known of a sender that has left, unless something of it waits. s.mu is held.
func (s *session) forget(id signal.ID) {
	o := s.sources[id]
	if o == nil || o.frames > 0 {
		return
	}
	if !o.heldAt.IsZero() {
		s.held--
	}
	delete(s.sources, id)
}

// pulse is how a session keeps up with what waits for it.
type pulse struct {
	progress time.Time // something was acknowledged, or began to wait, last
	turn     uint64    // the last number that waited at turnAt
	turnAt   time.Time
	held     bool // its own reader waits, and with it its acknowledgements
}

// noteWaiting counts an event in. s.mu is held, and the event is in line.
func (s *session) noteWaiting(e event) {
	if len(s.waiting) == 1 {
		s.restartTurn()
	}
	if e.source != nil {
		e.source.frames++
		e.source.bytes += len(e.tail)
	}
}

// noteGone counts an event out. s.mu is held.
func (s *session) noteGone(e event) {
	if e.source != nil {
		e.source.frames--
		e.source.bytes -= len(e.tail)
	}
}

// noteProgress tells that the member has acknowledged something. s.mu is held.
func (s *session) noteProgress() {
	if s.base >= s.pulse.turn {
		s.restartTurn()
	} else {
		s.pulse.progress = time.Now()
	}
}

func (s *session) restartTurn() {
	now := time.Now()
	s.pulse.progress, s.pulse.turnAt, s.pulse.turn = now, now, s.base+uint64(len(s.waiting))
}

// maxSent is how many frames of senders may wait; the rest is kept for joined and left.
const maxSent = maxWaiting - presenceReserve

// hasRoom tells whether the session takes size bytes more from a sender. s.mu is not held.
func (s *session) hasRoom(from signal.ID, size int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if 2*len(s.waiting) < maxSent && 2*s.bytes+size <= maxWaitingBytes { // no sender has more than everything: the rule below holds
		return true
	}
	var of source
	if o := s.sources[from]; o != nil {
		of = *o
	}
	if of.frames < maxSent-len(s.waiting) && of.bytes+size <= maxWaitingBytes-s.bytes {
		return true
	}
	return s.over || !s.keepsUp(time.Now())
}

// keepsUp tells whether the member takes what waits for it. s.mu is held.
func (s *session) keepsUp(now time.Time) bool {
	return s.conn == nil || // it has until the end of the resume window
		!s.pulse.held && now.Sub(s.pulse.progress) < stallTimeout && now.Sub(s.pulse.turnAt) < turnTimeout
}

// frameSize is at most what a body becomes in line: base64, and the other fields.
func frameSize(body int) int { return (body+2)/3*4 + 256 }

// mayRelay returns errHeld while a receiver of this node has no room for what s sends. n.mu is
// held.
func (n *node) mayRelay(s *session, f signal.Send) error {
	r := n.rooms[s.room]
	if r == nil {
		return nil
	}
	for id, until := range s.slow {
		if time.Now().After(until) || r.view[id] == nil {
			delete(s.slow, id)
		} else if f.To == "" || f.To == id {
			return errHeld
		}
	}
	for id, other := range r.sessions {
		if id != s.id && (f.To == "" || f.To == id) && !other.hasRoom(s.id, frameSize(len(f.Body))) {
			return errHeld
		}
	}
	return nil
}

// relayPaced relays what a member sends as soon as every receiver has room for it.
// It appends the connections that the caller has to flush to outputs.
func (n *node) relayPaced(ctx context.Context, s *session, c *conn, f signal.Send, outputs []output) ([]output, error) {
	outputs, err := n.relay(s, c, f, outputs)
	if !errors.Is(err, errHeld) {
		return outputs, err
	}
	n.metrics.held.Inc()
	s.hold(true)
	defer s.hold(false)
	poll := time.NewTicker(flowPoll)
	defer poll.Stop()
	for errors.Is(err, errHeld) {
		select {
		case <-ctx.Done():
			return outputs, ctx.Err()
		case <-poll.C:
		}
		outputs, err = n.relay(s, c, f, outputs)
	}
	return outputs, err
}

func (s *session) hold(held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pulse.held = held
	s.pulse.progress = time.Now() // what it has acknowledged meanwhile is read next
}

// ahead is how far a member is ahead of the nodes of others, as its connection's reader counts.
type ahead struct {
	frames, bytes int
	since         time.Time
}

// awaitOtherNodes waits for them when a member gets too far ahead of them.
func (n *node) awaitOtherNodes(ctx context.Context, s *session, a *ahead, size int) {
	if now := time.Now(); now.Sub(a.since) > aheadTime {
		*a = ahead{since: now}
	}
	a.frames++
	a.bytes += size
	if n.bus.alone() || a.frames < aheadFrames && a.bytes < aheadBytes {
		return
	}
	if others := n.elsewhere(s.room); len(others) > 0 {
		sync := notice{Kind: noticeSync, Node: n.name}
		_ = n.bus.ask(ctx, subjectRoom+s.room, sync, syncTimeout, func(answer []byte) bool {
			var nt notice
			if json.Unmarshal(answer, &nt) == nil {
				delete(others, nt.Node)
			}
			return len(others) == 0
		})
	}
	*a = ahead{since: time.Now()}
}

// elsewhere is the set of other nodes that have members in a room.
func (n *node) elsewhere(name string) map[string]bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	nodes := map[string]bool{}
	if r := n.rooms[name]; r != nil {
		for _, e := range r.view {
			if e.node != n.name {
				nodes[e.node] = true
			}
		}
	}
	return nodes
}

// throttle tells the sender's node to hold it, unless the receiver has room for more. n.mu is held.
func (n *node) throttle(r *room, s *session, from signal.ID) {
	if r.sessions[from] == nil && s.mustHold(from, time.Now()) {
		n.publishFlow(noticeHold, r.name, from, s.id)
	}
}

// mustHold tells whether to hold a sender at another node, once for each holdRepeat.
func (s *session) mustHold(from signal.ID, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if 2*len(s.waiting) < maxSent && 2*s.bytes < maxWaitingBytes || s.over || !s.keepsUp(now) {
		return false
	}
	o := s.source(from)
	if o.frames < aheadFrames && o.bytes < aheadBytes || now.Sub(o.heldAt) < holdRepeat {
		return false
	}
	if o.heldAt.IsZero() {
		s.held++
	}
	o.heldAt = now
	return true
}

// publishFlow tells the nodes of a room something about a sender and a receiver.
func (n *node) publishFlow(k noticeKind, room string, from, to signal.ID) {
	n.bus.publish(subjectRoom+room, notice{Kind: k, Node: n.name, Members: []entry{{ID: from}, {ID: to}}})
}

// resumeSenders tells the nodes of senders that were held when there is room again.
func (n *node) resumeSenders(s *session) {
	for _, id := range s.unhold() {
		n.publishFlow(noticeGo, s.room, id, s.id)
	}
}

// unhold returns the senders that need not be held any more.
func (s *session) unhold() (ids []signal.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == 0 {
		return nil
	}
	roomy := 3*len(s.waiting) < maxSent && 3*s.bytes < maxWaitingBytes
	for id, o := range s.sources {
		if !o.heldAt.IsZero() && (roomy || o.frames < aheadFrames/2 && o.bytes < aheadBytes/2) {
			o.heldAt = time.Time{}
			s.held--
			ids = append(ids, id)
		}
	}
	return ids
}

// unholdAll returns every sender that is held, when the session ends here or moves.
func (s *session) unholdAll() (ids []signal.ID) {
	for id, o := range s.sources {
		if !o.heldAt.IsZero() {
			o.heldAt = time.Time{}
			ids = append(ids, id)
		}
	}
	s.held = 0
	return ids
}

// flooded tells whether a sender at another node has filled all the room of a receiver who keeps up. Its node
// is told to put it out, and told again while more comes; nothing of it is put in line any more, so that the
// receiver sees no gap. n.mu is held.
func (n *node) flooded(r *room, s *session, from signal.ID) bool {
	if r.sessions[from] != nil {
		return false
	}
	flooded, tell := s.floodedBy(from, time.Now())
	if tell {
		n.publishFlow(noticeFlood, r.name, from, s.id)
	}
	if flooded {
		n.metrics.flooded.Inc()
	}
	return flooded
}

func (s *session) floodedBy(from signal.ID, now time.Time) (flooded, tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.sources[from]
	if o == nil {
		return false, false
	}
	if o.floodAt.IsZero() {
		full := len(s.waiting) >= maxSent || s.bytes > maxWaitingBytes-signal.MaxFrame
		if s.over || !full || !s.keepsUp(now) || 4*o.frames < len(s.waiting) && 4*o.bytes < s.bytes {
			return false, false
		}
	}
	if tell = now.Sub(o.floodAt) >= holdRepeat; tell {
		o.floodAt = now
	}
	return true, tell
}

// control does to a sender what the node of a receiver asks. n.mu is held.
func (n *node) control(r *room, nt notice) {
	if len(nt.Members) != 2 {
		return
	}
	s, receiver := r.sessions[nt.Members[0].ID], nt.Members[1].ID
	switch {
	case s == nil:
	case nt.Kind == noticeFlood:
		n.metrics.overflows.Inc()
		n.end(r, s, signal.CodeOverflow)
	case nt.Kind == noticeGo:
		delete(s.slow, receiver)
	case r.view[receiver] != nil:
		if s.slow == nil {
			s.slow = map[signal.ID]time.Time{}
		}
		s.slow[receiver] = time.Now().Add(holdTimeout)
	}
}
