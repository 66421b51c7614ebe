package server

import (
	"context"
	"errors"
	"time"

	"parley/signal"
)

// A sender that is faster than a receiver is slowed: it is read no further, down to TCP's
// back-pressure, while its share of what waits for that receiver is as large as what is still
// free there. So one sender gets half of the room, two a third each, and never is it full
// (Choudhury and Hahne, Dynamic Queue Length Thresholds, 1998). A receiver that acknowledges nothing, or
// takes too long for what waits, is slow itself: it holds up nobody, and overflows.
const (
	presenceReserve = maxWaiting / 4 // frames kept for joined and left, which cannot be slowed
	stallTimeout    = 5 * time.Second
	turnTimeout     = signal.ResumeWindow // to acknowledge everything that waits at one moment
	flowPoll        = 5 * time.Millisecond
)

// errHeld tells that a receiver has no room now for what a member sends.
var errHeld = errors.New("a receiver has no room now")

// source is what a session knows of one sender.
type source struct {
	frames, bytes int       // that wait
	marks         [2]uint64 // the last sequence put in line: to everyone, to this member alone
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

// hasRoom tells whether the session takes size bytes more from a sender. s.mu is not held.
func (s *session) hasRoom(from signal.ID, size int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	const frames = maxWaiting - presenceReserve
	if 2*len(s.waiting) < frames && 2*s.bytes+size <= maxWaitingBytes { // whoever sent it
		return true
	}
	var of source
	if o := s.sources[from]; o != nil {
		of = *o
	}
	if of.frames < frames-len(s.waiting) && of.bytes+size <= maxWaitingBytes-s.bytes {
		return true
	}
	now := time.Now()
	keepsUp := s.conn == nil || // it has until the end of the resume window
		!s.pulse.held && now.Sub(s.pulse.progress) < stallTimeout && now.Sub(s.pulse.turnAt) < turnTimeout
	return s.over || !keepsUp
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
	for id, other := range r.sessions {
		if id != s.id && (f.To == "" || f.To == id) && !other.hasRoom(s.id, frameSize(len(f.Body))) {
			return errHeld
		}
	}
	return nil
}

// relayPaced relays what a member sends as soon as every receiver has room for it.
// It appends to turns whom the caller has to flush.
func (n *node) relayPaced(ctx context.Context, s *session, c *conn, f signal.Send, turns []turn) ([]turn, error) {
	turns, err := n.relay(s, c, f, turns)
	if !errors.Is(err, errHeld) {
		return turns, err
	}
	n.metrics.held.Inc()
	s.hold(true)
	defer s.hold(false)
	poll := time.NewTicker(flowPoll)
	defer poll.Stop()
	for errors.Is(err, errHeld) {
		select {
		case <-ctx.Done():
			return turns, ctx.Err()
		case <-poll.C:
		}
		turns, err = n.relay(s, c, f, turns)
	}
	return turns, err
}

func (s *session) hold(held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pulse.held = held
	s.pulse.progress = time.Now() // what it has acknowledged meanwhile is read next
}
