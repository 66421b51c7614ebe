package seal

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"parley/signal"
	"parley/signal/identity"
)

const code = signal.Code("7k3mq9xt2w8p")

var (
	meeting   = signal.Derive(code)
	elsewhere = signal.Derive("000000000000")
)

// person is a member of these tests.
type person struct {
	*Keyring
	t *testing.T
}

func newPerson(t *testing.T, keys signal.Keys) person {
	return person{New(keys, identity.New()), t}
}

func (p person) sealed(s Sealed, err error) Sealed {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

// hear opens what from has sealed.
func (p person) hear(from person, s Sealed) (Opened, error) {
	return p.Open(from.id, s.To, s.Seq, s.Body)
}

func (p person) mustHear(from person, s Sealed, want string) {
	p.t.Helper()
	if got, err := p.hear(from, s); err != nil || string(got.Text) != want {
		p.t.Fatalf("heard %q, %v; want %q", got.Text, err, want)
	}
}

// meet introduces people to each other.
func meet(people ...person) {
	for _, a := range people {
		for _, b := range people {
			if a != b {
				b.t.Helper()
				b.mustHear(a, a.sealed(a.Hello(b.id, []byte("hi"))), "hi")
				b.Include(a.id)
			}
		}
	}
}

// say says something to everyone. Those who listen are handed the key first.
func (p person) say(text string, listeners ...person) Sealed {
	p.t.Helper()
	keys, all, err := p.All([]byte(text))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, key := range keys {
		for _, l := range listeners {
			if l.id == key.To {
				l.mustHear(p, key, "")
			}
		}
	}
	return all
}

func people(t *testing.T) (ada, ben, cy person) {
	ada, ben, cy = newPerson(t, meeting), newPerson(t, meeting), newPerson(t, meeting)
	meet(ada, ben, cy)
	return ada, ben, cy
}

func TestMembersReadEachOther(t *testing.T) {
	ada, ben, cy := people(t)
	for i := range 5 {
		text := strings.Repeat("\x80\x00", i*40)
		all := ada.say(text, ben, cy)
		one := ada.sealed(ada.One(ben.id, []byte(text)))
		ben.mustHear(ada, all, text)
		cy.mustHear(ada, all, text)
		ben.mustHear(ada, one, text)
		for kind, s := range map[string]Sealed{"one": one, "all": all} {
			header := 1 + nonceBytes + tagBytes
			if kind == "all" {
				header += versionBytes
			}
			if (len(s.Body)-header)%padBlock != 0 {
				t.Errorf("to %s: a body of %d bytes tells its length", kind, len(s.Body))
			}
		}
	}
	if c := ben.Counts(); c != (Counts{Opened: 2 + 1 + 10}) {
		t.Errorf("counts %+v", c)
	}
}

func TestRefusals(t *testing.T) {
	ada, ben, cy := people(t)
	outside, stranger := newPerson(t, elsewhere), newPerson(t, meeting)
	meet(outside, newPerson(t, elsewhere))
	ada.say("", ben, cy)
	one := ada.sealed(ada.One(ben.id, []byte("hello")))
	all := ada.say("hello")
	hello := ada.sealed(ada.Hello(ben.id, nil))
	flip := func(s Sealed, i int) Sealed {
		s.Body = bytes.Clone(s.Body)
		s.Body[(i+len(s.Body))%len(s.Body)] ^= 1
		return s
	}
	with := func(s Sealed, change func(*Sealed)) Sealed {
		s.Body = bytes.Clone(s.Body)
		change(&s)
		return s
	}
	toBen := func(s *Sealed) { s.To = ben.id }
	toAll := func(s *Sealed) { s.To = "" }
	as := func(kind Kind) func(*Sealed) { return func(s *Sealed) { s.Body[0] = byte(kind) } }
	for name, c := range map[string]struct {
		from person
		s    Sealed
		want error
	}{
		"reflected":                     {ben, one, ErrReflected},
		"for another":                   {ada, with(one, func(s *Sealed) { s.To = cy.id }), ErrMisaddressed},
		"to one, turned to everyone":    {ada, with(one, toAll), ErrChanged},
		"to all, turned to one":         {ada, with(all, toBen), ErrChanged},
		"to all, turned to one, as One": {ada, with(all, func(s *Sealed) { s.To, s.Body[0] = ben.id, byte(One) }), ErrChanged},
		"from another":                  {cy, one, ErrChanged},
		"to all, from another":          {cy, all, ErrKeyless}, // Cy has not spoken yet
		"from a stranger":               {stranger, one, ErrUnknown},
		"to all, from a stranger":       {stranger, all, ErrUnknown},
		"a hello, from a stranger":      {stranger, hello, ErrChanged},
		"another sequence":              {ada, with(one, func(s *Sealed) { s.Seq++ }), ErrChanged},
		"sequence 0":                    {ada, with(one, func(s *Sealed) { s.Seq = 0 }), ErrChanged},
		"no kind":                       {ada, with(one, as(0)), ErrChanged},
		"an unknown kind":               {ada, with(one, as(5)), ErrChanged},
		"to one, as a hello":            {ada, with(one, as(Hello)), ErrChanged},
		"to one, as a key":              {ada, with(one, as(Key)), ErrChanged},
		"a hello, as to one":            {ada, with(hello, as(One)), ErrChanged},
		"another nonce":                 {ada, flip(one, 1), ErrChanged},
		"another text":                  {ada, flip(one, 20), ErrChanged},
		"another tag":                   {ada, flip(one, -1), ErrChanged},
		"another generation":            {ada, flip(all, 4), ErrKeyless},
		"another step":                  {ada, flip(all, 5), ErrChanged},
		"cut short":                     {ada, with(one, func(s *Sealed) { s.Body = s.Body[:50] }), ErrChanged},
		"empty":                         {ada, with(one, func(s *Sealed) { s.Body = nil }), ErrChanged},
		"too long":                      {ada, with(one, func(s *Sealed) { s.Body = make([]byte, signal.MaxBody+1) }), ErrChanged},
		"hello of another code":         {outside, outside.sealed(outside.Hello(ben.id, nil)), ErrChanged},
	} {
		opened, err := ben.hear(c.from, c.s)
		if !errors.Is(err, c.want) || opened.Text != nil {
			t.Errorf("%s: %q, %v, want %v", name, opened.Text, err, c.want)
		}
	}
	// Nothing of that has moved a stream on.
	ben.mustHear(ada, one, "hello")
	ben.mustHear(ada, all, "hello")
	ben.mustHear(ada, hello, "")
}

func TestOrder(t *testing.T) {
	ada, ben, _ := people(t)
	var said []Sealed
	for range 80 {
		said = append(said, ada.sealed(ada.One(ben.id, []byte("x"))))
	}
	for _, c := range []struct {
		i    int
		want error
	}{{0, nil}, {2, nil}, {2, ErrReplayed}, {0, ErrReplayed}, {1, ErrReordered}, {79, nil}, {78, ErrReordered}, {4, ErrReplayed}} {
		if _, err := ben.hear(ada, said[c.i]); !errors.Is(err, c.want) {
			t.Errorf("message %d: %v, want %v", c.i, err, c.want)
		}
	}
	if c := ben.Counts(); c.Replayed != 3 || c.Reordered != 2 || c.Missed != 77 {
		t.Errorf("%+v", c)
	}
	// Somebody who was forgotten and comes back goes on where it was: what was heard stays old.
	again := ada.sealed(ada.Hello(ben.id, nil))
	ben.Forget(ada.id)
	if _, err := ben.hear(ada, said[0]); !errors.Is(err, ErrUnknown) {
		t.Errorf("forgotten: %v", err)
	}
	ben.mustHear(ada, again, "")
	if _, err := ben.hear(ada, said[79]); !errors.Is(err, ErrReplayed) {
		t.Errorf("back again: %v", err)
	}
	ben.Forget(ada.id)
	if _, err := ben.hear(ada, again); !errors.Is(err, ErrReplayed) {
		t.Errorf("the hello of somebody who left, once more: %v", err)
	}
}

func TestNewcomersReadNothingOlder(t *testing.T) {
	ada, ben, cy := people(t)
	before := ada.say("before", ben, cy)
	dora := newPerson(t, meeting)
	meet(ada, dora)
	if keys, _, _ := dora.All(nil); len(keys) != 1 {
		t.Fatal("Dora knows only Ada")
	}
	after := ada.say("after", dora)
	dora.mustHear(ada, after, "after")
	// Dora's secret is of a later step; the stream is rewound, so that only the key is in the way.
	dora.streams = map[stream]window{}
	if _, err := dora.hear(ada, before); !errors.Is(err, ErrKeyless) {
		t.Errorf("what was said before: %v", err)
	}
	ben.mustHear(ada, before, "before")
	ben.mustHear(ada, after, "after") // Ben goes on by himself
	if v := ben.peers[ada.id].sender[0].version; v != (version{1, 1}) {
		t.Errorf("Ben is at %+v", v)
	}
	// Nobody ratchets for nothing: of two who come before the next word, none adds a step.
	eve, finn := newPerson(t, meeting), newPerson(t, meeting)
	meet(ada, eve)
	meet(ada, finn)
	if ada.say("x", eve, finn); ada.own.version != (version{1, 2}) {
		t.Errorf("Ada is at %+v", ada.own.version)
	}
}

func TestWhoHasGoneReadsNothingMore(t *testing.T) {
	ada, ben, cy := people(t)
	cy.mustHear(ada, ada.say("before", ben, cy), "before")
	late := ada.say("late") // on its way when the key changes
	ada.Forget(cy.id)
	keys, after, err := ada.All([]byte("after"))
	if err != nil || len(keys) != 1 || keys[0].To != ben.id {
		t.Fatalf("%d keys handed out, %v", len(keys), err)
	}
	if _, err := cy.hear(ada, after); !errors.Is(err, ErrKeyless) {
		t.Errorf("Cy has gone and reads it: %v", err)
	}
	cy.mustHear(ada, late, "late") // it was said while Cy was here
	ben.mustHear(ada, keys[0], "")
	ben.mustHear(ada, late, "late")
	ben.mustHear(ada, after, "after")
	if ada.own.gen != 2 {
		t.Errorf("generation %d", ada.own.gen)
	}
	// Many who go one after the other cost one new key.
	more := []person{newPerson(t, meeting), newPerson(t, meeting), newPerson(t, meeting)}
	for _, p := range more {
		meet(ada, p)
	}
	ada.say("x", append(more, ben)...)
	for _, p := range more {
		ada.Forget(p.id)
	}
	if ben.mustHear(ada, ada.say("y", ben), "y"); ada.own.gen != 3 {
		t.Errorf("generation %d", ada.own.gen)
	}
}

// Whoever comes back, or lost a message, gets the key again.
func TestKeysComeAgain(t *testing.T) {
	ada, ben, cy := people(t)
	keys, lost, _ := ada.All([]byte("lost")) // Ben gets none of it
	if len(keys) != 2 || keys[0].To > keys[1].To {
		t.Fatalf("%d keys", len(keys))
	}
	_ = lost
	if _, err := ben.hear(ada, ada.say("unread")); !errors.Is(err, ErrKeyless) {
		t.Fatalf("without the key: %v", err)
	}
	ada.mustHear(ben, ben.sealed(ben.Hello(ada.id, nil)), "")
	ada.Include(ben.id)
	ben.mustHear(ada, ada.say("read", ben), "read")
	ada.NotSent(ben.id)
	if keys, _, _ := ada.All(nil); len(keys) != 1 || keys[0].To != ben.id {
		t.Errorf("a key that could not be sent is not sent again: %d", len(keys))
	}
	if keys, _, _ := ada.All(nil); len(keys) != 0 {
		t.Errorf("%d keys handed out for nothing", len(keys))
	}
	_ = cy
}

// A generation has 256 steps. Then a new one begins, so that nobody has to compute more.
func TestLastStep(t *testing.T) {
	ada, ben, _ := people(t)
	for i := range 300 {
		ada.NotSent(ben.id)
		all := ada.say(fmt.Sprint(i), ben)
		if i%100 == 0 || i > 250 && i < 260 {
			ben.mustHear(ada, all, fmt.Sprint(i))
		}
	}
	if ada.own.version != (version{2, 43}) {
		t.Errorf("%+v", ada.own.version)
	}
}

// Only two generations of each sender are kept.
func TestGenerationsAreBounded(t *testing.T) {
	ada, ben, _ := people(t)
	var said []Sealed
	for range 4 {
		ada.stale = true
		said = append(said, ada.say("x", ben))
	}
	for i, s := range said {
		if _, err := ben.hear(ada, s); (err == nil) != (i >= 2) {
			t.Errorf("generation %d: %v", i+1, err)
		}
	}
	// An older key that comes again changes nothing.
	old := newSenderKey(1, meeting.Room, ada.id)
	ben.mustHear(ada, ada.sealed(ada.seal(Key, ben.id, ada.peers[ben.id].to, old.text())), "")
	ben.mustHear(ada, ada.say("y", ben), "y")
}

func TestMembersAreBounded(t *testing.T) {
	ada := newPerson(t, meeting)
	for range maxPeers {
		p := newPerson(t, meeting)
		ada.mustHear(p, p.sealed(p.Hello(ada.id, nil)), "")
	}
	p := newPerson(t, meeting)
	hello := p.sealed(p.Hello(ada.id, nil))
	if _, err := ada.hear(p, hello); !errors.Is(err, ErrCrowded) || ada.Counts().Crowded != 1 {
		t.Fatalf("one too many: %v", err)
	}
	for id := range ada.peers {
		ada.Forget(id)
		break
	}
	ada.mustHear(p, hello, "") // nobody is locked out for good
	for i := range maxStreams {
		ada.streams[stream{signal.ID(fmt.Sprint(i)), ada.id}] = window{1, 1}
		ada.last[signal.ID(fmt.Sprint(i))] = 1
	}
	ada.peers = map[signal.ID]*peer{}
	p = newPerson(t, meeting)
	if _, err := ada.hear(p, p.sealed(p.Hello(ada.id, nil))); !errors.Is(err, ErrCrowded) {
		t.Errorf("too many streams: %v", err)
	}
	if _, err := ada.Hello(p.id, nil); !errors.Is(err, ErrCrowded) {
		t.Errorf("too many receivers: %v", err)
	}
}

// Whatever length the text has up to the limit, it opens, and the body keeps the limit.
func TestSealLimits(t *testing.T) {
	ada, ben, _ := people(t)
	for _, n := range []int{0, 1, 63, 64, 65, MaxText} {
		text := strings.Repeat("x", n)
		for _, seal := range []func() Sealed{
			func() Sealed { return ada.sealed(ada.Hello(ben.id, []byte(text))) },
			func() Sealed { return ada.sealed(ada.One(ben.id, []byte(text))) },
			func() Sealed { return ada.say(text, ben) },
		} {
			s := seal()
			if ben.mustHear(ada, s, text); len(s.Body) > signal.MaxBody {
				t.Errorf("%d bytes: a body of %d", n, len(s.Body))
			}
		}
	}
	if s := ada.sealed(ada.Hello(ben.id, make([]byte, MaxText+1))); len(s.Body) <= signal.MaxBody {
		t.Error("MaxText is smaller than it has to be")
	}
}

func TestChatSignature(t *testing.T) {
	ada, ben := identity.New(), identity.New()
	said := Chat{"room", ada.ID(), "1", "Ada", "attack at dawn", 7, 9}
	signature := said.Sign(ada)
	if !said.Verify(ada.Public(), signature) {
		t.Fatal("it does not verify")
	}
	for name, change := range map[string]func(c *Chat){
		"room":            func(c *Chat) { c.Room = "other" },
		"author":          func(c *Chat) { c.Author = ben.ID() },
		"ID":              func(c *Chat) { c.ID = "2" },
		"name":            func(c *Chat) { c.Name = "Ben" },
		"text":            func(c *Chat) { c.Text = "attack at noon" },
		"time":            func(c *Chat) { c.At++ },
		"Lamport time":    func(c *Chat) { c.N-- },
		"where name ends": func(c *Chat) { c.Name, c.Text = "Adaa", "ttack at dawn" },
	} {
		other := said
		if change(&other); other.Verify(ada.Public(), signature) || other.Verify(ben.Public(), signature) {
			t.Errorf("another %s verifies", name)
		}
	}
	if said.Verify(ben.Public(), said.Sign(ben)) {
		t.Error("Ben signs for Ada")
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	ada, ben, _ := people(t)
	ada.say("x", ben)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "keys", ada.Keyring, "own", ada.own)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		fmt.Fprintf(&log, format+format, ada.Keyring, ada.own)
	}
	if text := strings.ReplaceAll(log.String(), "[keys]", ""); strings.ContainsAny(strings.SplitN(text, "keys=", 2)[1], "[{") {
		t.Error(log.String())
	}
}
