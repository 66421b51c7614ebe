package roster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"parley/signal"
)

// TestEverybodyConverges lets 3 to 8 members act at random over a network that delays, reorders and loses, splits and
// heals, while one of them forges and replays. In the end everybody holds the same roster, and no roster ever held
// that was not made by somebody with the authority for it.
func TestEverybodyConverges(t *testing.T) {
	seeds := 30
	if testing.Short() {
		seeds = 12
	}
	var sum tally
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { simulate(t, seed, &sum) })
	}
	t.Logf("%d steps, %d rosters made, %d actions refused, %d done again, %d forgeries refused",
		sum.steps, sum.made, sum.refused, sum.again, sum.forged)
	if sum.made < 5*seeds || sum.refused == 0 || sum.again == 0 || sum.forged == 0 {
		t.Error("the simulation tries nothing")
	}
}

type tally struct{ steps, made, refused, again, forged int }

// simulation is a world with a memory of every roster that was ever made by the rules.
type simulation struct {
	*world
	rng   *rand.Rand
	legal map[string]bool
	all   [][]byte
	mal   *person
	next  int // keys for who comes in
	sum   *tally
}

func simulate(t *testing.T, seed uint64, sum *tally) {
	rng := rand.New(rand.NewPCG(seed, 12))
	s := &simulation{
		world: newWorld(t, 3+rng.IntN(6)), rng: rng, legal: map[string]bool{}, next: 1000, sum: sum,
	}
	s.mal = s.people[len(s.people)-1]
	s.world.after = s.check
	for range 150 {
		s.random()
	}
	s.apart = nil
	for _, p := range s.people { // after a loss, everybody says hello again
		for _, x := range s.people {
			if x != p {
				s.step(p, Hello{x.me.Public()})
			}
		}
	}
	s.settle()
	s.tick()
	terms := s.same()
	s.tick()
	if Compare(s.same(), terms) != 0 {
		t.Error("the roster still changes when nobody acts")
	}
}

// random does one thing: mostly a letter arrives.
func (s *simulation) random() {
	s.sum.steps++
	who := s.people[s.rng.IntN(len(s.people))]
	switch n := s.rng.IntN(100); {
	case n < 45 && len(s.mail) > 0:
		s.deliver(s.rng.IntN(len(s.mail)))
	case n < 50 && len(s.mail) > 0:
		i := s.rng.IntN(len(s.mail))
		s.mail = slices.Delete(s.mail, i, i+1)
	case n < 75:
		if s.rng.IntN(3) == 0 && s.people[0].s.owns() { // authority is rare, and would leave the others out
			who = s.people[0]
		}
		s.step(who, Act{s.action()})
	case n < 80:
		s.step(who, Tick{})
	case n < 84:
		cut := make(map[signal.ID]bool)
		for _, p := range s.people {
			cut[p.id] = s.rng.IntN(2) == 0
		}
		s.apart = func(a, b signal.ID) bool { return cut[a] != cut[b] }
	case n < 88:
		s.apart = nil
	case n < 92:
		s.restart(who)
	default:
		s.forge()
	}
}

func (s *simulation) action() Action {
	// Ending is left out: nothing comes after it.
	kinds := []Kind{
		Admit, AdmitAll, Deny, Remove, SetLocked, SetWaiting, ReservePresent, ReserveChat, ReserveUnmute, MakeCoHost, MakeCoHost,
		UnmakeCoHost, HandOver, Mute,
	}
	return Action{kinds[s.rng.IntN(len(kinds))], s.people[s.rng.IntN(len(s.people))].id, s.rng.IntN(2) == 0}
}

// restart takes somebody away and back in, under another ID, with the owner's key if they had it.
func (s *simulation) restart(p *person) {
	if p == s.mal {
		return
	}
	s.leave(p)
	me, key := keysOf(s.next)
	s.next++
	cfg := Config{Room: testRoom, Owner: p.s.cfg.Owner, Key: key}
	if p.saved != nil || p.s.roster == nil {
		cfg.Key, cfg.Saved = p.key, p.saved
	}
	s.add(me, cfg)
}

// forge lets the hostile member send something to somebody.
func (s *simulation) forge() {
	if len(s.all) == 0 {
		return
	}
	to := s.people[s.rng.IntN(len(s.people))]
	some := s.all[s.rng.IntN(len(s.all))]
	before := to.roster()
	if s.rng.IntN(3) == 0 {
		s.step(to, Received{s.mal.id, some}) // an old one, or one that somebody was not sent
		return
	}
	r, err := Parse(some)
	if err != nil {
		s.t.Fatal(err)
	}
	d := newDraft(r)
	d.Epoch += uint64(s.rng.IntN(1000))
	switch s.rng.IntN(3) {
	case 0:
		d.Policy.Locked = !d.Policy.Locked
	case 1:
		d.remove(s.people[s.rng.IntN(len(s.people))].id)
	case 2:
		d.makeCoHost(s.mal.id)
	}
	room := testRoom
	if s.rng.IntN(4) == 0 {
		room = "AAAAAAAAAAAAAAAAAAAAAA"
	}
	f := forge(d.Roster, room, s.mal.me)
	if room == testRoom && slices.Contains(r.Term.CoHosts, s.mal.id) && !d.term && f.rules() == nil {
		s.legal[string(f.Encode())] = true // a co-host may do so, in that term
	}
	refused := to.s.Refused
	s.step(to, Received{s.mal.id, f.Encode()})
	if to.s.Refused > refused && Compare(to.roster(), before) == 0 {
		s.sum.forged++
	}
}

// check holds after each step of each member.
func (s *simulation) check(p *person, before *Roster, ev Event, _ []byte) {
	now := p.roster()
	if act, ok := ev.(Act); ok {
		if n := len(p.notices); n > 0 && p.notices[n-1].What == ActionRefused {
			s.sum.refused++
		}
		if before.Role(p.id) == Member && !p.s.owns() && Compare(now, before) != 0 {
			s.t.Fatalf("a member's action %d takes effect", act.Action.Kind)
		}
	}
	if Compare(now, before) == 0 {
		return
	}
	if Compare(now, before) < 0 {
		s.t.Fatal("somebody goes back to a lesser roster")
	}
	text := string(now.Encode())
	if s.legal[text] {
		return
	}
	// A new one: p has made it. What it was made of is what p held, or has just been sent.
	base := before
	if ev, ok := ev.(Received); ok && s.legal[string(ev.Roster)] {
		if r, _ := Parse(ev.Roster); Compare(r, base) > 0 {
			base = r
			s.sum.again++
		}
	}
	if _, by := now.signer(); by != p.id || now.check(testRoom, p.s.cfg.Owner, nil) != nil {
		s.t.Fatalf("%T brings in a roster that nobody has made", ev)
	}
	authority(s.t, p, base, now)
	s.legal[text] = true
	s.all = append(s.all, []byte(text))
	s.sum.made++
}

// authority fails unless p may turn one roster into the other. It knows nothing of how Next decides.
func authority(t *testing.T, p *person, base, now *Roster) {
	t.Helper()
	key := Key(p.key[32:])
	if base == nil {
		if now.Term.Root != key || now.Term.Owner != p.id {
			t.Fatal("somebody who did not create the meeting begins it")
		}
		return
	}
	offered := base.Term.Offer != nil && base.Term.Offer.To == p.me.Public().Sign
	switch sameTerm := compareTerms(base.Term, now.Term) == 0; {
	case sameTerm && base.Term.ownerKey() != key && base.Role(p.id) != CoHost:
		t.Fatal("somebody without authority writes the roster")
	case !sameTerm && base.Term.ownerKey() != key && !offered:
		t.Fatal("somebody who does not own the meeting gives authority")
	}
	if base.Term.ownerKey() == key || offered {
		return
	}
	for _, host := range base.Term.hosts() {
		if now.Standing(host) != In {
			t.Fatal("a co-host puts a host out")
		}
	}
}
