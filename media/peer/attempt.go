package peer

import (
	"maps"
	"slices"
	"time"

	"parley/media/transport"
	"parley/signal"
)

// event is something that happened to the mesh.
//
//	source            events
//	the call          followed, received
//	a connection      changed
//	the clock         nudge, overdue
type event interface{}

type (
	// followed: who is in the meeting now, and whether call messages get through.
	followed struct {
		members []transport.Member
		online  bool
	}
	// received: a call message came. offer names the connection it is an offer of, if it is one.
	received struct {
		from    signal.ID
		payload []byte
		offer   string
	}
	changed struct {
		id      signal.ID
		attempt int
		phase   transport.Phase
	}
	nudge   struct{ id signal.ID } // it is time for a connection that has not come about
	overdue struct {               // an attempt should be connected by now
		id      signal.ID
		attempt int
	}
)

// effect is something to do.
type effect interface{}

type (
	makeOffer struct {
		id      signal.ID
		attempt int
	}
	// makeAnswer makes a connection for the offer in payload.
	makeAnswer struct {
		id      signal.ID
		attempt int
		conn    string
		payload []byte
	}
	passOn struct { // a call message, to the connection it belongs to
		id      signal.ID
		payload []byte
	}
	refuse      struct{ id signal.ID } // an attempt at a connection, too soon after others
	restart     struct{ id signal.ID }
	closeDown   struct{ id signal.ID }
	comeBackFor struct {
		ev   event
		wait time.Duration
	}
)

// Waiting times of next.
const (
	offerPatience   = 5 * time.Second  // for the offer of whoever came later
	connectPatience = 10 * time.Second // for a connection: its offer or answer may be lost
	retryPatience   = 3 * time.Second  // before a failed connection is tried again
	retryCap        = 30 * time.Second // the same, after many failures
)

// maxAttempts is how many connections to one member may begin within attemptSpan, whoever begins
// them: each costs a few megabytes and a gathering of candidates.
const (
	maxAttempts = 3
	attemptSpan = 10 * time.Second
)

// memory is how long a member that left is remembered. By then a connection that it may still hold
// has failed on its side too: ICE gives up after iceFailed, and retries are retryCap apart.
const memory = time.Minute

// model is what next knows.
type model struct {
	me      signal.ID
	online  bool
	members []member
	attempt int                // counts connections, so that late news of an earlier one is known
	conns   map[signal.ID]conn // of those who are here, and of those who left lately
}

// member is somebody who is in the meeting.
type member struct {
	id    signal.ID
	phase transport.Phase // as the user sees it: all attempts together
}

// conn is what next knows of the connection to a member.
type conn struct {
	attempt  int    // 0: there is none now
	offered  bool   // by us
	name     string // of the last offer that we answered
	phase    transport.Phase
	failures int                    // since it worked last
	begun    [maxAttempts]time.Time // the last attempts, oldest first
	left     time.Time              // when the member left; zero while here
}

// next is all the logic of the mesh: what an event changes and what is to be done about it.
func next(m model, ev event, now time.Time) (model, []effect) {
	switch ev := ev.(type) {
	case followed:
		return m.followed(ev, now)
	case received:
		return m.received(ev, now)
	case changed:
		return m.changed(ev)
	case nudge:
		return m.nudge(ev.id, now)
	case overdue:
		return m.overdue(ev)
	}
	return m, nil
}

// followed makes the connections match the members. Whoever came to the rendezvous later makes the
// offer. To a member that has left and is back we offer in any case: it may not know that our
// connection is gone.
func (m model) followed(ev followed, now time.Time) (model, []effect) {
	var effects []effect
	m.online = ev.online
	m.forget(now)
	old := m.members
	m.members = make([]member, 0, len(ev.members))
	for _, x := range old {
		if !slices.ContainsFunc(ev.members, func(y transport.Member) bool { return y.ID == x.id }) {
			effects = append(effects, closeDown{x.id})
			m.setConn(x.id, conn{begun: m.conns[x.id].begun, left: now})
		}
	}
	for _, x := range ev.members {
		known := slices.IndexFunc(old, func(y member) bool { return y.id == x.ID })
		if known >= 0 {
			m.members = append(m.members, old[known])
			continue
		}
		m.members = append(m.members, member{id: x.ID})
		c, back := m.conns[x.ID]
		if back {
			c.left = time.Time{}
			m.setConn(x.ID, c)
		}
		if x.Earlier || back {
			effects = append(effects, m.offer(x.ID, now)...)
		} else {
			effects = append(effects, comeBackFor{nudge{x.ID}, offerPatience})
		}
	}
	return m, effects
}

// forget lets go of those who left long ago.
func (m *model) forget(now time.Time) {
	old := func(_ signal.ID, c conn) bool { return !c.left.IsZero() && now.Sub(c.left) >= memory }
	for id, c := range m.conns {
		if old(id, c) {
			m.conns = maps.Clone(m.conns)
			maps.DeleteFunc(m.conns, old)
			return
		}
	}
}

// setConn replaces what is known of one connection without touching older models.
func (m *model) setConn(id signal.ID, c conn) {
	m.conns = maps.Clone(m.conns)
	if m.conns == nil {
		m.conns = make(map[signal.ID]conn)
	}
	m.conns[id] = c
}

func (m model) index(id signal.ID) int {
	return slices.IndexFunc(m.members, func(x member) bool { return x.id == id })
}

// phase is how things stand with a member, as the user sees it.
func (m model) phase(id signal.ID) transport.Phase {
	if i := m.index(id); i >= 0 {
		return m.members[i].phase
	}
	return transport.Connecting
}

func (m *model) setPhase(id signal.ID, p transport.Phase) {
	if i := m.index(id); i >= 0 {
		m.members = slices.Clone(m.members)
		m.members[i].phase = p
	}
}

// offer begins a connection in place of whatever there is.
func (m *model) offer(id signal.ID, now time.Time) []effect {
	if !m.begin(id, now) {
		return []effect{refuse{id}, comeBackFor{nudge{id}, attemptSpan}}
	}
	c := m.conns[id]
	m.setConn(id, conn{attempt: m.attempt, offered: true, failures: c.failures, begun: c.begun})
	return []effect{makeOffer{id, m.attempt}, comeBackFor{overdue{id, m.attempt}, patience(c.failures)}}
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

// received passes a call message on. An offer of a new connection replaces the one there is; when
// both sides offer at once, the offer of the greater id stands.
func (m model) received(ev received, now time.Time) (model, []effect) {
	if m.index(ev.from) < 0 {
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
	case exists && c.offered && c.phase == transport.Connecting && m.me > ev.from:
		return m, nil // ours stands; theirs gives way
	}
	if !m.begin(ev.from, now) {
		return m, []effect{refuse{ev.from}}
	}
	c = m.conns[ev.from]
	m.setConn(ev.from, conn{attempt: m.attempt, name: ev.offer, failures: c.failures, begun: c.begun})
	if m.phase(ev.from) != transport.Connecting {
		m.setPhase(ev.from, transport.Reconnecting)
	}
	return m, []effect{
		makeAnswer{ev.from, m.attempt, ev.offer, ev.payload},
		comeBackFor{overdue{ev.from, m.attempt}, patience(c.failures)},
	}
}

func (m model) changed(ev changed) (model, []effect) {
	c := m.conns[ev.id]
	if c.attempt == 0 || c.attempt != ev.attempt {
		return m, nil // news of a connection that is no more
	}
	if ev.phase == transport.Failed {
		return m.giveUp(ev.id)
	}
	was := c.phase
	c.phase = ev.phase
	if ev.phase == transport.Connected {
		c.failures = 0
	}
	m.setConn(ev.id, c)
	m.setPhase(ev.id, ev.phase)
	if ev.phase == transport.Reconnecting && was != transport.Reconnecting {
		return m, []effect{restart{ev.id}}
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
	m.setPhase(id, transport.Failed)
	return m, []effect{closeDown{id}, comeBackFor{nudge{id}, wait}}
}

// overdue gives up an attempt that has led nowhere: without the other side's description,
// ICE does not even begin, and so does not fail either.
func (m model) overdue(ev overdue) (model, []effect) {
	c := m.conns[ev.id]
	if c.attempt != ev.attempt || c.phase != transport.Connecting {
		return m, nil
	}
	if !m.online {
		return m, []effect{comeBackFor{ev, connectPatience}} // it cannot have got through
	}
	return m.giveUp(ev.id)
}

// nudge offers a connection to a member that has none: the offer that was due did not come,
// or the last connection failed.
func (m model) nudge(id signal.ID, now time.Time) (model, []effect) {
	if m.conns[id].attempt != 0 || m.index(id) < 0 {
		return m, nil
	}
	if !m.online {
		return m, []effect{comeBackFor{nudge{id}, retryPatience}} // offers would only pile up
	}
	if m.phase(id) == transport.Failed {
		m.setPhase(id, transport.Reconnecting)
	}
	effects := m.offer(id, now)
	return m, effects
}
