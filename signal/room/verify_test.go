package room

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"parley/signal"
	"parley/signal/identity"
	"parley/signal/phrase"
	"parley/signal/roster"
)

// table is some models around a table, and the parts of phrases between them. Everything else is left out.
type table struct {
	t      testing.TB
	models map[signal.ID]model
	keys   []identity.Public
	queues map[[2]signal.ID][]received // from, to
	random *rand.Rand
	now    time.Time
	sends  int
}

func sit(t testing.TB, people int, seed uint64) *table {
	t.Helper()
	tb := &table{
		t: t, models: map[signal.ID]model{}, queues: map[[2]signal.ID][]received{}, now: noon,
		random: rand.New(rand.NewPCG(seed, 7)),
	}
	for range people {
		tb.join()
	}
	return tb
}

// join has somebody come, whom everybody knows at once.
func (tb *table) join() signal.ID {
	who := identity.New()
	keys, id := who.Public(), who.ID()
	tb.models[id] = newModel(Member{ID: id, Keys: keys, Present: true}, roster.Config{Me: who}, sha256.Sum256([]byte(id)))
	for _, k := range tb.keys {
		tb.meet(id, k)
		tb.meet(k.ID(), keys)
	}
	tb.keys = append(tb.keys, keys)
	return id
}

func (tb *table) meet(at signal.ID, keys identity.Public) {
	tb.do(at, joined{keys.ID()})
	tb.do(at, greeted{from: keys.ID(), keys: keys, present: true})
}

func (tb *table) do(at signal.ID, ev event) {
	m, effects := next(tb.models[at], ev, tb.now)
	tb.models[at] = m
	for _, e := range effects {
		s, ok := e.(send)
		if !ok || s.env.T != kindPhrase {
			continue
		}
		tb.sends++
		for _, k := range tb.keys {
			if id := k.ID(); id != at && (s.to == "" || s.to == id) {
				tb.queues[[2]signal.ID{at, id}] = append(tb.queues[[2]signal.ID{at, id}], received{from: at, env: s.env})
			}
		}
	}
}

// deliver hands over one message, of a random pair, and reports whether there was one.
func (tb *table) deliver() bool {
	var open [][2]signal.ID
	for _, a := range tb.keys { // not of the map, whose order is another each time
		for _, b := range tb.keys {
			if pair := [2]signal.ID{a.ID(), b.ID()}; len(tb.queues[pair]) > 0 {
				open = append(open, pair)
			}
		}
	}
	if len(open) == 0 {
		return false
	}
	pair := open[tb.random.IntN(len(open))]
	ev := tb.queues[pair][0]
	tb.queues[pair] = tb.queues[pair][1:]
	tb.do(pair[1], ev)
	return true
}

func (tb *table) settle() {
	for tb.deliver() {
	}
}

// phrases are those that people see, one each; it fails where somebody has none.
func (tb *table) phrases() []phrase.Phrase {
	tb.t.Helper()
	var out []phrase.Phrase
	for _, k := range tb.keys {
		s := tb.models[k.ID()].state()
		if !s.Safety.Known {
			tb.t.Fatalf("%s has no phrase; missing %v", k.ID(), s.Safety.Missing)
		}
		out = append(out, s.Safety.Phrase)
	}
	return out
}

func (tb *table) same() phrase.Phrase {
	tb.t.Helper()
	all := tb.phrases()
	if len(slices.Compact(all)) != 1 {
		tb.t.Fatalf("not one phrase: %v", all)
	}
	return all[0]
}

func TestSafetyPhrase(t *testing.T) {
	for _, people := range []int{2, 3, 9} {
		for seed := range uint64(20) {
			tb := sit(t, people, seed)
			if s := tb.models[tb.keys[0].ID()].state(); s.Safety.Known || tb.sends > 0 {
				t.Fatal("a phrase that nobody asked for")
			}
			for i := range int(seed%3) + 1 { // also at the same time
				tb.do(tb.keys[i%people].ID(), Compare{On: true})
			}
			tb.settle()
			before := tb.same()
			tb.do(tb.keys[1].ID(), Compare{On: true})
			tb.settle()
			if tb.same() != before {
				t.Fatal("looking once more makes another phrase")
			}
			// After a loss the service may list them in another order.
			ada, last := tb.keys[0].ID(), tb.keys[people-1].ID()
			ids := tb.models[ada].presence.here
			tb.do(ada, up{members: append([]signal.ID{last}, slices.DeleteFunc(slices.Clone(ids), func(id signal.ID) bool { return id == last })...), resumed: true})
			tb.do(ada, greeted{from: last, keys: tb.keys[people-1], present: true})
			tb.settle()
			if tb.same() != before {
				t.Fatal("another order makes another phrase")
			}
			tb.join()
			if s := tb.models[tb.keys[0].ID()].state(); s.Safety.Known {
				t.Fatal("the phrase of before is shown beside somebody whom it does not cover")
			}
			tb.settle()
			if tb.same() == before {
				t.Fatal("one more, the same phrase")
			}
		}
	}
}

// TestSomebodyComesMeanwhile has a newcomer arrive at each point of a round.
func TestSomebodyComesMeanwhile(t *testing.T) {
	for at := range 12 {
		tb := sit(t, 3, uint64(at))
		tb.do(tb.keys[0].ID(), Compare{On: true})
		for range at {
			tb.deliver()
		}
		tb.join()
		tb.settle()
		tb.same()
	}
}

// TestFalsePart: whoever changes their mind after the others have spoken keeps the phrase from everybody, and the
// window says who.
func TestFalsePart(t *testing.T) {
	tb := sit(t, 3, 1)
	ada, eve := tb.keys[0].ID(), tb.keys[2].ID()
	tb.do(ada, Compare{On: true})
	for tb.deliver() {
		for pair, queue := range tb.queues {
			for i := range queue {
				if p := queue[i].env.Phrase; pair[0] == eve && p.Secret != nil {
					other := *p
					other.Secret = bytes.Repeat([]byte{9}, len(p.Secret))
					queue[i].env.Phrase = &other
				}
			}
		}
	}
	s := tb.models[ada].state()
	if s.Safety.Known || !slices.Equal(s.Safety.Missing, []signal.ID{eve}) {
		t.Errorf("known %v, missing %v, want %v", s.Safety.Known, s.Safety.Missing, eve)
	}
}

// TestFloodOfRounds: somebody begins a round after the other.
func TestFloodOfRounds(t *testing.T) {
	tb := sit(t, 2, 1)
	ada, eve := tb.keys[0].ID(), tb.keys[1].ID()
	begin := func(n byte) {
		m := tb.models[ada]
		name := phrase.Name{n}
		tb.do(ada, received{from: eve, env: envelope{T: kindPhrase, Phrase: &part{
			Session: m.safety.subject[:], Round: name[:], Commit: make([]byte, sha256.Size),
		}}})
	}
	for n := range 200 {
		begin(byte(n))
	}
	if tb.sends > 3*phraseBurst {
		t.Errorf("%d answers to 200 rounds", tb.sends)
	}
	before := tb.sends
	tb.now = tb.now.Add(phraseInterval + time.Millisecond)
	begin(201)
	if tb.sends == before {
		t.Error("no answer when the flood is over")
	}
}

// TestASecretServesOneRound: the same round asked for again, after others have come and gone, gets another secret.
func TestASecretServesOneRound(t *testing.T) {
	tb := sit(t, 2, 1)
	m := tb.models[tb.keys[0].ID()]
	seen := map[phrase.Secret]bool{}
	for range 5 {
		m.safety = m.safety.begin(subjectOf(m.presence, m.hosts), phrase.Name{1}, m.presence.me.ID)
		_, secret := m.safety.round.Own()
		if seen[secret] {
			t.Fatal("a secret serves two rounds")
		}
		seen[secret] = true
	}
}

func TestVerified(t *testing.T) {
	tb := sit(t, 3, 1)
	ada, bo, cy := tb.keys[0].ID(), tb.keys[1].ID(), tb.keys[2].ID()
	verified := func() (ids []signal.ID) {
		for _, m := range tb.models[ada].state().Members {
			if m.Verified {
				ids = append(ids, m.ID)
			}
		}
		return ids
	}
	tb.do(ada, Verify{})
	if len(verified()) > 0 {
		t.Error("verified without a phrase")
	}
	tb.do(ada, Compare{On: true})
	tb.settle()
	tb.do(ada, Verify{IDs: []signal.ID{bo}})
	if got := verified(); !slices.Equal(got, []signal.ID{bo}) {
		t.Errorf("verified %v, want %v", got, bo)
	}
	if s := tb.models[ada].state(); !slices.Equal(s.Safety.Changed, []signal.ID{cy}) {
		t.Errorf("not covered: %v, want %v", s.Safety.Changed, cy)
	}
	tb.do(ada, Verify{})
	if s := tb.models[ada].state(); len(verified()) != 2 || len(s.Safety.Changed) > 0 {
		t.Errorf("verified %v, not covered %v", verified(), s.Safety.Changed)
	}
	dan := tb.join()
	tb.settle()
	if s := tb.models[ada].state(); !slices.Equal(s.Safety.Changed, []signal.ID{dan}) || len(verified()) != 2 {
		t.Errorf("verified %v, not covered %v, want %v", verified(), s.Safety.Changed, dan)
	}
	// Keys are the ID: whoever comes back under it is the same.
	tb.do(ada, left{id: bo})
	tb.meet(ada, tb.keys[1])
	if len(verified()) != 2 {
		t.Errorf("verified %v after one went and came back", verified())
	}
}

func TestPartsAreChecked(t *testing.T) {
	good := part{Session: make([]byte, 32), Round: make([]byte, 16), Commit: make([]byte, 32)}
	for name, change := range map[string]func(p *part){
		"session": func(p *part) { p.Session = p.Session[1:] },
		"round":   func(p *part) { p.Round = append(p.Round, 1) },
		"commit":  func(p *part) { p.Commit = nil },
		"secret":  func(p *part) { p.Secret = make([]byte, 31) },
	} {
		bad := good
		if change(&bad); validPart(&envelope{T: kindPhrase, Phrase: &bad}) {
			t.Errorf("%s: accepted", name)
		}
	}
	if !validPart(&envelope{T: kindPhrase, Phrase: &good}) || validPart(&envelope{T: kindPhrase}) {
		t.Error("a good part is refused, or none accepted")
	}
}

// TestPhraseThroughTheService has three real rooms compare.
func TestPhraseThroughTheService(t *testing.T) {
	url, keys := rendezvous(t), signal.Derive(signal.NewCode())
	people := []*person{enter(t, url, keys, "Ada", true), enter(t, url, keys, "Bo", true), enter(t, url, keys, "Cy", true)}
	for _, p := range people {
		p.waitFor(t, "with the others", func(s State) bool { return len(s.Present()) == 2 })
	}
	people[2].Do(Compare{On: true})
	var phrases []phrase.Phrase
	for _, p := range people {
		s := p.waitFor(t, "with a phrase", func(s State) bool { return s.Safety.Known })
		phrases = append(phrases, s.Safety.Phrase)
	}
	if len(slices.Compact(phrases)) != 1 {
		t.Errorf("not one phrase: %v", phrases)
	}
}

// BenchmarkEventBesideAPhrase is an event that has nothing to do with the phrase of a room of 50 while one is shown.
func BenchmarkEventBesideAPhrase(b *testing.B) {
	tb := sit(b, 50, 1)
	ada, bo := tb.keys[0].ID(), tb.keys[1].ID()
	tb.do(ada, Compare{On: true})
	tb.settle()
	m := tb.models[ada]
	ev := received{from: bo, env: envelope{T: kindCall, Call: []byte("{}")}}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = next(m, ev, noon)
	}
}
