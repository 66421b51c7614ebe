package room

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"parley/signal"
	"parley/signal/trust"
)

// The kinds of envelope about presence.
const (
	kindHello = "hello" // to one: my keys, bound to the receiver's fresh ID
	kindCard  = "card"  // to one after its hello, and to all after a change: name and marks
)

// card is how a member presents itself.
type card struct {
	Name    string `json:"name"`
	Present bool   `json:"present"`
	Mic     bool   `json:"mic"`
	Camera  bool   `json:"camera"`
	Screen  bool   `json:"screen"`
	// Device is only in a card to one. Whoever has it recognises the sender in other meetings.
	Device *trust.Voucher `json:"device,omitempty"`
}

func validCard(e *envelope) bool {
	if e.Card == nil {
		return false
	}
	e.Card.Name = CleanName(e.Card.Name)
	return true
}

// returnPatience is how long we keep members whom a restarted service does not name yet. They are reconnecting, and
// their pictures and sound still flow.
const returnPatience = 20 * time.Second

// presence is who is here, and their cards.
type presence struct {
	me      Member
	members []Member    // the others that have greeted us and are in, longest here first
	outside []Member    // those that have greeted us and are not, or all while we are not
	here    []signal.ID // everyone the service names, greeted or not, longest here first
	earlier []signal.ID // those of them that were here before us
	ups     int         // counts connections
	device  *trust.Voucher
}

// find is a member's place in the list, or -1.
func (p presence) find(id signal.ID) int {
	return slices.IndexFunc(p.members, func(x Member) bool { return x.ID == id })
}

// named reports whether the service has told us of somebody.
func (p presence) named(id signal.ID) bool {
	return slices.Contains(p.here, id) || p.find(id) >= 0 || p.findOutside(id) >= 0
}

func (p presence) findOutside(id signal.ID) int {
	return slices.IndexFunc(p.outside, func(x Member) bool { return x.ID == id })
}

// believes reports whether to accept an event. A member exists once it has greeted us: its hello is bound to our
// own fresh ID, so it cannot be replayed from an earlier meeting. Messages before the hello are refused.
func (p presence) believes(ev event) bool {
	switch ev := ev.(type) {
	case greeted:
		return p.named(ev.from)
	case received:
		return p.find(ev.from) >= 0 || p.findOutside(ev.from) >= 0 && slices.Contains(fromOutside, ev.env.T)
	}
	return true
}

func (p presence) next(ev event, link Link, h hosts, now time.Time) (presence, []effect) {
	switch ev := ev.(type) {
	case up:
		return p.connected(ev, h)
	case joined:
		if slices.Contains(p.here, ev.id) || len(p.here) >= signal.MaxMembers {
			return p, nil
		}
		p.here = append(slices.Clone(p.here), ev.id)
		return p, []effect{p.hello(ev.id, h)}
	case left:
		if ev.back && p.find(ev.id) >= 0 {
			return p.absent(ev.id), []effect{after{returnPatience, expired{p.ups}}}
		}
		return p.without(ev.id)
	case greeted:
		return p.greet(ev, h, now)
	case meets:
		if i := p.findOutside(ev.id); i >= 0 {
			return p.enter(p.outside[i], now)
		}
	case parts:
		return p.part(ev.id), []effect{exclude(ev)}
	case received:
		switch {
		case ev.env.T == kindCard && p.find(ev.from) >= 0:
			return p.meet(ev.from, *ev.env.Card, now), nil
		case ev.env.T == kindCard || ev.env.T == kindKnock:
			return p.note(ev.from, *ev.env.Card), nil
		}
	case expired:
		if ev.up == p.ups && link == Connected { // otherwise the next connection sets a new deadline
			return p.expire()
		}
	case Enter:
		me := p.me
		if !me.Present {
			me.Present, me.Since = true, now
		}
		return p.present(me, h)
	case SetName:
		me := p.me
		me.Name = CleanName(ev.Name)
		return p.present(me, h)
	case vouch:
		p.device = &ev.voucher
		var effects []effect
		for _, x := range p.members {
			effects = append(effects, p.introduce(x.ID)...)
		}
		return p, effects
	case SetMarks:
		me := p.me
		me.Mic, me.Camera, me.Screen = ev.Mic, ev.Camera, ev.Screen
		return p.present(me, h)
	}
	return p, nil
}

// connected replaces the list of who is here. After a restart of the service, members who are missing from it get
// returnPatience to come back.
func (p presence) connected(ev up, h hosts) (presence, []effect) {
	var effects []effect
	for _, id := range ev.members {
		if !ev.resumed || !slices.Contains(p.here, id) {
			effects = append(effects, p.hello(id, h))
		}
	}
	p.here = slices.Clone(ev.members)
	p.ups++
	if !ev.resumed {
		p.earlier = p.here
	}
	if len(p.members)+len(p.outside) > 0 {
		effects = append(effects, after{returnPatience, expired{p.ups}})
	}
	return p, effects
}

// expire drops the members that the service no longer names.
func (p presence) expire() (presence, []effect) {
	var effects, of []effect
	for _, x := range slices.Concat(p.members, p.outside) {
		if !slices.Contains(p.here, x.ID) {
			p, of = p.without(x.ID)
			effects = append(effects, of...)
		}
	}
	return p, effects
}

// absent keeps the member, but the service does not name it. One who comes back under the same ID came after us.
func (p presence) absent(id signal.ID) presence {
	p.here = slices.DeleteFunc(slices.Clone(p.here), func(x signal.ID) bool { return x == id })
	p.earlier = slices.DeleteFunc(slices.Clone(p.earlier), func(x signal.ID) bool { return x == id })
	return p
}

func (p presence) without(id signal.ID) (presence, []effect) {
	p = p.absent(id)
	if p.find(id) < 0 && p.findOutside(id) < 0 {
		return p, nil
	}
	other := func(x Member) bool { return x.ID == id }
	p.members = slices.DeleteFunc(slices.Clone(p.members), other)
	p.outside = slices.DeleteFunc(slices.Clone(p.outside), other)
	return p, []effect{forget{id}}
}

// present changes our card and sends it to everyone if it differs. Who waits sends it to nobody.
func (p presence) present(me Member, h hosts) (presence, []effect) {
	if me == p.me {
		return p, nil
	}
	p.me = me
	if !h.in(me.ID) {
		return p, nil
	}
	return p, []effect{send{env: envelope{T: kindCard, Card: p.card()}}}
}

// card is our card for the others. It is empty while we are in the lobby.
func (p presence) card() *card {
	if !p.me.Present {
		return &card{}
	}
	return &card{Name: p.me.Name, Present: p.me.Present, Mic: p.me.Mic, Camera: p.me.Camera, Screen: p.me.Screen}
}

// hello is our keys. It says whether we are in the meeting, so that a call can begin at once, and what the hosts have
// decided, so that a newcomer who has to wait knows it before telling anybody a name. It says no more: whoever knows
// the code can open it.
func (p presence) hello(to signal.ID, h hosts) effect {
	e := envelope{T: kindHello, Present: p.me.Present}
	if r := h.roster.Roster(); r != nil {
		e.Roster = r.Encode()
	}
	return send{to: to, env: e}
}

// greet takes over a member's keys, and tells it who we are if it and we are in.
func (p presence) greet(ev greeted, h hosts, now time.Time) (presence, []effect) {
	x := Member{ID: ev.from, Earlier: slices.Contains(p.earlier, ev.from)}
	if i := p.find(ev.from); i >= 0 {
		x = p.members[i]
	} else if i := p.findOutside(ev.from); i >= 0 {
		x = p.outside[i]
	}
	x.Keys, x.Present = ev.keys, ev.present
	if h.roster.Meets(ev.from) {
		return p.enter(x, now)
	}
	p.outside = slices.Clone(p.outside)
	if i := p.findOutside(ev.from); i >= 0 {
		p.outside[i] = x
	} else {
		p.outside = append(p.outside, x)
	}
	return p, nil
}

// enter makes somebody a member, who gets our keys and our card.
func (p presence) enter(x Member, now time.Time) (presence, []effect) {
	p.outside = slices.DeleteFunc(slices.Clone(p.outside), func(o Member) bool { return o.ID == x.ID })
	if x.Name == "" {
		x.Name = distinct(x.claimed, x.ID, p.names())
	}
	p = p.put(x, now)
	return p, append([]effect{include{x.ID}}, p.introduce(x.ID)...)
}

// introduce tells one member who we are, unless we are in the lobby.
func (p presence) introduce(to signal.ID) []effect {
	if !p.me.Present {
		return nil
	}
	c := p.card()
	c.Device = p.device
	return []effect{send{to: to, env: envelope{T: kindCard, Card: c}}}
}

// part puts a member outside.
func (p presence) part(id signal.ID) presence {
	i := p.find(id)
	if i < 0 {
		return p
	}
	x := p.members[i]
	x.Name, x.Since = "", time.Time{}
	p.outside = append(slices.Clone(p.outside), x)
	p.members = slices.Delete(slices.Clone(p.members), i, i+1)
	return p
}

// note keeps the card of somebody outside until they are in.
func (p presence) note(id signal.ID, c card) presence {
	i := p.findOutside(id)
	if i < 0 {
		return p
	}
	p.outside = slices.Clone(p.outside)
	x := &p.outside[i]
	x.claimed, x.Mic, x.Camera, x.Screen = c.Name, c.Mic, c.Camera, c.Screen
	x.Present = x.Present || c.Present
	if c.Device != nil {
		x.Device = c.Device.Key
	}
	return p
}

// meet takes over a member's card.
func (p presence) meet(id signal.ID, c card, now time.Time) presence {
	x := p.members[p.find(id)]
	if x.claimed != c.Name {
		x.claimed, x.Name = c.Name, distinct(c.Name, id, p.names())
	}
	x.Present, x.Mic, x.Camera, x.Screen = c.Present, c.Mic, c.Camera, c.Screen
	if c.Device != nil {
		x.Device = c.Device.Key
	}
	return p.put(x, now)
}

// put adds or replaces a member.
func (p presence) put(x Member, now time.Time) presence {
	if x.Present && x.Since.IsZero() {
		x.Since = now
	}
	p.members = slices.Clone(p.members)
	if i := p.find(x.ID); i >= 0 {
		p.members[i] = x
		return p
	}
	p.members = append(p.members, x)
	slices.SortStableFunc(p.members, func(a, b Member) int {
		return cmp.Compare(slices.Index(p.here, a.ID), slices.Index(p.here, b.ID))
	})
	return p
}

// names says who has which name, ours included.
func (p presence) names() map[string]signal.ID {
	names := map[string]signal.ID{}
	for _, x := range p.members {
		names[skeleton(x.Name)] = x.ID
	}
	names[skeleton(p.me.Name)] = p.me.ID
	return names
}

// distinct makes somebody's name differ from those that others have. The second one with a name, or with one that
// looks like it, gets a number. An empty name stays empty.
func distinct(name string, id signal.ID, names map[string]signal.ID) string {
	if name == "" {
		return ""
	}
	told := name
	for n := 2; ; n++ {
		if has, taken := names[skeleton(told)]; !taken || has == id {
			return told
		}
		told = fmt.Sprintf("%s (%d)", name, n)
	}
}
