package room

import (
	"encoding/json"
	"time"

	"parley/signal"
)

// model is everything a room knows: one part for each feature, and what Run reports.
type model struct {
	link     Link
	err      error
	refused  uint64
	ice      []signal.ICEServer
	presence presence
	chat     conversation
}

func newModel(me Member) model {
	return model{link: Connecting, presence: presence{me: me}}
}

// state is what the model shows to others.
func (m model) state() State {
	return State{
		Link: m.link, Err: m.err, Refused: m.refused + m.chat.overRate, ICE: m.ice,
		Me: m.presence.me, Members: m.presence.members, Chat: m.chat.messages,
	}
}

// next is all the logic of a room: it returns the new model and the effects of an event. Each feature's own next
// sees every event that is accepted. Presence comes first, because chat asks it who is here.
func next(m model, ev event, now time.Time) (model, []effect) {
	if !m.presence.believes(ev) {
		return m, nil
	}
	m, effects := m.next(ev)
	var of []effect
	m.presence, of = m.presence.next(ev, m.link, now)
	effects = append(effects, of...)
	m.chat, of = m.chat.next(ev, m.presence, now)
	return m, append(effects, of...)
}

// next follows the connection, and passes on what package call says.
func (m model) next(ev event) (model, []effect) {
	switch ev := ev.(type) {
	case servers:
		m.ice = ev.ice
	case up:
		m.link, m.err = Connected, nil
	case down:
		m.link, m.err = Reconnecting, ev.err
	case over:
		m.link, m.err = Closed, ev.err
	case refused:
		m.refused++
	case leave:
		return m, []effect{hangUp{}}
	case sendCall:
		return m, []effect{send{to: ev.to, env: envelope{T: kindCall, Call: json.RawMessage(ev.payload)}}}
	case received:
		m.refused += ev.forged
		if ev.env.T == kindCall {
			return m, []effect{deliver{ev.from, ev.env.Call}}
		}
	}
	return m, nil
}
