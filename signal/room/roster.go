package room

import (
	"slices"
	"time"

	"parley/signal"
	"parley/signal/roster"
)

// The kinds of envelope about who belongs here.
const (
	kindRoster = "roster" // to one: what the hosts have decided, signed by them
	kindKnock  = "knock"  // to a host, from who waits: the name
	kindOrder  = "order"  // to one: what a host asks of them
)

// orders are the texts of those orders.
var orders = map[string]roster.Kind{
	"mute": roster.Mute, "unmute?": roster.AskUnmute, "stop": roster.StopPresenting,
}

func validOrder(e *envelope) bool { return orders[e.Order] != 0 }

// The first tick comes when everybody has had time to say hello and send their roster: an owner who has heard of none
// by then is the first one here.
const (
	firstTick    = 2 * time.Second
	tickInterval = 10 * time.Second
)

// hosts is the roster, and what the room keeps beside it.
type hosts struct {
	roster  roster.State
	ticking bool
	knocked map[signal.ID]string // the name under which we have knocked at each host
}

// Notice is something that happened to us, or that a host wants of us.
type Notice struct {
	What  roster.What
	Order roster.Kind // What is 0: a host tells us to do this
	By    signal.ID   // who did it, if somebody did
	Err   error       // why an action of ours was refused or lost
}

// meets and parts are what a change of the roster means for one member: they and we are in, or no longer.
type (
	meets struct{ id signal.ID }
	parts struct{ id signal.ID }
)

// next tells the roster what happened. Besides the effects it returns who meets us and who parts from us.
func (h hosts) next(ev event) (hosts, []effect, []event) {
	switch ev := ev.(type) {
	case up:
		if len(ev.members) == 0 { // nobody knows a roster
			return h.tell(roster.Tick{})
		}
		if !h.ticking {
			h.ticking = true
			return h, []effect{after{firstTick, tick{}}}, nil
		}
	case tick:
		h, effects, moves := h.tell(roster.Tick{})
		return h, append(effects, after{tickInterval, tick{}}), moves
	case greeted:
		h.knocked = withoutKey(h.knocked, ev.from) // it may have lost what we said
		h, effects, moves := h.tell(roster.Hello{Keys: ev.keys})
		if len(ev.roster) == 0 {
			return h, effects, moves
		}
		h, more, moved := h.tell(roster.Received{From: ev.from, Roster: ev.roster})
		return h, append(effects, more...), append(moves, moved...)
	case received:
		switch ev.env.T {
		case kindRoster:
			return h.tell(roster.Received{From: ev.from, Roster: ev.env.Roster})
		case kindKnock:
			return h.tell(roster.Knocked{From: ev.from})
		case kindOrder:
			return h.tell(roster.Ordered{From: ev.from, Order: orders[ev.env.Order]})
		}
	case Host:
		return h.tell(roster.Act{Action: ev.Action})
	}
	return h, nil, nil
}

// tell feeds the roster and turns its effects into those of the room.
func (h hosts) tell(ev roster.Event) (hosts, []effect, []event) {
	var effects []effect
	var moves []event
	var told []signal.ID
	next, decided := roster.Next(h.roster, ev)
	h.roster = next
	for _, e := range decided {
		switch e := e.(type) {
		case roster.Send:
			told = append(told, e.To...)
			for _, id := range e.To {
				effects = append(effects, send{to: id, env: envelope{T: kindRoster, Roster: e.Roster}})
			}
		case roster.Tell:
			for text, kind := range orders {
				if kind == e.Order { // the roster first: perhaps they have not heard yet that we are a host
					effects = append(effects, h.pass(e.To), send{to: e.To, env: envelope{T: kindOrder, Order: text}})
				}
			}
		case roster.Obey:
			effects = append(effects, notice{Notice{Order: e.Order, By: e.By}})
		case roster.Notice:
			effects = append(effects, notice{Notice{What: e.What, By: e.By, Err: e.Err}})
		case roster.Keep:
			effects = append(effects, keep{e.Roster})
		case roster.Meet:
			// They may hear of the roster that lets us meet from us first, and would not listen to us before.
			if !slices.Contains(told, e.ID) {
				effects = append(effects, h.pass(e.ID))
			}
			moves = append(moves, meets{e.ID})
		case roster.Part:
			moves = append(moves, parts{e.ID})
		}
	}
	return h, effects, moves
}

// pass sends the roster that holds to one member.
func (h hosts) pass(to signal.ID) effect {
	return send{to: to, env: envelope{T: kindRoster, Roster: h.roster.Roster().Encode()}}
}

// knock tells the hosts that we wait, once each, and again under a new name.
func (h hosts) knock(me Member) (hosts, []effect) {
	if !me.Present || h.roster.Standing(me.ID) != roster.Waiting {
		h.knocked = nil
		return h, nil
	}
	var effects []effect
	for _, id := range h.roster.Hosts() {
		if name, done := h.knocked[id]; done && name == me.Name {
			continue
		}
		h.knocked = withoutKey(h.knocked, id)
		h.knocked[id] = me.Name
		effects = append(effects, send{to: id, env: envelope{T: kindKnock, Card: &card{Name: me.Name}}})
	}
	return h, effects
}

// withoutKey is a copy that can be written.
func withoutKey(m map[signal.ID]string, id signal.ID) map[signal.ID]string {
	copied := make(map[signal.ID]string, len(m)+1)
	for k, v := range m {
		if k != id {
			copied[k] = v
		}
	}
	return copied
}

// in reports whether we are.
func (h hosts) in(me signal.ID) bool { return h.roster.Standing(me) == roster.In }

// fromOutside are the kinds of envelope that are taken from somebody who is greeted and not in, or while we are not:
// with the roster they prove that they are, and a card may be on its way before it.
var fromOutside = []string{kindRoster, kindKnock, kindCard}

// silences reports whether the policy keeps a message from the chat.
func (h hosts) silences(ev event, me signal.ID) bool {
	switch ev := ev.(type) {
	case received:
		return ev.env.T == kindChat && !h.roster.Allows(ev.from, roster.ToChat)
	case Say, Resend:
		return !h.roster.Allows(me, roster.ToChat)
	}
	return false
}

// show fills in what the roster says.
func (h hosts) show(s *State, p presence) {
	s.Standing, s.FirstSeen = h.roster.Standing(p.me.ID), h.roster.FirstSeen()
	if r := h.roster.Roster(); r != nil {
		s.Hosted, s.Policy = true, r.Policy
	}
	s.Me.Role = h.roster.Role(p.me.ID)
	s.Members = slices.Clone(p.members)
	for i := range s.Members {
		s.Members[i].Role = h.roster.Role(s.Members[i].ID)
		s.Members[i].Screen = s.Members[i].Screen && h.roster.Allows(s.Members[i].ID, roster.ToPresent)
	}
	for _, id := range h.roster.Knocks() {
		if i := slices.IndexFunc(p.outside, func(x Member) bool { return x.ID == id }); i >= 0 {
			x := p.outside[i]
			x.Name = distinct(x.claimed, id, p.names())
			s.Knocking = append(s.Knocking, x)
		}
	}
}
