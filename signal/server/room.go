package server

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"parley/signal"
)

// room is what this node knows of one room. It exists while a member is here or coming.
type room struct {
	name     string
	close    func()
	refs     int // joins under way
	view     map[signal.ID]*entry
	sessions map[signal.ID]*session // of this node
	claims   map[signal.ID]*claim   // sessions that are moving here
	awaited  map[string]bool        // nodes that have not answered yet
	synced   chan struct{}          // closed when none is awaited
}

// answered notes that a node has said who is with it.
func (r *room) answered(node string) {
	if r.awaited[node] {
		delete(r.awaited, node)
		if len(r.awaited) == 0 {
			close(r.synced)
		}
	}
}

// others lists everyone but id, in order of arrival.
func (r *room) others(id signal.ID) []signal.ID {
	var entries []*entry
	for _, e := range r.view {
		if e.ID != id {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.Since, b.Since), cmp.Compare(a.ID, b.ID))
	})
	ids := make([]signal.ID, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	return ids
}

// enter opens the room on this node, asking the other nodes who is there, and holds it open.
func (n *node) enter(name string, v *visit) (*room, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.leaving {
		return nil, refusal(signal.CodeGoingAway)
	}
	if r := n.rooms[name]; r != nil {
		r.refs++
		return r, nil
	}
	if !v.mayFound() {
		return nil, n.refuse("address-rooms")
	}
	unsubscribe, err := n.bus.subscribe(subjectRoom + name)
	if err != nil {
		return nil, refusal(signal.CodeUnavailable)
	}
	r := &room{
		name: name, refs: 1, view: map[signal.ID]*entry{}, sessions: map[signal.ID]*session{},
		claims: map[signal.ID]*claim{}, awaited: map[string]bool{}, synced: make(chan struct{}),
		close: unsubscribe,
	}
	for other := range n.nodes {
		r.awaited[other] = true
	}
	if len(r.awaited) == 0 {
		close(r.synced)
	} else {
		n.bus.publish(subjectNodes, notice{Kind: noticeAsk, Node: n.name, Room: name})
	}
	n.rooms[name] = r
	n.metrics.rooms.Add(1)
	n.log.Info("room opened", "room", shortHash(name))
	return r, nil
}

// leave ends the hold of enter.
func (n *node) leave(r *room) {
	n.mu.Lock()
	defer n.mu.Unlock()
	r.refs--
	n.tidy(r)
}

// tidy closes the room on this node when nobody here needs it.
func (n *node) tidy(r *room) {
	if r.refs > 0 || len(r.sessions) > 0 || n.rooms[r.name] != r {
		return
	}
	for _, e := range r.view {
		if e.node == n.name { // handed over and not yet come up elsewhere
			return
		}
	}
	r.close()
	delete(n.rooms, r.name)
	n.metrics.rooms.Add(-1)
	n.log.Info("room closed", "room", shortHash(r.name))
}

// join makes a connection the one of a membership: a new one, one of this node, or one that
// moves here. Its errors are signal.Error.
func (n *node) join(c *conn, j signal.Join, limit rate.Limit, burst int) (*session, signal.Welcome, error) {
	r, err := n.enter(j.Room, c.visit)
	if err != nil {
		return nil, signal.Welcome{}, err
	}
	defer n.leave(r)
	wait := time.NewTimer(syncTimeout)
	defer wait.Stop()
	select {
	case <-r.synced:
	case <-wait.C:
		n.log.Warn("a node did not say who is in a room", "room", shortHash(j.Room))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s, from, replaces, err := n.find(r, j)
	if err != nil {
		return nil, signal.Welcome{}, err
	}
	if s != nil {
		welcome, err := s.attach(c, j)
		if err == nil {
			if e := r.view[j.ID]; e != nil && e.Session == s.name {
				e.Try = j.Try
			}
			n.metrics.resumes.WithLabelValues(from).Inc()
			return s, welcome, nil
		}
		switch {
		case errors.Is(err, errAck):
			n.end(r, s, signal.CodeBadMessage)
			return nil, signal.Welcome{}, refusal(signal.CodeBadMessage)
		case errors.Is(err, errReplaced):
			return nil, signal.Welcome{}, refusal(signal.CodeReplaced)
		}
		n.end(r, s, signal.CodeReplaced) // not the session that the client knows: start again
	}
	if n.leaving {
		return nil, signal.Welcome{}, refusal(signal.CodeGoingAway)
	}
	if len(r.others(j.ID)) >= signal.MaxMembers {
		return nil, signal.Welcome{}, refusal(signal.CodeFull)
	}
	if !c.visit.mayOpen() {
		return nil, signal.Welcome{}, n.refuse("sessions")
	}
	s = n.begin(r, j, replaces, limit, burst)
	welcome, err := s.attach(c, j)
	if err != nil {
		return nil, signal.Welcome{}, refusal(signal.CodeUnavailable)
	}
	return s, welcome, nil
}

// find looks for the session that a join belongs to. Without one, replaces is a session known
// to be lost. n.mu is held, and released while another node is asked.
func (n *node) find(r *room, j signal.Join) (s *session, from, replaces string, err error) {
	for {
		if s := r.sessions[j.ID]; s != nil {
			return s, "here", "", nil
		}
		e := r.view[j.ID]
		if e == nil {
			return nil, "", "", nil
		}
		if e.node == n.name { // handed over a moment ago to a node that has not spoken up
			return nil, "", e.Session, nil
		}
		known := e.Session
		moved, err := n.claim(r, e, j)
		if err != nil {
			return nil, "", "", err
		}
		if r.sessions[j.ID] != nil { // somebody was faster meanwhile
			continue
		}
		if moved != nil {
			return n.adopt(r, moved, j.Try), "elsewhere", "", nil
		}
		return nil, "", known, nil
	}
}

// refuse counts a join that a budget does not allow.
func (n *node) refuse(budget string) error {
	n.metrics.refused.WithLabelValues(budget).Inc()
	return refusal(signal.CodeUnavailable)
}

// begin makes a new membership and tells everyone.
func (n *node) begin(r *room, j signal.Join, replaces string, limit rate.Limit, burst int) *session {
	s := &session{
		room: r.name, id: j.ID, name: signal.NewSession(), since: time.Now().UnixNano(),
		members: r.others(j.ID),
	}
	s.limit(limit, burst)
	n.settle(r, s, j.Try, replaces)
	return s
}

// settle makes a session one of this node's, for the client's connection with the count try.
func (n *node) settle(r *room, s *session, try uint64, replaces string) {
	e := entry{ID: s.id, Session: s.name, Since: s.since, Try: try, node: n.name, seen: time.Now()}
	n.place(r, e)
	r.sessions[s.id] = s
	n.metrics.members.Add(1)
	n.bus.publish(subjectRoom+r.name, notice{Kind: noticeUp, Node: n.name, Members: []entry{e}, Replaces: replaces})
}

// end ends a membership of this node, with a last word for its connection, and tells everyone.
func (n *node) end(r *room, s *session, code signal.ErrorCode) {
	if !s.finish(code) {
		return
	}
	n.release(r, s)
	if e := r.view[s.id]; e != nil && e.Session == s.name {
		n.bus.publish(subjectRoom+r.name, notice{Kind: noticeDown, Node: n.name, Members: []entry{*e}})
		n.remove(r, s.id)
	}
}

// release takes a session off this node's books.
func (n *node) release(r *room, s *session) {
	if r.sessions[s.id] == s {
		delete(r.sessions, s.id)
		s.mu.Lock()
		n.ledger.charge(s, nil)
		held := s.unholdAll()
		s.mu.Unlock()
		for _, id := range held {
			n.publishFlow(noticeGo, r.name, id, s.id)
		}
		n.metrics.members.Add(-1)
	}
}

// place puts a member into the view, and tells those here unless the membership is the one they know.
func (n *node) place(r *room, e entry) {
	old := r.view[e.ID]
	r.view[e.ID] = &e
	if old != nil && old.Session == e.Session && !old.lost {
		return
	}
	if old != nil {
		n.tell(r, newEvent(kindLeft, e.ID, signal.Left{N: 1, ID: e.ID, Back: true}))
	}
	n.tell(r, newEvent(kindJoined, e.ID, signal.Joined{N: 1, ID: e.ID}))
}

// remove takes a member out of the view and tells those here.
func (n *node) remove(r *room, id signal.ID) {
	if r.view[id] != nil {
		delete(r.view, id)
		n.tell(r, newEvent(kindLeft, id, signal.Left{N: 1, ID: id}))
	}
}

// tell puts presence in line for everyone here but the member itself.
func (n *node) tell(r *room, e event) {
	for other, s := range r.sessions {
		if other == e.id {
			continue
		}
		if err := s.push(e, stream{}, 0); err != nil {
			n.metrics.overflows.Inc()
			n.end(r, s, signal.CodeOverflow)
		}
	}
}

// observe takes in what another node says about a room.
func (n *node) observe(r *room, nt notice) {
	for i := range nt.Members {
		e := nt.Members[i]
		e.node, e.seen = nt.Node, time.Now()
		switch nt.Kind {
		case noticeUp, noticeHere:
			n.see(r, e, nt)
		case noticeDown:
			if cur := r.view[e.ID]; cur != nil && cur.Session == e.Session {
				n.remove(r, e.ID)
			}
		case noticeDeny:
			if s := r.sessions[e.ID]; s != nil && s.name == e.Session && s.precedes(nt.Try) {
				n.end(r, s, signal.CodeReplaced)
			}
		}
	}
	if nt.Kind != noticeHere {
		return
	}
	for _, e := range r.view {
		gone := !slices.ContainsFunc(nt.Members, func(m entry) bool { return m.ID == e.ID })
		if e.node == nt.Node && gone {
			n.remove(r, e.ID)
		}
	}
	r.answered(nt.Node)
}

// see takes in one member of another node. Only up moves a member that is known; here, which
// may be older than the move, does not. Two nodes that could not hear each other may both have a session of one member,
// who has proved to both who it is: the one of the newer connection stays.
func (n *node) see(r *room, e entry, nt notice) {
	cur := r.view[e.ID]
	if cur != nil && cur.Session == e.Session {
		if cur.node == e.node || nt.Kind == noticeUp {
			n.place(r, e)
		}
		return
	}
	if s := r.sessions[e.ID]; s != nil {
		if !s.stale() && !s.precedes(e.Try) && nt.Replaces != s.name {
			n.bus.publish(subjectRoom+r.name, notice{Kind: noticeDeny, Node: n.name, Members: []entry{e}, Try: s.tried()})
			n.announce(r.name, r)
			return
		}
		n.end(r, s, signal.CodeReplaced)
	} else if cur != nil && nt.Kind == noticeHere && e.Since < cur.Since {
		return // an echo of a membership that has been replaced
	}
	n.place(r, e)
}
