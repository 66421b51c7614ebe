package phrase

import (
	crand "crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"parley/signal"
	"parley/signal/identity"
)

func newName() (n Name) {
	_, _ = crand.Read(n[:])
	return n
}

func newSecret() (s Secret) {
	_, _ = crand.Read(s[:])
	return s
}

// meeting is a session with n members, and a secret for each in the session's order.
func meeting(n int) (Session, []Secret) {
	s := Session{Room: "AAAAAAAAAAAAAAAAAAAAAA"}
	secrets := make([]Secret, n)
	for i := range n {
		s.Members = append(s.Members, identity.New().Public())
		secrets[i] = newSecret()
	}
	return s, secrets
}

// message is a commitment or a secret on its way.
type message struct {
	from       signal.ID
	commitment *Commitment
	secret     *Secret
}

// run has all members of a session exchange messages. Each receiver gets each sender's in order; the order of senders is
// random, and different for every receiver.
func run(t *testing.T, s Session, secrets []Secret, seed uint64) []Phrase {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	name := newName()
	rounds := make([]Round, len(s.Members))
	told := make([]bool, len(rounds))
	queues := make([][]message, len(rounds)*len(rounds)) // [from*n+to]
	n := len(rounds)
	say := func(from int, m message) {
		for to := range n {
			if to != from {
				queues[from*n+to] = append(queues[from*n+to], m)
			}
		}
	}
	step := func(i int) {
		if rounds[i].Ready() && !told[i] {
			told[i] = true
			_, secret := rounds[i].Own()
			say(i, message{s.Members[i].ID(), nil, &secret})
		}
	}
	for i, keys := range s.Members {
		own := s
		own.Members = slices.Clone(s.Members)
		random.Shuffle(n, func(a, b int) { own.Members[a], own.Members[b] = own.Members[b], own.Members[a] })
		rounds[i] = New(own, name, keys.ID(), secrets[i])
		c, _ := rounds[i].Own()
		say(i, message{keys.ID(), &c, nil})
		step(i)
	}
	for {
		var open []int
		for i, q := range queues {
			if len(q) > 0 {
				open = append(open, i)
			}
		}
		if len(open) == 0 {
			break
		}
		i := open[random.IntN(len(open))]
		m, to := queues[i][0], i%n
		queues[i] = queues[i][1:]
		var err error
		if m.commitment != nil {
			rounds[to], err = rounds[to].Commit(m.from, *m.commitment)
		} else {
			rounds[to], err = rounds[to].Reveal(m.from, *m.secret)
		}
		if err != nil {
			t.Fatal(err)
		}
		step(to)
	}
	out := make([]Phrase, n)
	for i, r := range rounds {
		p, ok := r.Phrase()
		if !ok {
			t.Fatalf("member %d has no phrase; missing %v", i, r.Missing())
		}
		out[i] = p
	}
	return out
}

func TestEverybodyHasOnePhrase(t *testing.T) {
	for _, n := range []int{1, 2, 3, 8, 50} {
		for seed := range uint64(3) {
			s, secrets := meeting(n)
			phrases := run(t, s, secrets, seed)
			for i, p := range phrases {
				if p != phrases[0] {
					t.Fatalf("%d members, seed %d: member %d has %v, the first %v", n, seed, i, p, phrases[0])
				}
			}
		}
	}
}

// TestAnyDifferenceShows changes one thing at a time in what a meeting of three is about.
func TestAnyDifferenceShows(t *testing.T) {
	s, secrets := meeting(3)
	before := run(t, s, secrets, 1)[0]
	if again := run(t, s, secrets, 2)[0]; again != before {
		t.Fatal("the same members and secrets give another phrase")
	}
	for name, change := range map[string]func(s *Session, secrets []Secret){
		"room":        func(s *Session, _ []Secret) { s.Room = "BAAAAAAAAAAAAAAAAAAAAA" },
		"roster":      func(s *Session, _ []Secret) { s.Roster[31] = 1 },
		"keys":        func(s *Session, _ []Secret) { s.Members[1] = identity.New().Public() },
		"secret":      func(_ *Session, secrets []Secret) { secrets[2] = newSecret() },
		"one more":    func(s *Session, _ []Secret) { s.Members = append(s.Members, identity.New().Public()) },
		"one less":    func(s *Session, _ []Secret) { s.Members = s.Members[:2] },
		"swapped key": func(s *Session, _ []Secret) { s.Members[0].DH, s.Members[1].DH = s.Members[1].DH, s.Members[0].DH },
	} {
		other, theirs := s, append(slices.Clone(secrets), newSecret())
		other.Members = slices.Clone(s.Members)
		change(&other, theirs)
		if got := run(t, other, theirs[:len(other.Members)], 1)[0]; got == before {
			t.Errorf("%s: the phrase is the same", name)
		}
	}
}

// TestSecretsWaitForCommitments: whoever has not committed learns nothing that would help to choose.
func TestSecretsWaitForCommitments(t *testing.T) {
	s, secrets := meeting(3)
	ada, ben, eve := s.Members[0].ID(), s.Members[1].ID(), s.Members[2].ID()
	name := newName()
	r := New(s, name, ada, secrets[0])
	r, err := r.Commit(ben, commit(s.Room, name, ben, secrets[1]))
	if err != nil || r.Ready() {
		t.Fatal("ready without the third, or ", err)
	}
	// Somebody who told the third before may reveal already; that does not make us tell ours.
	if r, err = r.Reveal(ben, secrets[1]); err != nil || r.Ready() {
		t.Fatal("ready without the third, or ", err)
	}
	if _, ok := r.Phrase(); ok {
		t.Fatal("a phrase without the third")
	}
	if r, err = r.Commit(eve, commit(s.Room, name, eve, secrets[2])); err != nil || !r.Ready() {
		t.Fatal("not ready, or ", err)
	}
	if want := []signal.ID{eve}; !slices.Equal(r.Missing(), want) {
		t.Errorf("missing %v, want %v", r.Missing(), want)
	}
}

func TestRefused(t *testing.T) {
	s, secrets := meeting(2)
	ada, ben := s.Members[0].ID(), s.Members[1].ID()
	name := newName()
	good := commit(s.Room, name, ben, secrets[1])
	other := newSecret()
	begun := New(s, name, ada, secrets[0])
	committed, err := begun.Commit(ben, good)
	if err != nil {
		t.Fatal(err)
	}
	early, err := begun.Reveal(ben, secrets[1])
	if err != nil {
		t.Fatal(err)
	}
	done, err := committed.Reveal(ben, secrets[1])
	if err != nil {
		t.Fatal(err)
	}
	commits := func(c Commitment) func(Round) (Round, error) {
		return func(r Round) (Round, error) { return r.Commit(ben, c) }
	}
	reveals := func(id signal.ID, s Secret) func(Round) (Round, error) {
		return func(r Round) (Round, error) { return r.Reveal(id, s) }
	}
	for name, c := range map[string]struct {
		round Round
		do    func(Round) (Round, error)
		want  error
	}{
		"a stranger commits":           {begun, func(r Round) (Round, error) { return r.Commit("AAAAAAAAAAAAAAAA", good) }, ErrStranger},
		"a stranger reveals":           {begun, reveals("AAAAAAAAAAAAAAAA", other), ErrStranger},
		"two commitments":              {committed, commits(commit(s.Room, name, ben, other)), ErrTwice},
		"the same twice":               {committed, commits(good), nil},
		"another secret":               {committed, reveals(ben, other), ErrSecret},
		"two secrets":                  {done, reveals(ben, other), ErrTwice},
		"another commitment afterward": {early, commits(commit(s.Room, name, ben, other)), ErrSecret},
		"of another round":             {committed, reveals(ben, secrets[0]), ErrSecret},
		"ours by another":              {begun, reveals(ada, other), ErrTwice},
		"a commitment of another":      {early, commits(commit(s.Room, name, ada, secrets[1])), ErrSecret},
		"a commitment of another room": {early, commits(commit("BAAAAAAAAAAAAAAAAAAAAA", name, ben, secrets[1])), ErrSecret},
		"an earlier round's":           {early, commits(commit(s.Room, newName(), ben, secrets[1])), ErrSecret},
	} {
		t.Run(name, func(t *testing.T) {
			after, err := c.do(c.round)
			if !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if _, now := after.Phrase(); err != nil {
				if _, was := c.round.Phrase(); now != was {
					t.Error("what was refused changed the round")
				}
			}
		})
	}
}

func TestSpelling(t *testing.T) {
	for _, list := range [][]string{words[0], words[1]} {
		sorted := slices.Sorted(slices.Values(list))
		if len(slices.Compact(sorted)) != 256 {
			t.Errorf("%d words", len(slices.Compact(sorted)))
		}
	}
	if sorted := slices.Sorted(slices.Values(emoji)); len(slices.Compact(sorted)) != 64 {
		t.Errorf("%d emoji", len(slices.Compact(sorted)))
	}
	zero := spell([sha256.Size]byte{})
	if got := strings.Join(zero.Words[:], " "); got != "aardvark adroitness aardvark adroitness" {
		t.Error(got)
	}
	var ones [sha256.Size]byte
	for i := range ones {
		ones[i] = 0xff
	}
	if got := fmt.Sprint(spell(ones)); got != "{[Zulu Yucatan Zulu Yucatan] [📌 📌 📌 📌 📌]}" {
		t.Error(got)
	}
	// Every bit of the first 62 counts, and no other.
	for bit := range 8 * sha256.Size {
		var d [sha256.Size]byte
		d[bit/8] = 0x80 >> (bit % 8)
		if differs := spell(d) != zero; differs != (bit < 62) {
			t.Errorf("bit %d makes a difference: %v", bit, differs)
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	s, secrets := meeting(1)
	r := New(s, newName(), s.Members[0].ID(), secrets[0])
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, secrets[0]); text != "[secret]" {
			t.Errorf("%s prints %s", format, text)
		}
		if text := fmt.Sprintf(format, r); strings.Contains(text, fmt.Sprint(secrets[0][:8])[1:20]) {
			t.Errorf("%s of a round prints its secret", format)
		}
	}
}
