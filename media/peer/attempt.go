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
//	the call          followed, received, rerouted
//	a connection      changed, broke
//	the clock         retryConn, attemptTimeout
type event interface{}

type (
	// followed: who is in the meeting now, and whether the rendezvous is reachable.
	followed struct {
		members []transport.Member
		online  bool
	}
	// received: a call message arrived. If it is an offer, offer names its connection.
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
	broke struct { // the connection ended with an error of ours
		id      signal.ID
		attempt int
	}
	rerouted       struct{}               // whether our address is hidden has changed
	retryConn      struct{ id signal.ID } // time to offer, if there is still no connection
	attemptTimeout struct {               // the attempt should be connected by now
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
	// makeAnswer opens a connection that answers the offer in payload.
	makeAnswer struct {
		id      signal.ID
		attempt int
		conn    string
		payload []byte
	}
	passOn struct { // a call message for the present connection
		id      signal.ID
		payload []byte
	}
	refuse    struct{ id signal.ID } // log that a connection was asked for too soon after others
	restart   struct{ id signal.ID }
	closeConn struct{ id signal.ID }
	later     struct {
		ev   event
		wait time.Duration
	}
)

// Timeouts and delays.
const (
	offerTimeout   = 5 * time.Second  // for the offer of the member that came later
	connectTimeout = 10 * time.Second // for an attempt to connect: its offer or answer may be lost
	retryDelay     = 3 * time.Second  // before the first retry
	maxRetryDelay  = 30 * time.Second // before a retry after many failures
)

// At most maxAttempts connections to one member start within attemptSpan, whichever side starts them:
// each costs a few megabytes and a gathering of candidates.
const (
	maxAttempts = 3
	attemptSpan = 10 * time.Second
)

// forgetAfter is how long we remember a member that left. By then any connection that it still holds
// has failed on its side too: ICE gives up after iceFailed, and retries are maxRetryDelay apart.
const forgetAfter = time.Minute

// model is the state of the mesh.
type model struct {
	me      signal.ID
	online  bool
	members []member
	attempt int                // counts connections, to recognise late events of an earlier one
	conns   map[signal.ID]conn // to present members and to those who left recently
}

// member is another member of the meeting.
type member struct {
	id    signal.ID
	phase transport.Phase // as the user sees it, across attempts
}

// conn is the connection to a member.
type conn struct {
	attempt  int    // 0: there is no connection now
	offered  bool   // by us
	name     string // names the last offer that we answered
	phase    transport.Phase
	failures int                    // since it last worked
	begun    [maxAttempts]time.Time // the last attempts, oldest first
	left     time.Time              // when the member left; zero while present
}

// next holds all the logic of the mesh: how an event changes the model, and which effects follow.
func next(m model, ev event, now time.Time) (model, []effect) {
	switch ev := ev.(type) {
	case followed:
		return m.followed(ev, now)
	case received:
		return m.received(ev, now)
	case changed:
		return m.changed(ev)
	case broke:
		if c := m.conns[ev.id]; c.attempt != 0 && c.attempt == ev.attempt {
			return m.fail(ev.id)
		}
	case rerouted:
		return m.rerouted(now)
	case retryConn:
		return m.retry(ev.id, now)
	case attemptTimeout:
		return m.timedOut(ev)
	}
	return m, nil
}

// followed makes the connections match the members. The member that came to the rendezvous later makes
// the offer. To a member that left and is back we always offer: it may not know that our connection is
// gone.
func (m model) followed(ev followed, now time.Time) (model, []effect) {
	var effects []effect
	m.online = ev.online
	m.forget(now)
	old := m.members
	m.members = make([]member, 0, len(ev.members))
	for _, x := range old {
		if !slices.ContainsFunc(ev.members, func(y transport.Member) bool { return y.ID == x.id }) {
			effects = append(effects, closeConn{x.id})
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
			effects = append(effects, later{retryConn{x.ID}, offerTimeout})
		}
	}
	return m, effects
}

// forget drops those who left long ago.
func (m *model) forget(now time.Time) {
	old := func(_ signal.ID, c conn) bool { return !c.left.IsZero() && now.Sub(c.left) >= forgetAfter }
	for id, c := range m.conns {
		if old(id, c) {
			m.conns = maps.Clone(m.conns)
			maps.DeleteFunc(m.conns, old)
			return
		}
	}
}

// setConn replaces one connection without changing older models.
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

// phase is a member's phase as the user sees it.
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

// offer starts a new connection in place of any other.
func (m *model) offer(id signal.ID, now time.Time) []effect {
	if !m.countAttempt(id, now) {
		return []effect{refuse{id}, later{retryConn{id}, attemptSpan}}
	}
	c := m.conns[id]
	m.setConn(id, conn{attempt: m.attempt, offered: true, failures: c.failures, begun: c.begun})
	return []effect{makeOffer{id, m.attempt}, later{attemptTimeout{id, m.attempt}, timeout(c.failures)}}
}

// countAttempt counts one more attempt to connect to a member. It returns false if there were too many.
func (m *model) countAttempt(id signal.ID, now time.Time) bool {
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

// timeout is how long an attempt may take. It grows with the failures, to give a slow path more time.
func timeout(failures int) time.Duration { return connectTimeout * time.Duration(1+min(failures, 2)) }

// received handles a call message. An offer of a new connection replaces the present one. If both sides
// offer at the same time, the offer of the greater ID stands.
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
		// The other side restarts ICE on a connection that we have closed. Only a new
		// connection helps.
		effects := m.offer(ev.from, now)
		return m, effects
	case exists && c.offered && c.phase == transport.Connecting && m.me > ev.from:
		return m, nil // our offer stands
	}
	if !m.countAttempt(ev.from, now) {
		return m, []effect{refuse{ev.from}}
	}
	c = m.conns[ev.from]
	m.setConn(ev.from, conn{attempt: m.attempt, name: ev.offer, failures: c.failures, begun: c.begun})
	if m.phase(ev.from) != transport.Connecting {
		m.setPhase(ev.from, transport.Reconnecting)
	}
	return m, []effect{
		makeAnswer{ev.from, m.attempt, ev.offer, ev.payload},
		later{attemptTimeout{ev.from, m.attempt}, timeout(c.failures)},
	}
}

func (m model) changed(ev changed) (model, []effect) {
	c := m.conns[ev.id]
	if c.attempt == 0 || c.attempt != ev.attempt {
		return m, nil // of a connection that was replaced
	}
	if ev.phase == transport.Failed {
		if c.phase == transport.Connected {
			return m.closed(ev.id)
		}
		return m.fail(ev.id)
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

// rerouted closes all connections and offers new ones, which look for their paths in another way.
func (m model) rerouted(now time.Time) (model, []effect) {
	var effects []effect
	for _, x := range m.members {
		c := m.conns[x.id]
		if c.attempt == 0 {
			continue // the next attempt will be as it should
		}
		c.attempt, c.phase = 0, transport.Connecting
		m.setConn(x.id, c)
		m.setPhase(x.id, transport.Reconnecting)
		effects = append(effects, closeConn{x.id})
		effects = append(effects, m.offer(x.id, now)...)
	}
	return m, effects
}

// fail closes a connection that has failed and schedules a retry, with a growing delay.
func (m model) fail(id signal.ID) (model, []effect) {
	c := m.conns[id]
	c.attempt = 0
	wait := min(retryDelay<<min(c.failures, 10), maxRetryDelay)
	c.failures++
	m.setConn(id, c)
	m.setPhase(id, transport.Failed)
	return m, []effect{closeConn{id}, later{retryConn{id}, wait}}
}

// closed closes a connection that worked until the other side closed it. A path that breaks is Reconnecting
// before it fails. The other side may have left, which we hear in a moment, so this counts as no failure.
func (m model) closed(id signal.ID) (model, []effect) {
	c := m.conns[id]
	c.attempt = 0
	m.setConn(id, c)
	m.setPhase(id, transport.Reconnecting)
	return m, []effect{closeConn{id}, later{retryConn{id}, retryDelay}}
}

// timedOut gives up an attempt that did not connect. ICE alone would not notice: without the other side's
// description it does not even start.
func (m model) timedOut(ev attemptTimeout) (model, []effect) {
	c := m.conns[ev.id]
	if c.attempt != ev.attempt || c.phase != transport.Connecting {
		return m, nil
	}
	if !m.online {
		return m, []effect{later{ev, connectTimeout}} // our message could not be delivered
	}
	return m.fail(ev.id)
}

// retry offers a connection to a member without one: the offer we waited for did not come, or the last
// connection failed.
func (m model) retry(id signal.ID, now time.Time) (model, []effect) {
	if m.conns[id].attempt != 0 || m.index(id) < 0 {
		return m, nil
	}
	if !m.online {
		return m, []effect{later{retryConn{id}, retryDelay}} // offers would only queue up
	}
	if m.phase(id) == transport.Failed {
		m.setPhase(id, transport.Reconnecting)
	}
	effects := m.offer(id, now)
	return m, effects
}
