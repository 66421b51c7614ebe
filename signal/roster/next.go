package roster

import (
	"maps"
	"slices"

	"parley/signal"
	"parley/signal/identity"
)

// Next is all the logic of a roster: it returns the new state and the effects of an event.
func Next(s State, ev Event) (State, []Effect) {
	switch ev := ev.(type) {
	case Hello:
		return s.hello(ev.Keys)
	case Left:
		s.here = slices.DeleteFunc(slices.Clone(s.here), func(p identity.Public) bool { return p.ID() == ev.ID })
		s.knocks = without(slices.Clone(s.knocks), ev.ID)
	case Received:
		return s.receive(ev)
	case Knocked:
		return s.knock(ev.From), nil
	case Ordered:
		if !ev.Order.order() || s.roster.May(ev.From, ev.Order, s.me) != nil {
			s.Refused++
			return s, nil
		}
		return s, []Effect{Obey{ev.From, ev.Order}}
	case Act:
		return s.act(ev.Action)
	case Tick:
		return s.tick()
	}
	return s, nil
}

func (s State) hello(keys identity.Public) (State, []Effect) {
	id := keys.ID()
	if id == s.me {
		return s, nil
	}
	if !s.isHere(id) {
		if len(s.here) >= maxKnown {
			s.Refused++
			return s, nil
		}
		s.here = append(slices.Clone(s.here), keys)
	}
	if s.roster == nil {
		return s, nil
	}
	return s, []Effect{Send{[]signal.ID{id}, s.roster.Encode()}}
}

// knock remembers who knocks. Nobody but hosts should hear it.
func (s State) knock(from signal.ID) State {
	if s.Role(s.me) == Member || s.Standing(from) != Waiting || !s.isHere(from) {
		s.Refused++
		return s
	}
	if !slices.Contains(s.knocks, from) {
		s.knocks = append(slices.Clone(s.knocks), from)
	}
	return s
}

// tick mends what was lost: one member in turn gets the roster, and answers if it has a greater one.
func (s State) tick() (State, []Effect) {
	s.told, s.strikes = nil, nil
	var effects []Effect
	if s.owns() && (s.roster == nil || s.roster.Term.Owner != s.me || s.roster.Epoch >= signal.MaxNumber) {
		s, effects = s.settle(true)
	}
	if s.roster != nil && len(s.here) > 0 {
		s.next = (s.next + 1) % len(s.here)
		effects = append(effects, Send{[]signal.ID{s.here[s.next].ID()}, s.roster.Encode()})
	}
	return s, effects
}

// receive takes a roster over if it is greater than ours and right in everything. Whoever sends a lesser one gets
// ours, once between two ticks.
func (s State) receive(ev Received) (State, []Effect) {
	if s.strikes[ev.From] >= maxStrikes || len(s.strikes) >= 2*maxKnown {
		s.Refused++
		return s, nil
	}
	r, err := Parse(ev.Roster)
	if err != nil {
		return s.strike(ev.From), nil
	}
	order := Compare(r, s.roster)
	told := slices.Contains(s.told, ev.From)
	host := s.Role(s.me) > Member
	if order == 0 || order < 0 && (told || !s.isHere(ev.From)) {
		return s, nil
	}
	if order > 0 || host { // a host keeps the removals of one that is lesser
		if err := r.check(s.cfg.Room, s.root(), s.roster); err != nil {
			return s.strike(ev.From), nil
		}
	}
	if order > 0 {
		return s.adopt(r)
	}
	s.told = append(slices.Clone(s.told), ev.From)
	effects := []Effect{Send{[]signal.ID{ev.From}, s.roster.Encode()}}
	if host {
		var of []Effect
		s = s.keepRemovals(r)
		s, of = s.settle(false)
		effects = append(effects, of...)
	}
	return s, effects
}

// root is the fingerprint that a roster's creator has to have.
func (s State) root() string {
	if s.cfg.Owner == "" && s.roster != nil {
		return Fingerprint(s.roster.Term.Root[:])
	}
	return s.cfg.Owner
}

func (s State) strike(from signal.ID) State {
	s.Refused++
	s.strikes = maps.Clone(s.strikes)
	if s.strikes == nil {
		s.strikes = make(map[signal.ID]int)
	}
	s.strikes[from]++
	return s
}

// adopt takes a greater roster over, and does again what it does not take into account.
func (s State) adopt(r *Roster) (State, []Effect) {
	old := s
	s.roster = r
	var effects []Effect
	if old.roster != nil && forked(old.roster.Term, r.Term) {
		effects = append(effects, Notice{What: OwnerForked})
	}
	if s.Role(s.me) != old.Role(s.me) {
		if len(s.pending) > 0 && s.Role(s.me) == Member {
			effects = append(effects, Notice{What: ActionLost, Err: ErrNotHost})
		}
		s.pending = nil
	} else if old.roster != nil {
		s = s.keepRemovals(old.roster)
	}
	s, of := s.changed(old)
	effects = append(effects, of...)
	s, of = s.settle(s.owns() && r.Term.Owner != s.me || s.offered())
	return s, append(effects, of...)
}

// forked reports whether one key has handed the meeting to two others.
func forked(a, b Term) bool {
	for i := range min(len(a.Handovers), len(b.Handovers)) {
		if a.Handovers[i].To != b.Handovers[i].To {
			return true
		}
	}
	return false
}

// keepRemovals does again what other hosts have done in a roster that has lost: whoever they removed stays out, even
// if they are no longer here to do it again. Only a fork is mended: a host who has seen a removal may revoke it.
func (s State) keepRemovals(lost *Roster) State {
	won := s.roster
	fork := false
	for i, id := range lost.Term.hosts() {
		at := slices.Index(won.Term.hosts(), id)
		fork = fork || at >= 0 && lost.Seen[i] > won.Seen[at]
	}
	for _, id := range lost.Removed {
		if fork && won.Role(s.me) > Member && won.Role(id) == Member && !slices.Contains(won.Removed, id) && !s.isPending(Remove, id) {
			s = s.remember(Action{Kind: Remove, Target: id})
		}
	}
	return s
}

func (s State) isPending(kind Kind, target signal.ID) bool {
	return slices.ContainsFunc(s.pending, func(p pending) bool {
		return p.action.Kind == kind && p.action.Target == target && p.n > s.seen()
	})
}

// act does what the user wants, or says why not.
func (s State) act(a Action) (State, []Effect) {
	if err := s.May(a); err != nil {
		return s, []Effect{Notice{What: ActionRefused, Err: err}}
	}
	if a.Kind.order() {
		return s, []Effect{Tell{a.Target, a.Kind}}
	}
	return s.remember(a).settle(false)
}

// remember gives an action of ours its number.
func (s State) remember(a Action) State {
	p := pending{action: a}
	switch a.Kind {
	case AdmitAll:
		p.targets = slices.Clone(s.knocks)
	case Admit:
		p.targets = []signal.ID{a.Target}
	}
	for _, x := range s.here {
		if s.Standing(x.ID()) == In {
			p.present = append(p.present, x.ID())
		}
	}
	s.number = max(s.number, s.seen()) + 1
	p.n = s.number
	s.pending = append(slices.Clone(s.pending), p)
	s.pending = s.pending[max(0, len(s.pending)-maxPending):]
	return s
}

// seen is how many of our actions the roster takes into account.
func (s State) seen() uint64 {
	if s.roster == nil {
		return 0
	}
	if at := slices.Index(s.roster.Term.hosts(), s.me); at >= 0 {
		return s.roster.Seen[at]
	}
	return 0
}

// settle puts on top of the roster what it lacks: our claim to the meeting, and those of our actions that it does
// not take into account, as far as they are still allowed and still change something.
func (s State) settle(claim bool) (State, []Effect) {
	var effects []Effect
	todo := slices.DeleteFunc(slices.Clone(s.pending), func(p pending) bool { return p.n <= s.seen() })
	if !claim && len(todo) == 0 {
		return s, nil
	}
	d, ok := s.begin()
	if !ok {
		return s, nil
	}
	d.changed = d.changed || claim
	for _, p := range todo {
		err := d.May(s.me, p.action.Kind, p.action.Target)
		if err == nil && p.tries < maxTries && s.do(&d, p) {
			s = s.retry(p)
			continue
		}
		if err != nil {
			effects = append(effects, Notice{What: ActionLost, Err: err})
		}
		s.pending = slices.DeleteFunc(slices.Clone(s.pending), func(x pending) bool { return x.n == p.n })
	}
	if !d.changed {
		return s, effects
	}
	d.Seen[slices.Index(d.Term.hosts(), s.me)] = s.number
	r, err := s.sign(&d)
	if err != nil {
		s.pending = nil
		return s, append(effects, Notice{What: ActionLost, Err: err})
	}
	s, of := s.publish(r)
	return s, append(effects, of...)
}

func (s State) retry(p pending) State {
	s.pending = slices.Clone(s.pending)
	for i := range s.pending {
		if s.pending[i].n == p.n {
			s.pending[i].tries++
		}
	}
	return s
}
