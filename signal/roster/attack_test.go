package roster

import (
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"testing"

	"parley/signal"
	"parley/signal/identity"
)

// forge signs a roster as somebody does who follows no rule.
func forge(r Roster, room string, by *identity.Identity) *Roster {
	keys := by.Public()
	r.By = &keys
	copy(r.Sig[:], by.Sign(r.signed(room)))
	return &r
}

// owned signs a roster and its term with an owner's key.
func owned(r Roster, room string, key ed25519.PrivateKey) *Roster {
	r.By = nil
	copy(r.Term.Sig[:], ed25519.Sign(key, r.Term.signed(room)))
	copy(r.Sig[:], ed25519.Sign(key, r.signed(room)))
	return &r
}

// TestForgedRosters: each is greater than the one that holds, and wrong in one thing.
func TestForgedRosters(t *testing.T) {
	w := started(t, 5)
	owner, ben, mal, victim := w.people[0], w.people[1], w.people[2], w.people[3]
	w.act(owner, Action{Kind: MakeCoHost, Target: ben.id})
	w.act(owner, Action{Kind: SetWaiting, On: true})
	holds := w.same()
	next := newDraft(holds).Roster
	next.Epoch++
	change := func(f func(r *Roster)) Roster {
		r := newDraft(&next).Roster
		f(&r)
		return r
	}
	authority := func(r *Roster) {
		r.Term.N++
		r.Term.CoHosts = []signal.ID{mal.id}
	}
	small := change(func(r *Roster) { r.Term.Root, r.Term.N = Key{1}, r.Term.N+1 })
	for name, c := range map[string]struct {
		r    *Roster
		want error
	}{
		"a member signs as themselves":         {forge(next, testRoom, mal.me), ErrRosterSig},
		"a member signs as a co-host":          {func() *Roster { r := forge(next, testRoom, mal.me); *r.By = ben.me.Public(); return r }(), ErrRosterSig},
		"a member signs as the owner":          {func() *Roster { r := forge(next, testRoom, mal.me); r.By = nil; return r }(), ErrRosterSig},
		"a member gives themselves authority":  {forge(change(authority), testRoom, mal.me), ErrTermSig},
		"a co-host gives somebody authority":   {forge(change(authority), testRoom, ben.me), ErrTermSig},
		"a member owns the meeting":            {owned(change(func(r *Roster) { r.Term.N++; copy(r.Term.Root[:], mal.key[32:]) }), testRoom, mal.key), ErrRoot},
		"a member hands the meeting over":      {owned(change(func(r *Roster) { r.Term.Handovers = []Handover{{To: Key(mal.key[32:])}} }), testRoom, mal.key), ErrTermSig},
		"a co-host ends the meeting":           {forge(change(func(r *Roster) { r.Ended = true }), testRoom, ben.me), ErrRules},
		"a co-host removes the owner":          {forge(change(func(r *Roster) { r.Removed = []signal.ID{owner.id} }), testRoom, ben.me), ErrRules},
		"somebody is admitted and removed":     {forge(change(func(r *Roster) { r.Removed = []signal.ID{victim.id} }), testRoom, ben.me), ErrRules},
		"admitted while the meeting is open":   {forge(change(func(r *Roster) { r.Policy.Waiting = false }), testRoom, ben.me), ErrRules},
		"the co-host's roster of another room": {forge(next, strings.Repeat("A", 22), ben.me), ErrRosterSig},
		"the owner's roster of another room":   {owned(change(func(r *Roster) { r.Term.N++ }), strings.Repeat("A", 22), owner.key), ErrTermSig},
		"the owner's key is one of all":        {owned(small, testRoom, mal.key), ErrRoot},
		"an offer that the owner did not sign": {owned(change(func(r *Roster) { r.Term.N++; r.Term.Offer = &Handover{To: mal.me.Public().Sign} }), testRoom, owner.key), ErrTermSig},
		"the owner signs the same roster":      {owned(next, testRoom, owner.key), nil},
	} {
		if got := c.r.check(testRoom, owner.s.cfg.Owner, holds); !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if c.want == nil {
			continue
		}
		before := victim.s
		victim.s.strikes = nil
		w.step(victim, Received{mal.id, c.r.Encode()})
		if Compare(victim.roster(), holds) != 0 || victim.s.Refused != before.Refused+1 {
			t.Errorf("%s: it holds, or is not counted", name)
		}
	}
}

// TestKeysOfSmallOrder: with the first owner seen, anybody could sign for such a key.
func TestKeysOfSmallOrder(t *testing.T) {
	_, key := keysOf(1)
	for _, sign := range []byte{0, 0x80} {
		root := Key{1} // the neutral element
		root[31] |= sign
		r := owned(Roster{Term: Term{Root: root, N: 1, Owner: "AAAAAAAAAAAAAAAA"}, Epoch: 1, Seen: []uint64{0}}, testRoom, key)
		if err := r.check(testRoom, "", nil); !errors.Is(err, ErrKey) {
			t.Errorf("%x: %v", root, err)
		}
	}
	// For it the signature "nothing" is right.
	neutral := Key{1}
	if !ed25519.Verify(neutral[:], []byte("anything"), append([]byte{1}, make([]byte, 63)...)) {
		t.Error("the check guards against nothing")
	}
}

// TestReplayedRosters: a service that keeps old rosters and shows them in any order changes nothing for those who
// know a later one.
func TestReplayedRosters(t *testing.T) {
	w := newWorld(t, 4)
	var all [][]byte
	w.after = func(_ *person, _ *Roster, _ Event, made []byte) {
		if made != nil && !slices.ContainsFunc(all, func(b []byte) bool { return string(b) == string(made) }) {
			all = append(all, made)
		}
	}
	w.tick()
	owner, ben, cem, dan := w.people[0], w.people[1], w.people[2], w.people[3]
	w.act(owner, Action{Kind: MakeCoHost, Target: ben.id})
	w.act(ben, Action{Kind: SetLocked, On: true})
	w.act(owner, Action{Kind: Remove, Target: ben.id})
	w.act(owner, Action{Kind: ReserveChat, On: true})
	holds := w.same()
	if len(all) < 5 {
		t.Fatalf("%d rosters were made", len(all))
	}
	for _, old := range slices.Backward(all) {
		w.step(cem, Received{dan.id, old})
		w.step(owner, Received{ben.id, old})
	}
	w.settle()
	if Compare(w.same(), holds) != 0 {
		t.Error("an old roster has changed something")
	}
	// Who missed everything, or gets it in the wrong order, ends where the others are.
	me, key := keysOf(40)
	eva := w.add(me, Config{Room: testRoom, Owner: owner.s.cfg.Owner, Key: key})
	w.mail = nil
	for _, i := range []int{2, 0, 3, 1} {
		w.step(eva, Received{dan.id, all[i]})
	}
	w.tick()
	if w.same().Standing(eva.id) != LockedOut {
		t.Error("a newcomer is let in by old rosters")
	}
}

// TestRemovedCoHostForks: a co-host who was removed signs on in the term in which they were one.
func TestRemovedCoHostForks(t *testing.T) {
	w := started(t, 4)
	owner, mal, cem := w.people[0], w.people[1], w.people[2]
	w.act(owner, Action{Kind: MakeCoHost, Target: mal.id})
	w.act(owner, Action{Kind: SetWaiting, On: true})
	past := newDraft(w.same()).Roster
	w.act(owner, Action{Kind: Remove, Target: mal.id})
	past.Epoch = signal.MaxNumber
	past.Policy, past.Admitted, past.Removed = Policy{}, nil, []signal.ID{cem.id}
	fork := forge(past, testRoom, mal.me)
	if err := fork.check(testRoom, owner.s.cfg.Owner, nil); err != nil {
		t.Fatal("the fork is no fork:", err)
	}
	for _, p := range w.people {
		if p != mal {
			w.step(p, Received{mal.id, fork.Encode()})
		}
	}
	w.settle()
	if r := w.same(); r.Standing(cem.id) != In || r.Standing(mal.id) != Removed || !r.Policy.Waiting {
		t.Error("a fork of a removed co-host holds")
	}
}

// TestNumbersUsedUp: a co-host who uses the last number stops the other co-hosts, and the owner goes on.
func TestNumbersUsedUp(t *testing.T) {
	w := started(t, 4)
	owner, mal, cem := w.people[0], w.people[1], w.people[2]
	w.act(owner, Action{Kind: MakeCoHost, Target: mal.id})
	w.act(owner, Action{Kind: MakeCoHost, Target: cem.id})
	r := newDraft(w.same()).Roster
	r.Epoch = signal.MaxNumber
	r.Policy.Chat = true
	for _, p := range w.people[1:] {
		w.step(p, Received{mal.id, forge(r, testRoom, mal.me).Encode()})
	}
	w.step(cem, Act{Action{Kind: ReserveChat}})
	if n, ok := cem.last(ActionRefused); !ok || !errors.Is(n.Err, ErrExhausted) {
		t.Errorf("a co-host goes past the last number: %v", n.Err)
	}
	w.tick()
	if r := w.same(); r.Epoch > 10 {
		t.Error("the owner has not begun a new term")
	}
	w.act(cem, Action{Kind: ReserveChat})
	if w.same().Policy.Chat {
		t.Error("the co-hosts cannot go on")
	}
	r.Epoch = 1 << 63
	if _, err := Parse(forge(r, testRoom, mal.me).Encode()); !errors.Is(err, ErrForm) {
		t.Errorf("epoch 2^63: %v", err)
	}
}

// TestSameNumberTwice: one host signs two rosters with one number. Everybody holds the same one of them in the end.
func TestSameNumberTwice(t *testing.T) {
	w := started(t, 5)
	owner, mal := w.people[0], w.people[1]
	w.act(owner, Action{Kind: MakeCoHost, Target: mal.id})
	r := newDraft(w.same()).Roster
	r.Epoch++
	one, two := r, r
	one.Policy.Chat, two.Policy.Present = true, true
	for i, p := range w.people {
		if i%2 == 0 {
			w.step(p, Received{mal.id, forge(one, testRoom, mal.me).Encode()})
		} else {
			w.step(p, Received{mal.id, forge(two, testRoom, mal.me).Encode()})
		}
	}
	w.tick()
	w.same()
}

// TestFirstOwnerSeen: with a typed code there is no fingerprint, and whoever comes first is believed, and nobody else.
func TestFirstOwnerSeen(t *testing.T) {
	w := started(t, 2)
	owner := w.people[0]
	me, key := keysOf(50)
	typed := w.add(me, Config{Room: testRoom, Key: key})
	if typed.s.FirstSeen() {
		t.Error("somebody is believed who has not been seen")
	}
	w.settle()
	if typed.s.Role(owner.id) != Owner || !typed.s.FirstSeen() || w.people[1].s.FirstSeen() {
		t.Error("the first owner seen is not believed, or that is not said")
	}
	other, otherKey := keysOf(51)
	r := owned(Roster{
		Term: Term{Root: Key(otherKey[32:]), N: 1000, Owner: other.ID()}, Epoch: 1, Seen: []uint64{0},
	}, testRoom, otherKey)
	w.step(typed, Received{other.ID(), r.Encode()})
	if typed.s.Role(owner.id) != Owner || typed.s.Refused != 1 {
		t.Error("a second owner is believed")
	}
}

// TestFlood: a member who sends wrong rosters costs a bounded number of signatures between two ticks.
func TestFlood(t *testing.T) {
	w := started(t, 3)
	p, mal := w.people[1], w.people[2]
	r := newDraft(w.same()).Roster
	for range 100 {
		r.Epoch++
		w.step(p, Received{mal.id, forge(r, testRoom, mal.me).Encode()})
	}
	if p.s.strikes[mal.id] != maxStrikes || p.s.Refused != 100 || len(w.mail) > 0 {
		t.Errorf("%d rosters were looked at, %d refused, %d answered", p.s.strikes[mal.id], p.s.Refused, len(w.mail))
	}
	// A lesser one is answered once, and the one that we have is not.
	old := newDraft(w.same()).Roster
	old.Epoch, old.Term.N = 1, 1
	old = *owned(old, testRoom, w.people[0].key)
	w.act(w.people[0], Action{Kind: ReserveUnmute, On: true})
	for range 100 {
		w.step(w.people[2], Received{p.id, old.Encode()})
		w.step(w.people[2], Received{p.id, w.same().Encode()})
	}
	if len(w.mail) != 1 {
		t.Errorf("%d answers", len(w.mail))
	}
	w.step(p, Tick{})
	w.settle()
	// Nor does a removed person's list grow for ever, or anybody else's.
	for i := range 3 * MaxRemoved {
		d := newDraft(w.people[0].roster())
		d.remove(signal.NewID())
		d.Policy.Waiting = true
		if d.admit(signal.NewID()); i > MaxRemoved && len(d.Removed) != MaxRemoved {
			t.Fatalf("%d removed", len(d.Removed))
		}
		w.people[0].s.roster = &d.Roster
	}
	w.act(w.people[0], Action{Kind: ReserveChat, On: true})
	if r := w.people[1].roster(); len(r.Encode()) > MaxBytes || len(r.Admitted) > MaxAdmitted || !r.Policy.Chat {
		t.Errorf("%d bytes, %d admitted", len(r.Encode()), len(r.Admitted))
	}
}
