package server

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/time/rate"

	"parley/signal"
)

// claim gathers what comes for a member while its session is moving here. It holds as much as
// a session; what comes beyond that ends the move, and the member starts anew.
type claim struct {
	events []claimed
	bytes  int
	full   bool
}

type claimed struct {
	event event
	st    stream
	seq   uint64
}

func (c *claim) add(e event, st stream, seq uint64) {
	if len(c.events) >= maxWaiting || c.bytes+len(e.tail) > maxWaitingBytes {
		c.full = true
		return
	}
	c.events = append(c.events, claimed{e, st, seq})
	c.bytes += len(e.tail)
}

// parcel is a session on its way between two nodes: the first answer to a claim. The waiting
// events follow, one message each.
type parcel struct {
	Status  parcelStatus `json:"status"`
	Session string       `json:"session,omitempty"`
	Try     uint64       `json:"try,omitempty"`
	Since   int64        `json:"since,omitempty"`
	LastIn  uint64       `json:"last_in,omitempty"`
	Base    uint64       `json:"base,omitempty"`
	Members []signal.ID  `json:"members,omitempty"`
	Marks   []mark       `json:"marks,omitempty"`
	Waiting int          `json:"waiting,omitempty"`
	Rate    float64      `json:"rate,omitempty"`
	Burst   int          `json:"burst,omitempty"`
}

type mark struct {
	stream
	Seq uint64
}

type parcelStatus string

const (
	parcelMoved parcelStatus = "moved"
	parcelGone  parcelStatus = "gone" // no such session here
	parcelLate  parcelStatus = "late" // a newer connection of the member is here
)

// handOver answers a claim. The member stays in the view as ours until it comes up at its new
// node, so that nobody takes it for gone meanwhile.
func (n *node) handOver(msg *nats.Msg, nt notice) {
	if msg.Reply == "" || len(nt.Members) != 1 {
		return
	}
	p := parcel{Status: parcelGone}
	var waiting []event
	r := n.rooms[nt.Room]
	var s *session
	if r != nil {
		s = r.sessions[nt.Members[0].ID]
	}
	switch {
	case s == nil:
	case !s.precedes(nt.Try):
		p.Status = parcelLate
	default:
		p, waiting = s.pack()
		n.release(r, s)
		time.AfterFunc(ghostTimeout, func() { n.dropGhost(r, s) })
	}
	text, err := json.Marshal(p)
	if err != nil {
		return
	}
	_ = n.bus.send(msg.Reply, "", text)
	for _, e := range waiting {
		_ = n.bus.send(msg.Reply, "", packEvent(e))
	}
}

// dropGhost removes a member that was handed to this node and never connected.
func (n *node) dropGhost(r *room, s *session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e := r.view[s.id]; n.rooms[r.name] == r && e != nil && e.node == n.name && e.Session == s.name && r.sessions[s.id] == nil {
		n.bus.publish(subjectRoom+r.name, notice{Kind: noticeDown, Node: n.name, Members: []entry{*e}})
		n.remove(r, s.id)
		n.tidy(r)
	}
}

// precedes tells whether the session's connection is older than the client's given one.
func (s *session) precedes(try uint64) bool { return s.tried() < try }

// tried is the client's count of the session's last connection.
func (s *session) tried() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.try
}

// pack ends the session on this node and returns all of it.
func (s *session) pack() (parcel, []event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.dropConn(signal.CodeReplaced)
	if s.expire != nil {
		s.expire.Stop()
	}
	p := parcel{
		Status: parcelMoved, Session: s.name, Try: s.try, Since: s.since, LastIn: s.lastIn, Base: s.base,
		Members: s.members, Waiting: len(s.waiting), Rate: float64(s.sends.Limit()), Burst: s.sends.Burst(),
	}
	for id, o := range s.sources {
		for _, st := range []stream{{id, ""}, {id, s.id}} {
			if seq := *o.mark(st); seq > 0 {
				p.Marks = append(p.Marks, mark{st, seq})
			}
		}
	}
	return p, s.waiting
}

// moved is a session that has arrived, with what came here for it on the way.
type moved struct {
	session *session
	late    []claimed
}

// claim asks the node that has a member's session for it. It returns nil without an error when
// the session is lost. n.mu is held, but not while waiting.
func (n *node) claim(r *room, e *entry, j signal.Join) (*moved, error) {
	if r.claims[j.ID] != nil {
		return nil, refusal(signal.CodeUnavailable)
	}
	c := &claim{}
	r.claims[j.ID] = c
	target := e.node
	member := entry{ID: j.ID}
	n.mu.Unlock()
	// What was published before the round trip has reached both nodes or is behind us in their
	// connections; from here on everything for the member is in the claim, in the parcel, or in both.
	err := n.bus.flush(claimTimeout)
	var p parcel
	var waiting []event
	if err == nil {
		first := true
		nt := notice{Kind: noticeClaim, Node: n.name, Room: r.name, Members: []entry{member}, Try: j.Try}
		err = n.bus.ask(context.Background(), subjectNode+target, nt, claimTimeout, func(b []byte) bool {
			if first {
				first = false
				if json.Unmarshal(b, &p) != nil {
					return true
				}
			} else if e, ok := unpackEvent(b); ok {
				waiting = append(waiting, e)
			}
			return len(waiting) >= p.Waiting
		})
	}
	n.mu.Lock()
	delete(r.claims, j.ID)
	_, alive := n.nodes[target]
	switch {
	case err != nil && p.Status == "" && alive:
		// The node beats, so the session is not lost: anybody on NATS can say that nobody answers.
		return nil, refusal(signal.CodeUnavailable)
	case errors.Is(err, nats.ErrNoResponders), err == nil && p.Status == parcelGone:
		return nil, nil
	case err == nil && p.Status == parcelLate:
		return nil, refusal(signal.CodeReplaced)
	case err != nil, p.Status != parcelMoved, c.full, len(waiting) != p.Waiting:
		n.log.Warn("a session did not arrive", "room", shortHash(r.name), "err", err)
		return nil, nil
	}
	return &moved{session: p.unpack(r.name, j, waiting), late: c.events}, nil
}

func (p parcel) unpack(room string, j signal.Join, waiting []event) *session {
	s := &session{
		room: room, id: j.ID, name: p.Session, try: p.Try, since: p.Since,
		lastIn: p.LastIn, base: p.Base, members: p.Members, waiting: waiting,
	}
	s.limit(rate.Limit(p.Rate), p.Burst)
	for i := range waiting {
		e := &waiting[i]
		if e.kind == kindMessage {
			e.source = s.source(e.id)
		}
		s.bytes += len(e.tail)
		s.noteWaiting(*e)
	}
	for _, m := range p.Marks {
		*s.source(m.From).mark(m.stream) = m.Seq
	}
	return s
}

// adopt makes an arrived session one of this node's: what came here on its way is added unless
// it was in the parcel, and presence is brought up to date.
func (n *node) adopt(r *room, m *moved, try uint64) *session {
	s := m.session
	for _, late := range m.late {
		if late.seq > *s.source(late.st.From).mark(late.st) {
			_ = s.push(late.event, late.st, late.seq) // what does not fit here does not fit at the next push either
		}
	}
	n.settle(r, s, try, "")
	known := slices.Clone(s.members)
	for _, e := range s.waiting {
		switch e.kind {
		case kindJoined:
			known = append(known, e.id)
		case kindLeft:
			known = slices.DeleteFunc(known, func(id signal.ID) bool { return id == e.id })
		}
	}
	now := r.others(s.id)
	for _, id := range known {
		if !slices.Contains(now, id) {
			_ = s.push(newEvent(kindLeft, id, signal.Left{N: 1, ID: id}), stream{}, 0)
		}
	}
	for _, id := range now {
		if !slices.Contains(known, id) {
			_ = s.push(newEvent(kindJoined, id, signal.Joined{N: 1, ID: id}), stream{}, 0)
		}
	}
	return s
}

// packEvent is an event as bytes: kind, member, the rest of its frame.
func packEvent(e event) []byte {
	b := append(make([]byte, 0, 2+len(e.id)+len(e.tail)), byte(e.kind), byte(len(e.id)))
	return append(append(b, e.id...), e.tail...)
}

func unpackEvent(b []byte) (event, bool) {
	if len(b) == 0 || heads[kind(b[0])] == "" {
		return event{}, false
	}
	id, tail, ok := cutText(b[1:])
	return event{kind: kind(b[0]), id: signal.ID(id), tail: tail}, ok
}
