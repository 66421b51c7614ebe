package room

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"parley/signal"
)

// The kinds of envelope about presence.
const (
	kindHello = "hello" // to one: who I am, bound to the receiver's fresh id
	kindCard  = "card"  // to all: what changed about me
)

// card is how a member presents itself.
type card struct {
	Name    string `json:"name"`
	Present bool   `json:"present"`
	Mic     bool   `json:"mic"`
	Camera  bool   `json:"camera"`
	Screen  bool   `json:"screen"`
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
	members []Member    // the others that have greeted us, longest here first
	here    []signal.ID // everyone the service names, greeted or not, longest here first
	earlier []signal.ID // those of them that were here before us
	ups     int         // counts connections
}

// find is a member's place in the list, or -1.
func (p presence) find(id signal.ID) int {
	return slices.IndexFunc(p.members, func(x Member) bool { return x.ID == id })
}

// believes reports whether to accept a message. A member exists once it has greeted us: its hello is bound to our
// own fresh ID, so it cannot be replayed from an earlier meeting. Messages before the hello are refused.
func (p presence) believes(ev received) bool {
	return p.find(ev.from) >= 0 || ev.env.T == kindHello && !ev.all && slices.Contains(p.here, ev.from)
}

func (p presence) next(ev event, link Link, now time.Time) (presence, []effect) {
	switch ev := ev.(type) {
	case up:
		return p.connected(ev)
	case joined:
		if slices.Contains(p.here, ev.id) {
			return p, nil
		}
		p.here = append(slices.Clone(p.here), ev.id)
		return p, []effect{p.hello(ev.id)}
	case left:
		if ev.back && p.find(ev.id) >= 0 {
			return p.absent(ev.id), []effect{after{returnPatience, expired{p.ups}}}
		}
		return p.without(ev.id), nil
	case received:
		if ev.env.T == kindHello || ev.env.T == kindCard {
			return p.meet(ev.from, *ev.env.Card, now), nil
		}
	case expired:
		if ev.up == p.ups && link == Connected { // otherwise the next connection sets a new deadline
			return p.expire(), nil
		}
	case Enter:
		me := p.me
		if !me.Present {
			me.Present, me.Since = true, now
		}
		return p.present(me)
	case SetName:
		me := p.me
		me.Name = CleanName(ev.Name)
		return p.present(me)
	case SetMarks:
		me := p.me
		me.Mic, me.Camera, me.Screen = ev.Mic, ev.Camera, ev.Screen
		return p.present(me)
	}
	return p, nil
}

// connected replaces the list of who is here. After a restart of the service, members who are missing from it get
// returnPatience to come back.
func (p presence) connected(ev up) (presence, []effect) {
	var effects []effect
	for _, id := range ev.members {
		if !ev.resumed || !slices.Contains(p.here, id) {
			effects = append(effects, p.hello(id))
		}
	}
	p.here = slices.Clone(ev.members)
	p.ups++
	if !ev.resumed {
		p.earlier = p.here
	}
	if len(p.members) > 0 {
		effects = append(effects, after{returnPatience, expired{p.ups}})
	}
	return p, effects
}

// expire drops the members that the service no longer names.
func (p presence) expire() presence {
	for _, x := range p.members {
		if !slices.Contains(p.here, x.ID) {
			p = p.without(x.ID)
		}
	}
	return p
}

// absent keeps the member, but the service does not name it. One who comes back under the same ID came after us.
func (p presence) absent(id signal.ID) presence {
	p.here = slices.DeleteFunc(slices.Clone(p.here), func(x signal.ID) bool { return x == id })
	p.earlier = slices.DeleteFunc(slices.Clone(p.earlier), func(x signal.ID) bool { return x == id })
	return p
}

func (p presence) without(id signal.ID) presence {
	p = p.absent(id)
	p.members = slices.DeleteFunc(slices.Clone(p.members), func(x Member) bool { return x.ID == id })
	return p
}

// present changes our card and sends it to everyone if it differs.
func (p presence) present(me Member) (presence, []effect) {
	if me == p.me {
		return p, nil
	}
	p.me = me
	return p, []effect{send{env: envelope{T: kindCard, Card: p.card()}}}
}

// card is our card for the others. It is empty while we are in the lobby.
func (p presence) card() *card {
	if !p.me.Present {
		return &card{}
	}
	return &card{Name: p.me.Name, Present: p.me.Present, Mic: p.me.Mic, Camera: p.me.Camera, Screen: p.me.Screen}
}

func (p presence) hello(to signal.ID) effect {
	return send{to: to, env: envelope{T: kindHello, Card: p.card()}}
}

// meet takes over a member's card.
func (p presence) meet(id signal.ID, c card, now time.Time) presence {
	x := Member{ID: id, claimed: c.Name, Present: c.Present, Mic: c.Mic, Camera: c.Camera, Screen: c.Screen}
	x.Earlier = slices.Contains(p.earlier, x.ID)
	i := p.find(id)
	if i >= 0 {
		x.Since, x.Name = p.members[i].Since, p.members[i].Name
	}
	if i < 0 || p.members[i].claimed != c.Name {
		x.Name = p.distinct(c.Name, id)
	}
	if x.Present && x.Since.IsZero() {
		x.Since = now
	}
	p.members = slices.Clone(p.members)
	if i >= 0 {
		p.members[i] = x
		return p
	}
	p.members = append(p.members, x)
	slices.SortStableFunc(p.members, func(a, b Member) int {
		return cmp.Compare(slices.Index(p.here, a.ID), slices.Index(p.here, b.ID))
	})
	return p
}

// distinct makes a member's name differ from the others' and from ours. The second member with a name, or with one
// that looks like it, gets a number. An empty name stays empty.
func (p presence) distinct(name string, id signal.ID) string {
	if name == "" {
		return ""
	}
	taken := map[string]bool{skeleton(p.me.Name): true}
	for _, x := range p.members {
		if x.ID != id {
			taken[skeleton(x.Name)] = true
		}
	}
	told := name
	for n := 2; taken[skeleton(told)]; n++ {
		told = fmt.Sprintf("%s (%d)", name, n)
	}
	return told
}
