package call

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"parley/signal"
	"parley/signal/room"
)

// follow makes the peers match the members that are in the meeting. Whoever came to the
// rendezvous later makes the offer, as soon as both are in. To a member that we have lost
// and that is back we offer in any case: it may not know that our connection is gone.
func (m model) follow(now time.Time) (model, []effect) {
	if !m.inside() {
		return m, nil
	}
	var effects []effect
	present := m.Room.Present()
	for _, p := range m.Peers {
		if index(present, p.ID) < 0 {
			effects = append(effects, closePeer{p.ID})
			m.setConn(p.ID, conn{begun: m.conns[p.ID].begun})
		}
	}
	old := m.Peers
	m.Peers = make([]Peer, 0, len(present))
	for _, x := range present {
		p := Peer{ID: x.ID}
		known := slices.IndexFunc(old, func(p Peer) bool { return p.ID == x.ID })
		if known >= 0 {
			p = old[known]
		}
		p.Name, p.Mic, p.Camera, p.Screen = x.Name, x.Mic, x.Camera, x.Screen
		p.Speaking = p.Speaking && p.Mic
		m.Peers = append(m.Peers, p)
		_, lost := m.conns[x.ID]
		switch {
		case known >= 0:
		case x.Earlier, lost:
			more := m.offer(x.ID, now)
			effects = append(effects, more...)
		default:
			effects = append(effects, later{offerPatience, nudge{m.meeting, x.ID}})
		}
	}
	slices.SortStableFunc(m.Peers, func(a, b Peer) int {
		return cmp.Compare(index(present, a.ID), index(present, b.ID))
	})
	return m, effects
}

func index(list []room.Member, id signal.ID) int {
	return slices.IndexFunc(list, func(x room.Member) bool { return x.ID == id })
}

// setConn replaces what is known of one connection without touching older models.
func (m *model) setConn(id signal.ID, c conn) {
	m.conns = maps.Clone(m.conns)
	if m.conns == nil {
		m.conns = make(map[signal.ID]conn)
	}
	m.conns[id] = c
}

func (m *model) updatePeer(id signal.ID, change func(*Peer)) bool {
	i := slices.IndexFunc(m.Peers, func(p Peer) bool { return p.ID == id })
	if i < 0 {
		return false
	}
	m.Peers = slices.Clone(m.Peers)
	change(&m.Peers[i])
	return true
}

// offer begins a connection in place of whatever there is.
func (m *model) offer(id signal.ID, now time.Time) []effect {
	if !m.begin(id, now) {
		return []effect{refuse{id}, later{attemptSpan, nudge{m.meeting, id}}}
	}
	c := m.conns[id]
	failures := c.failures
	m.setConn(id, conn{attempt: m.attempt, offered: true, failures: failures, begun: c.begun})
	return []effect{offerPeer{id, m.attempt}, later{patience(failures), overdue{id, m.attempt}}}
}

// begin counts one more attempt at a connection to a member, unless there were too many.
func (m *model) begin(id signal.ID, now time.Time) bool {
	c := m.conns[id]
	if oldest := c.begun[0]; !oldest.IsZero() && now.Sub(oldest) < attemptSpan {
		return false
	}
	copy(c.begun[:], c.begun[1:])
	c.begun[maxAttempts-1] = now
	m.setConn(id, c)
	m.attempt++
	return true
}

// patience is how long an attempt may take after so many failures: a path that is merely
// slow gets more time, too.
func patience(failures int) time.Duration { return connectPatience * time.Duration(1+min(failures, 2)) }

// signalled passes a call message on. An offer of a new connection replaces the one there
// is; when both sides offer at once, the offer of the greater id stands.
func (m model) signalled(ev signalled, now time.Time) (model, []effect) {
	if ev.meeting != m.meeting || !slices.ContainsFunc(m.Peers, func(p Peer) bool { return p.ID == ev.from }) {
		return m, nil
	}
	c := m.conns[ev.from]
	exists := c.attempt != 0
	switch {
	case exists && (ev.offer == "" || ev.offer == c.name):
		return m, []effect{passOn{ev.from, ev.payload}}
	case ev.offer == "":
		return m, nil
	case ev.offer == c.name:
		// The other side looks for a new path for a connection that we have given up, and
		// whose secrets are gone: only a new one helps.
		effects := m.offer(ev.from, now)
		return m, effects
	case exists && c.offered && c.phase == PeerConnecting && m.me > ev.from:
		return m, nil // ours stands; theirs gives way
	}
	if !m.begin(ev.from, now) {
		return m, []effect{refuse{ev.from}}
	}
	c = m.conns[ev.from]
	m.setConn(ev.from, conn{attempt: m.attempt, name: ev.offer, failures: c.failures, begun: c.begun})
	m.updatePeer(ev.from, func(p *Peer) {
		if p.Phase != PeerConnecting {
			p.Phase = PeerReconnecting
		}
	})
	return m, []effect{
		answerPeer{ev.from, m.attempt, ev.offer, ev.payload},
		later{patience(c.failures), overdue{ev.from, m.attempt}},
	}
}

func (m model) peerChanged(ev peerChanged) (model, []effect) {
	c := m.conns[ev.id]
	if c.attempt == 0 || c.attempt != ev.attempt {
		return m, nil // news of a connection that is no more
	}
	if ev.phase == PeerFailed {
		return m.giveUp(ev.id)
	}
	was := c.phase
	c.phase = ev.phase
	if ev.phase == PeerConnected {
		c.failures = 0
	}
	m.setConn(ev.id, c)
	m.updatePeer(ev.id, func(p *Peer) { p.Phase = ev.phase })
	if ev.phase == PeerReconnecting && was != PeerReconnecting {
		return m, []effect{restartPeer{ev.id}}
	}
	return m, nil
}

// giveUp ends a connection that has failed; a nudge begins a new one, later each time.
func (m model) giveUp(id signal.ID) (model, []effect) {
	c := m.conns[id]
	c.attempt = 0
	wait := min(retryPatience<<min(c.failures, 10), retryCap)
	c.failures++
	m.setConn(id, c)
	m.updatePeer(id, func(p *Peer) { p.Phase, p.Speaking, p.Quality = PeerFailed, false, 0 })
	return m, []effect{closePeer{id}, later{wait, nudge{m.meeting, id}}}
}

// overdue gives up an attempt that has led nowhere: without the other side's description,
// ICE does not even begin, and so does not fail either.
func (m model) overdue(ev overdue) (model, []effect) {
	c := m.conns[ev.id]
	if c.attempt != ev.attempt || c.phase != PeerConnecting {
		return m, nil
	}
	if m.Room.Link != room.Connected {
		return m, []effect{later{connectPatience, ev}} // it cannot have got through
	}
	return m.giveUp(ev.id)
}

// nudge offers a connection to a member that has none: the offer that was due did not come,
// or the last connection failed.
func (m model) nudge(id signal.ID, now time.Time) (model, []effect) {
	if m.conns[id].attempt != 0 || !slices.ContainsFunc(m.Peers, func(p Peer) bool { return p.ID == id }) {
		return m, nil
	}
	if m.Room.Link != room.Connected {
		return m, []effect{later{retryPatience, nudge{m.meeting, id}}} // offers would only pile up
	}
	m.updatePeer(id, func(p *Peer) {
		if p.Phase == PeerFailed {
			p.Phase = PeerReconnecting
		}
	})
	effects := m.offer(id, now)
	return m, effects
}
