package roster

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"parley/signal"
	"parley/signal/identity"
)

const testRoom = "hY74aIdToFMjsrBPYePiRQ"

// keysOf makes keys that are the same in every run.
func keysOf(n int) (*identity.Identity, ed25519.PrivateKey) {
	var a, b, c [identity.KeyBytes]byte
	for i, seed := range []*[identity.KeyBytes]byte{&a, &b, &c} {
		binary.BigEndian.PutUint64(seed[:], uint64(n))
		seed[31] = byte(i + 1)
	}
	return identity.FromSeeds(a, b), ed25519.NewKeyFromSeed(c[:])
}

// person is one member and what their program did.
type person struct {
	id      signal.ID
	me      *identity.Identity
	key     ed25519.PrivateKey
	s       State
	notices []Notice
	orders  []Obey
	parted  []signal.ID
	met     []signal.ID
	saved   []byte
}

func (p *person) roster() *Roster { return p.s.Roster() }

// world is a meeting without sockets: what members send to each other waits in mail until a test delivers it.
type world struct {
	t      *testing.T
	people []*person
	mail   []letter
	apart  func(a, b signal.ID) bool                              // the network between two is down: letters are lost
	after  func(p *person, before *Roster, ev Event, made []byte) // checks each step
}

type letter struct {
	from, to signal.ID
	roster   []byte // or an order
	order    Kind
}

// newWorld is a meeting of n people who have all said hello; the first has created it.
func newWorld(t *testing.T, n int) *world {
	w := &world{t: t}
	_, creator := keysOf(0)
	for i := range n {
		me, key := keysOf(i)
		w.add(me, Config{Room: testRoom, Owner: Fingerprint(creator.Public().(ed25519.PublicKey)), Key: key})
	}
	return w
}

// add lets somebody come in; everybody and they say hello.
func (w *world) add(me *identity.Identity, cfg Config) *person {
	cfg.Me = me
	p := &person{id: me.ID(), me: me, key: cfg.Key, s: NewState(cfg)}
	w.people = append(w.people, p)
	for _, x := range w.people {
		if x != p {
			w.step(x, Hello{me.Public()})
			w.step(p, Hello{x.me.Public()})
		}
	}
	return p
}

// leave takes somebody away.
func (w *world) leave(p *person) {
	w.people = slices.DeleteFunc(slices.Clone(w.people), func(x *person) bool { return x == p })
	for _, x := range w.people {
		w.step(x, Left{p.id})
	}
}

func (w *world) find(id signal.ID) *person {
	if i := slices.IndexFunc(w.people, func(p *person) bool { return p.id == id }); i >= 0 {
		return w.people[i]
	}
	return nil
}

func (w *world) step(p *person, ev Event) {
	before := p.roster()
	s, effects := Next(p.s, ev)
	p.s = s
	var made []byte
	for _, e := range effects {
		switch e := e.(type) {
		case Send:
			made = e.Roster
			for _, to := range e.To {
				w.mail = append(w.mail, letter{from: p.id, to: to, roster: e.Roster})
			}
		case Tell:
			w.mail = append(w.mail, letter{from: p.id, to: e.To, order: e.Order})
		case Obey:
			p.orders = append(p.orders, e)
		case Notice:
			p.notices = append(p.notices, e)
		case Part:
			p.parted = append(p.parted, e.ID)
		case Meet:
			p.met = append(p.met, e.ID)
		case Keep:
			p.saved = e.Roster
		}
	}
	if w.after != nil {
		w.after(p, before, ev, made)
	}
}

func (w *world) deliver(i int) {
	l := w.mail[i]
	w.mail = slices.Delete(w.mail, i, i+1)
	to := w.find(l.to)
	switch {
	case to == nil || w.apart != nil && w.apart(l.from, l.to):
	case l.roster != nil:
		w.step(to, Received{l.from, l.roster})
	default:
		w.step(to, Ordered{l.from, l.order})
	}
}

// settle delivers everything, in order.
func (w *world) settle() {
	for n := 0; len(w.mail) > 0; n++ {
		if n > 20_000 {
			w.t.Fatal("the members never stop writing to each other")
		}
		w.deliver(0)
	}
}

// tick lets everybody gossip until nothing changes any more.
func (w *world) tick() {
	for range 2 * len(w.people) {
		for _, p := range w.people {
			w.step(p, Tick{})
		}
		w.settle()
	}
}

// act lets somebody act, and everybody hear of it.
func (w *world) act(p *person, a Action) {
	w.step(p, Act{a})
	w.settle()
}

// same fails unless everybody has the same roster, but for those whom it has removed: they are told that and no more.
func (w *world) same() *Roster {
	w.t.Helper()
	first := w.people[0].roster()
	for _, p := range w.people {
		if first.Standing(p.id) != Removed && Compare(p.roster(), first) != 0 {
			w.t.Fatalf("%s and %s have different rosters", p.id, w.people[0].id)
		}
	}
	return first
}

func (p *person) last(what What) (Notice, bool) {
	for _, n := range slices.Backward(p.notices) {
		if n.What == what {
			return n, true
		}
	}
	return Notice{}, false
}

// started is a world whose owner has claimed the meeting.
func started(t *testing.T, n int) *world {
	w := newWorld(t, n)
	w.tick()
	if w.same() == nil || w.people[0].s.Role(w.people[0].id) != Owner {
		t.Fatal("the creator is not the owner")
	}
	return w
}

func TestNoOwnerEverComes(t *testing.T) {
	w := newWorld(t, 3)
	creator := w.people[0]
	w.leave(creator)
	w.tick()
	for _, p := range w.people {
		if p.roster() != nil || p.s.Standing(p.id) != In || !p.s.Allows(p.id, ToPresent) {
			t.Error("without an owner the meeting is not open to everybody")
		}
		w.act(p, Action{Kind: SetLocked, On: true})
		if n, _ := p.last(ActionRefused); !errors.Is(n.Err, ErrNoHost) {
			t.Errorf("somebody who is no host acts: %v", n.Err)
		}
	}
	if w.same() != nil {
		t.Error("there is a roster without an owner")
	}
}

func TestActions(t *testing.T) {
	w := started(t, 4)
	owner, ben, cem, dan := w.people[0], w.people[1], w.people[2], w.people[3]
	w.act(owner, Action{Kind: MakeCoHost, Target: ben.id})
	if w.same().Role(ben.id) != CoHost {
		t.Fatal("Ben is no co-host")
	}
	w.act(ben, Action{Kind: SetWaiting, On: true})
	for _, p := range w.people {
		if w.same().Standing(p.id) != In {
			t.Error("the waiting room puts somebody out who was in")
		}
	}
	me, key := keysOf(9)
	eva := w.add(me, Config{Room: testRoom, Owner: owner.s.cfg.Owner, Key: key})
	w.settle()
	if eva.s.Standing(eva.id) != Waiting || dan.s.Meets(eva.id) || eva.s.Meets(dan.id) {
		t.Fatal("a newcomer does not wait")
	}
	w.step(owner, Knocked{eva.id})
	w.step(ben, Knocked{eva.id})
	w.step(cem, Knocked{eva.id})
	if len(owner.s.Knocks()) != 1 || len(ben.s.Knocks()) != 1 || len(cem.s.Knocks()) != 0 || cem.s.Refused != 1 {
		t.Error("a knock is for hosts alone")
	}
	w.act(ben, Action{Kind: Admit, Target: eva.id})
	if w.same().Standing(eva.id) != In || len(owner.s.Knocks()) != 0 || !slices.Contains(dan.met, eva.id) || !slices.Contains(eva.met, dan.id) {
		t.Error("who is admitted is not in")
	}
	w.act(ben, Action{Kind: Remove, Target: dan.id})
	if w.same().Standing(dan.id) != Removed || !slices.Contains(cem.parted, dan.id) || !slices.Contains(dan.parted, cem.id) {
		t.Error("who is removed is still in")
	}
	if n, _ := dan.last(StandingChanged); n.By != ben.id {
		t.Errorf("Dan hears that %q removed him", n.By)
	}
	w.act(owner, Action{Kind: ReserveChat, On: true})
	if r := w.same(); r.Allows(cem.id, ToChat) || !r.Allows(ben.id, ToChat) || !r.Allows(cem.id, ToPresent) || r.Allows(dan.id, ToPresent) {
		t.Error("chat is not kept to hosts")
	}
	w.act(ben, Action{Kind: Mute, Target: cem.id})
	if !slices.Equal(cem.orders, []Obey{{ben.id, Mute}}) {
		t.Errorf("orders to Cem: %v", cem.orders)
	}
	w.act(owner, Action{Kind: EndForAll})
	for _, p := range w.people {
		if p != dan && p.s.Standing(p.id) != Ended {
			t.Error("the meeting goes on for somebody")
		}
	}
}

// TestRemovingClosesTheDoor: in an open meeting, who was removed would come back with new keys.
func TestRemovingClosesTheDoor(t *testing.T) {
	w := started(t, 3)
	w.act(w.people[0], Action{Kind: Remove, Target: w.people[2].id})
	r := w.same()
	if !r.Policy.Waiting || r.Standing(w.people[1].id) != In || r.Standing("AAAAAAAAAAAAAAAA") != Waiting {
		t.Errorf("after a removal: %+v", r.Policy)
	}
	w.act(w.people[0], Action{Kind: SetWaiting})
	if r := w.same(); r.Standing(w.people[2].id) != Removed || r.Standing("AAAAAAAAAAAAAAAA") != In || len(r.Admitted) > 0 {
		t.Error("in an open meeting, the one who was removed stays out and everybody else is in")
	}
}

func TestMay(t *testing.T) {
	w := started(t, 5)
	owner, ben, cem, dan := w.people[0], w.people[1], w.people[2], w.people[3]
	w.act(owner, Action{Kind: MakeCoHost, Target: ben.id})
	w.act(owner, Action{Kind: MakeCoHost, Target: cem.id})
	for name, c := range map[string]struct {
		actor  *person
		kind   Kind
		target signal.ID
		want   error
	}{
		"owner removes a co-host":         {owner, Remove, ben.id, nil},
		"owner removes themselves":        {owner, Remove, owner.id, ErrOnSelf},
		"co-host removes a member":        {ben, Remove, dan.id, nil},
		"co-host removes a co-host":       {ben, Remove, cem.id, ErrOnCoHost},
		"co-host denies a co-host":        {ben, Deny, cem.id, ErrOnCoHost},
		"co-host removes the owner":       {ben, Remove, owner.id, ErrOnOwner},
		"co-host mutes a co-host":         {ben, Mute, cem.id, nil},
		"co-host mutes the owner":         {ben, Mute, owner.id, ErrOnOwner},
		"co-host makes a co-host":         {ben, MakeCoHost, dan.id, ErrNotOwner},
		"co-host unmakes a co-host":       {ben, UnmakeCoHost, cem.id, ErrNotOwner},
		"co-host hands the meeting over":  {ben, HandOver, dan.id, ErrNotOwner},
		"co-host ends the meeting":        {ben, EndForAll, "", ErrNotOwner},
		"co-host locks":                   {ben, SetLocked, "", nil},
		"member locks":                    {dan, SetLocked, "", ErrNotHost},
		"member mutes":                    {dan, Mute, ben.id, ErrNotHost},
		"member admits themselves":        {dan, Admit, dan.id, ErrNotHost},
		"member admits everybody":         {dan, AdmitAll, "", ErrNotHost},
		"stranger removes":                {&person{id: "AAAAAAAAAAAAAAAA"}, Remove, dan.id, ErrNotHost},
		"owner does what does not exist":  {owner, lastKind + 1, dan.id, ErrUnknown},
		"owner does nothing":              {owner, 0, dan.id, ErrUnknown},
		"owner asks somebody to unmute":   {owner, AskUnmute, dan.id, nil},
		"member stops a presentation":     {dan, StopPresenting, ben.id, ErrNotHost},
		"co-host reserves the microphone": {ben, ReserveUnmute, "", nil},
	} {
		if got := w.same().May(c.actor.id, c.kind, c.target); !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if err := owner.s.May(Action{Kind: Remove, Target: "AAAAAAAAAAAAAAAA"}); !errors.Is(err, ErrAbsent) {
		t.Errorf("removing who is not here: %v", err)
	}
	w.act(dan, Action{Kind: SetLocked, On: true})
	if n, _ := dan.last(ActionRefused); !errors.Is(n.Err, ErrNotHost) || w.same().Policy.Locked {
		t.Errorf("a member has locked the meeting: %v", n.Err)
	}
	for _, order := range []Kind{Mute, SetLocked, 0, 200} {
		before := ben.s.Refused
		w.step(ben, Ordered{dan.id, order})
		if len(ben.orders) > 0 || ben.s.Refused != before+1 {
			t.Errorf("a co-host obeys order %d of a member", order)
		}
	}
}

func TestTwoCoHostsAtOnce(t *testing.T) {
	w := started(t, 5)
	owner, ben, cem, dan, eva := w.people[0], w.people[1], w.people[2], w.people[3], w.people[4]
	w.act(owner, Action{Kind: MakeCoHost, Target: ben.id})
	w.act(owner, Action{Kind: MakeCoHost, Target: cem.id})
	w.act(owner, Action{Kind: SetWaiting, On: true})
	w.leave(owner)
	// Each acts before hearing of the other's.
	w.step(ben, Act{Action{Kind: Remove, Target: dan.id}})
	w.step(ben, Act{Action{Kind: ReserveChat, On: true}})
	w.step(cem, Act{Action{Kind: Remove, Target: eva.id}})
	w.settle()
	r := w.same()
	if r.Standing(dan.id) != Removed || r.Standing(eva.id) != Removed || !r.Policy.Chat {
		t.Error("one of two actions at the same time is lost")
	}
	// What another host has seen and undone is not done again.
	w.act(ben, Action{Kind: ReservePresent, On: true})
	before := w.same().Epoch
	w.act(cem, Action{Kind: ReservePresent})
	w.act(cem, Action{Kind: ReserveChat})
	w.tick()
	if r := w.same(); r.Policy.Chat || r.Policy.Present || r.Epoch != before+2 {
		t.Error("a host does again what another has undone")
	}
}

func TestOwnerComesBack(t *testing.T) {
	w := started(t, 3)
	owner, ben := w.people[0], w.people[1]
	w.act(owner, Action{Kind: MakeCoHost, Target: ben.id})
	w.act(owner, Action{Kind: SetWaiting, On: true})
	saved := owner.saved
	w.leave(owner)
	w.act(ben, Action{Kind: ReserveChat, On: true}) // the owner's program has not saved this
	for name, keep := range map[string][]byte{"with what was saved": saved, "with the key alone": nil, "with rubbish saved": []byte("rubbish")} {
		me, _ := keysOf(20 + len(keep))
		again := w.add(me, Config{Room: testRoom, Owner: owner.s.cfg.Owner, Key: owner.key, Saved: keep})
		w.settle()
		w.tick()
		r := w.same()
		if r.Role(again.id) != Owner || r.Role(owner.id) != Member {
			t.Errorf("%s: the owner is not the owner again", name)
		}
		if r.Role(ben.id) != CoHost || !r.Policy.Waiting || !r.Policy.Chat || r.Standing(w.people[1].id) != In {
			t.Errorf("%s: what the hosts decided is gone", name)
		}
		w.leave(again)
	}
}

func TestOwnerOnTwoDevices(t *testing.T) {
	w := started(t, 3)
	first := w.people[0]
	me, _ := keysOf(20)
	second := w.add(me, Config{Room: testRoom, Owner: first.s.cfg.Owner, Key: first.key})
	w.settle()
	w.tick()
	if r := w.same(); r.Role(second.id) != Owner || first.s.Role(first.id) != Member {
		t.Error("the later device is not the owner")
	}
	terms := w.same().Term.N
	w.tick()
	if w.same().Term.N != terms {
		t.Error("two devices take the meeting from each other")
	}
	w.leave(second)
	w.tick()
	if w.same().Role(first.id) != Owner {
		t.Error("the device that is left is not the owner")
	}
}

func TestHandOver(t *testing.T) {
	w := started(t, 4)
	ada, ben, cem := w.people[0], w.people[1], w.people[2]
	old := ada.roster().Encode()
	w.act(ada, Action{Kind: HandOver, Target: ben.id})
	r := w.same()
	if r.Role(ben.id) != Owner || r.Role(ada.id) != CoHost || ada.saved != nil || ben.saved == nil {
		t.Fatal("the meeting has not been handed over")
	}
	w.act(ada, Action{Kind: EndForAll})
	if n, _ := ada.last(ActionRefused); !errors.Is(n.Err, ErrNotOwner) {
		t.Errorf("the owner before still ends the meeting: %v", n.Err)
	}
	// A newcomer who knows the link alone believes the new owner.
	me, key := keysOf(30)
	eva := w.add(me, Config{Room: testRoom, Owner: ada.s.cfg.Owner, Key: key})
	w.settle()
	if eva.s.Role(ben.id) != Owner {
		t.Error("a newcomer does not follow the hand-over")
	}
	// The creator's program starts again with its old key and roster: it takes nothing back.
	w.leave(ada)
	again, _ := keysOf(31)
	back := w.add(again, Config{Room: testRoom, Owner: ada.s.cfg.Owner, Key: ada.key, Saved: old})
	w.settle()
	w.tick()
	if r := w.same(); r.Role(ben.id) != Owner || r.Role(back.id) != Member {
		t.Error("who has handed the meeting over has taken it back")
	}
	// The new owner restarts, and is the owner; and hands over, too.
	w.leave(ben)
	again, _ = keysOf(32)
	ben = w.add(again, Config{Room: testRoom, Owner: ada.s.cfg.Owner, Key: ben.key, Saved: ben.saved})
	w.settle()
	w.tick()
	w.act(ben, Action{Kind: HandOver, Target: cem.id})
	if r := w.same(); r.Role(cem.id) != Owner || len(r.Term.Handovers) != 4 {
		t.Error("the second hand-over fails")
	}
}

func TestHandOverIsBounded(t *testing.T) {
	w := started(t, 2)
	a, b := w.people[0], w.people[1]
	for range MaxHandovers / 2 {
		w.act(a, Action{Kind: HandOver, Target: b.id})
		if w.same().Role(b.id) != Owner {
			t.Fatal("a hand-over fails")
		}
		a, b = b, a
		// Keys are used once: whoever was the owner before takes over with a fresh one.
		_, b.s.cfg.Key = keysOf(100 + len(w.same().Term.Handovers))
		again, _ := keysOf(100 + len(w.same().Term.Handovers))
		w.leave(b)
		b = w.add(again, b.s.cfg)
		w.settle()
	}
	w.step(a, Act{Action{Kind: HandOver, Target: b.id}})
	if n, _ := a.last(ActionRefused); !errors.Is(n.Err, ErrHandovers) {
		t.Errorf("one hand-over too many: %v", n.Err)
	}
	if len(w.same().Encode()) > MaxBytes {
		t.Error("the roster is too large")
	}
}

// TestOwnerForks: an owner who hands the meeting to two people cannot hide it.
func TestOwnerForks(t *testing.T) {
	w := started(t, 4)
	ada, ben, cem, dan := w.people[0], w.people[1], w.people[2], w.people[3]
	fork := *ada
	w.act(ada, Action{Kind: HandOver, Target: ben.id})
	twin := &world{t: t, people: []*person{&fork, cem}}
	cem2 := *cem
	cem2.s = fork.s
	cem2.s.cfg, cem2.s.me, cem2.s.here = cem.s.cfg, cem.id, cem.s.here
	twin.people = []*person{&fork, &cem2}
	twin.act(&fork, Action{Kind: HandOver, Target: cem.id})
	if cem2.s.Role(cem.id) != Owner {
		t.Fatal("there is no fork")
	}
	w.step(dan, Received{cem.id, cem2.roster().Encode()})
	w.settle()
	w.step(ben, Received{cem.id, cem2.roster().Encode()})
	w.settle()
	w.tick()
	w.same()
	seen := 0
	for _, p := range w.people {
		if _, ok := p.last(OwnerForked); ok {
			seen++
		}
	}
	if Compare(cem2.roster(), ben.roster()) >= 0 && seen == 0 {
		t.Error("nobody is told of the fork")
	}
}

func TestSplitNetworkHeals(t *testing.T) {
	w := started(t, 6)
	owner, ben, cem, dan, eva, fay := w.people[0], w.people[1], w.people[2], w.people[3], w.people[4], w.people[5]
	w.act(owner, Action{Kind: MakeCoHost, Target: ben.id})
	w.act(owner, Action{Kind: MakeCoHost, Target: cem.id})
	w.act(owner, Action{Kind: SetWaiting, On: true})
	left := []signal.ID{owner.id, ben.id, dan.id}
	w.apart = func(a, b signal.ID) bool { return slices.Contains(left, a) != slices.Contains(left, b) }
	for range 5 { // this side's numbers outgrow the other's
		w.act(ben, Action{Kind: ReserveChat, On: true})
		w.act(ben, Action{Kind: ReserveChat})
	}
	w.act(owner, Action{Kind: ReservePresent, On: true})
	w.act(cem, Action{Kind: Remove, Target: fay.id})
	w.act(cem, Action{Kind: ReserveUnmute, On: true})
	w.apart = nil
	w.tick()
	r := w.same()
	if r.Standing(fay.id) != Removed || !r.Policy.Unmute || !r.Policy.Present || r.Policy.Chat || r.Standing(eva.id) != In {
		t.Errorf("after the split: %+v, Fay %v", r.Policy, r.Standing(fay.id))
	}
}

// TestRemovalOutlivesAFork: the host who removed somebody leaves before the network heals, and their roster loses.
func TestRemovalOutlivesAFork(t *testing.T) {
	w := started(t, 5)
	owner, ben, cem, dan, fay := w.people[0], w.people[1], w.people[2], w.people[3], w.people[4]
	for _, p := range []*person{ben, cem, dan} {
		w.act(owner, Action{Kind: MakeCoHost, Target: p.id})
	}
	left := []signal.ID{owner.id, ben.id}
	w.apart = func(a, b signal.ID) bool { return slices.Contains(left, a) != slices.Contains(left, b) }
	for range 3 {
		w.act(ben, Action{Kind: SetWaiting, On: true})
		w.act(ben, Action{Kind: SetWaiting})
	}
	w.act(cem, Action{Kind: Remove, Target: fay.id})
	w.leave(cem)
	w.apart = nil
	w.tick()
	if r := w.same(); r.Standing(fay.id) != Removed {
		t.Error("who was removed is back")
	}
	w.act(owner, Action{Kind: Admit, Target: fay.id}) // known and revoked: it stays so
	w.tick()
	if r := w.same(); r.Standing(fay.id) == Removed {
		t.Error("a removal that a host revoked comes back")
	}
}

// BenchmarkRoomOfFifty is a full room from the first hello until everybody has the roster, for all 50 together.
func BenchmarkRoomOfFifty(b *testing.B) {
	people := make([]*identity.Identity, signal.MaxMembers)
	keys := make([]ed25519.PrivateKey, len(people))
	for i := range people {
		people[i], keys[i] = keysOf(i)
	}
	for b.Loop() {
		w := &world{t: new(testing.T)}
		for i, me := range people {
			w.add(me, Config{Room: testRoom, Owner: Fingerprint(keys[0][32:]), Key: keys[i]})
			if i == 0 {
				w.step(w.people[0], Tick{})
			}
			w.settle()
		}
		for _, p := range w.people {
			if p.roster() == nil {
				b.Fatal("somebody has no roster")
			}
		}
	}
}
