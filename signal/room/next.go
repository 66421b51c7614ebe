package room

import (
	"encoding/json"
	"time"

	"parley/signal"
	"parley/signal/roster"
)

// model is everything a room knows: one part for each feature, and what Run reports.
type model struct {
	link     Link
	err      error
	refused  uint64
	ice      []signal.ICEServer
	hosts    hosts
	presence presence
	chat     conversation
	safety   safety
}

// newModel is a room before anything has happened. The seed, random, is what the secrets of its safety phrases come from.
func newModel(me Member, of roster.Config, seed [32]byte) model {
	return model{
		link: Connecting, presence: presence{me: me}, hosts: hosts{roster: roster.NewState(of)}, safety: safety{seed: seed},
	}
}

// state is what the model shows to others.
func (m model) state() State {
	s := State{
		Link: m.link, Err: m.err, Refused: m.refused + m.chat.overRate + m.hosts.roster.Refused, ICE: m.ice,
		Me: m.presence.me, Chat: m.chat.messages,
	}
	m.hosts.show(&s, m.presence)
	m.safety.show(&s)
	return s
}

// next is all the logic of a room: it returns the new model and the effects of an event. Each feature's own next
// sees every event that is accepted. The roster comes first, because presence asks it who is in, and chat comes last,
// because it asks presence who is here.
func next(m model, ev event, now time.Time) (model, []effect) {
	if !m.presence.believes(ev) {
		return m, nil
	}
	m, effects := m.next(ev)
	h, of, moves := m.hosts.next(ev)
	m.hosts = h
	effects = append(effects, of...)
	if m.hosts.silences(ev, m.presence.me.ID) {
		if _, theirs := ev.(received); theirs {
			m.refused++
			return m, effects
		}
		return m, append(effects, notice{Notice{What: roster.ActionRefused, Err: roster.ErrNotHost}})
	}
	for _, ev := range append(moves, ev) {
		m.presence, of = m.presence.next(ev, m.link, m.hosts, now)
		effects = append(effects, of...)
		m = m.gone(of)
		m.chat, of = m.chat.next(ev, m.presence, now)
		effects = append(effects, of...)
	}
	m.hosts, of = m.hosts.knock(m.presence.me)
	effects = append(effects, of...)
	m.safety, of = m.safety.next(ev, m.presence, m.hosts, now)
	return m, append(effects, of...)
}

// gone tells the roster whom presence has forgotten.
func (m model) gone(effects []effect) model {
	for _, e := range effects {
		if e, ok := e.(forget); ok {
			m.hosts.roster, _ = roster.Next(m.hosts.roster, roster.Left{ID: e.id})
		}
	}
	return m
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
		if m.presence.find(ev.to) < 0 {
			return m, nil
		}
		return m, []effect{send{to: ev.to, env: envelope{T: kindCall, Call: json.RawMessage(ev.payload)}}}
	case received:
		m.refused += ev.forged
		if ev.env.T == kindCall {
			return m, []effect{deliver{ev.from, ev.env.Call}}
		}
	}
	return m, nil
}
