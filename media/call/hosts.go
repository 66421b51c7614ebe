package call

import (
	"crypto/ed25519"
	"errors"

	"parley/media"
	"parley/signal/room"
	"parley/signal/roster"
)

// Owned keeps the owner's keys of the meetings that were created here. Any goroutine may call its methods.
type Owned interface {
	// Find returns the key of a room and the roster kept with it, or nil.
	Find(room string) (key ed25519.PrivateKey, roster []byte)
	// Keep keeps both; without a roster it forgets both.
	Keep(room string, key ed25519.PrivateKey, roster []byte)
}

// Told is what a host last told us, or why we may not do what we last tried.
type Told struct {
	N     int         // counts them
	Order roster.Kind // Mute, AskUnmute or StopPresenting; 0: Why
	By    string      // the host's name
	Why   Denial
}

// Denial is why we may not do something, or should not.
type Denial uint8

// The denials.
const (
	NotDenied  Denial = iota
	HostsOnly         // only hosts may
	OwnerOnly         // only the owner may
	NotToHosts        // a co-host may not do it to another host
	NotHere           // the person has gone
	NoHosts           // nobody hosts the meeting
	Exhausted         // no further hand-over or co-host is possible
	Forked            // the meeting was handed to two people: who hosts it is not to be relied on
)

// noticed is an event: a host did something to us, or we may not do something.
type noticed struct {
	meeting int
	notice  room.Notice
}

func (m model) noticed(ev noticed) (model, []effect) {
	n := ev.notice
	if ev.meeting != m.meeting {
		return m, nil
	}
	by := ""
	if x, ok := m.Room.Member(n.By); ok {
		by = x.Name
	}
	switch {
	case n.Order != 0:
		return m.obey(n.Order, by)
	case n.What == roster.ActionRefused || n.What == roster.ActionLost:
		m.tell(Told{Why: denial(n.Err)})
	case n.What == roster.OwnerForked:
		m.tell(Told{Why: Forked})
	}
	return m, nil
}

// tell shows the user something once more.
func (m *model) tell(t Told) {
	t.N = m.Told.N + 1
	m.Told = t
}

// obey does what a host orders. Nobody switches our microphone on but we ourselves.
func (m model) obey(order roster.Kind, by string) (model, []effect) {
	switch {
	case order == roster.Mute && !m.Mic.On, order == roster.StopPresenting && !m.Screen.On:
		return m, nil
	}
	m.tell(Told{Order: order, By: by})
	switch order {
	case roster.Mute:
		m.Mic.On = false
	case roster.AskUnmute:
		m.mayUnmute = true
	case roster.StopPresenting:
		m.Screen.On, m.Screen.Problem = false, Problem{}
	}
	return m.reconcile()
}

func denial(err error) Denial {
	for reason, d := range map[error]Denial{
		roster.ErrNotHost: HostsOnly, roster.ErrNotOwner: OwnerOnly, roster.ErrOnCoHost: NotToHosts, roster.ErrOnOwner: NotToHosts,
		roster.ErrAbsent: NotHere, roster.ErrNoHost: NoHosts, roster.ErrEnded: NoHosts, roster.ErrOnSelf: HostsOnly,
	} {
		if errors.Is(err, reason) {
			return d
		}
	}
	return Exhausted
}

// reserved reports whether the policy keeps switching this device on to hosts, and we are none.
func (m model) reserved(k media.Kind) bool {
	if m.Room.Me.Role > roster.Member || !m.inside() {
		return false
	}
	return k == media.Microphone && m.Room.Policy.Unmute && !m.mayUnmute || k == media.Screen && m.Room.Policy.Present
}

// admission follows what the hosts decide about us. It reports false when the meeting is over for us.
func (m model) admission() (model, []effect, bool) {
	switch standing := m.Room.Standing; {
	case standing == roster.Ended:
		m, effects := m.close(Ended, EndedForAll)
		return m, effects, false
	case standing == roster.Removed:
		why := Removed
		if m.Phase == Waiting || m.Phase == Joining {
			why = Denied
		}
		m, effects := m.close(Ended, why)
		return m, effects, false
	case !m.inside() || m.Room.Link != room.Connected:
	case standing != roster.In:
		m.Phase = Waiting
	case m.Phase == Waiting:
		m.Phase = Live
	}
	if m.Screen.On && m.reserved(media.Screen) {
		m.Screen.On, m.Screen.Problem = false, Problem{}
		m.tell(Told{Order: roster.StopPresenting})
		m, effects := m.reconcile()
		return m, effects, true
	}
	return m, nil, true
}
