package seal

import (
	"bytes"
	"crypto/cipher"
	"errors"
	"fmt"
	"log/slog"
	"slices"
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

// A member who knows all the secrets that Ada has given it still does not pass as Ada.
func TestMembersCannotForgeEachOther(t *testing.T) {
	ada, ben, cy := people(t)
	ada.say("first", ben, cy)
	key := cy.peers[ada.id].sender[0]
	for name, c := range map[string]struct {
		kind Kind
		to   signal.ID
		seal func(e envelope) []byte
	}{
		"to all, with Ada's key": {All, "", func(e envelope) []byte { return e.signAndSeal(cy.me, e.room(), key.aead, []byte("forged")) }},
		"hello with Ada's name":  {Hello, ben.id, func(e envelope) []byte { return e.signAndSeal(cy.me, e.room(), cy.code, []byte("forged")) }},
		"to one, as if from Ada": {One, ben.id, func(e envelope) []byte { return e.signAndSeal(cy.me, e.room(), cy.peers[ben.id].to, []byte("forged")) }},
		"a key, as if from Ada":  {Key, ben.id, func(e envelope) []byte { return e.signAndSeal(cy.me, e.room(), cy.peers[ben.id].to, key.text()) }},
		"to all, Cy's key for it": {All, "", func(e envelope) []byte {
			return e.signAndSeal(cy.me, e.room(), newSenderKey(1, e.room(), ada.id).aead, nil)
		}},
	} {
		e := envelope{kind: c.kind, stream: stream{ada.id, c.to}, seq: 99, version: key.version}
		opened, err := ben.hear(ada, Sealed{c.to, 99, c.seal(e)})
		if !errors.Is(err, ErrForged) && !errors.Is(err, ErrChanged) {
			t.Errorf("%s: %q, %v", name, opened.Text, err)
		}
	}
	// With Ada's public keys in the hello, but the signature of somebody else.
	e := envelope{kind: Hello, stream: stream{ada.id, ben.id}, seq: 99}
	for name, keys := range map[string]identity.Public{
		"Ada's keys":          ada.me.Public(),
		"Ada's keys, swapped": {Sign: ada.me.Public().DH, DH: ada.me.Public().Sign},
		"half of Ada's keys":  {Sign: ada.me.Public().Sign, DH: cy.me.Public().DH},
		"no keys":             {},
	} {
		if _, err := ben.hear(ada, Sealed{ben.id, 99, e.helloOf(cy.code, keys, make([]byte, 64))}); !errors.Is(err, ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c := ben.Counts(); c.Forged < 6 {
		t.Errorf("%+v", c)
	}
	ben.mustHear(ada, ada.say("second"), "second")
}

func (e envelope) room() string { return meeting.Room }

// helloOf seals a hello with whatever keys and signature.
func (e envelope) helloOf(code cipher.AEAD, keys identity.Public, signature []byte) []byte {
	plain := slices.Concat(keys.Sign[:], keys.DH[:], signature, []byte{0x80}, make([]byte, 63))
	body := append([]byte{byte(Hello)}, e.nonce[:]...)
	return code.Seal(body, e.nonce[:], plain, e.associated(e.room()))
}

// A message of one room, member or generation is none of another.
func TestReplayElsewhere(t *testing.T) {
	ada, ben, cy := people(t)
	ada.say("one", ben, cy)
	said := ada.sealed(ada.One(ben.id, []byte("for Ben")))
	if _, err := cy.hear(ada, Sealed{cy.id, said.Seq, said.Body}); !errors.Is(err, ErrChanged) {
		t.Errorf("for Ben, given to Cy: %v", err)
	}
	said = ben.sealed(ben.One(ada.id, []byte("for Ada")))
	if _, err := ben.hear(ada, Sealed{ben.id, said.Seq, said.Body}); !errors.Is(err, ErrChanged) {
		t.Errorf("from Ben, given back to him as if from Ada: %v", err)
	}
	// The same people in another room.
	ada2, ben2 := person{New(elsewhere, ada.me), t}, person{New(elsewhere, ben.me), t}
	if _, err := ben2.hear(ada, ada.sealed(ada.Hello(ben.id, nil))); !errors.Is(err, ErrChanged) {
		t.Errorf("a hello of another room: %v", err)
	}
	meet(ada2, ben2)
	if _, err := ben2.hear(ada, ada.sealed(ada.One(ben.id, nil))); !errors.Is(err, ErrChanged) {
		t.Errorf("a message of another room: %v", err)
	}
	ada2.say("elsewhere", ben2)
	if _, err := ben2.hear(ada, ada.say("here")); !errors.Is(err, ErrChanged) {
		t.Errorf("a message to all of another room: %v", err)
	}
	// A newcomer of the same room, for whom it was not.
	dora := newPerson(t, meeting)
	if _, err := dora.hear(ada, ada.sealed(ada.Hello(ben.id, nil))); !errors.Is(err, ErrMisaddressed) {
		t.Errorf("a hello to Ben: %v", err)
	}
}

// A service that does not know the code cannot add a member. One that does can, but as somebody of its own.
func TestWhoCanJoin(t *testing.T) {
	ada, ben, _ := people(t)
	service := newPerson(t, elsewhere)
	e := envelope{kind: Hello, stream: stream{service.id, ada.id}, seq: 1}
	if _, err := ada.hear(service, Sealed{ada.id, 1, e.signAndSeal(service.me, meeting.Room, service.code, nil)}); !errors.Is(err, ErrChanged) {
		t.Errorf("without the code: %v", err)
	}
	if _, err := ada.One(service.id, nil); !errors.Is(err, ErrUnknown) {
		t.Errorf("sealed for somebody without keys: %v", err)
	}
	relay := newPerson(t, meeting)
	opened, err := ada.hear(relay, relay.sealed(relay.Hello(ada.id, nil)))
	if err != nil || opened.Keys.ID() != relay.id || relay.id == ben.id {
		t.Errorf("with the code: %+v, %v", opened, err)
	}
	// As Ben it fails, or as somebody whom Ada has not met, whatever keys it claims: the ID is the hash of theirs.
	for _, victim := range []person{ben, newPerson(t, meeting)} {
		for _, keys := range []identity.Public{relay.me.Public(), victim.me.Public()} {
			e := envelope{kind: Hello, stream: stream{victim.id, ada.id}, seq: 99}
			body := e.helloOf(relay.code, keys, relay.me.Sign(e.associated(meeting.Room)))
			if _, err := ada.hear(victim, Sealed{ada.id, 99, body}); !errors.Is(err, ErrForged) {
				t.Errorf("as another: %v", err)
			}
		}
	}
}

func TestKeysOfSmallOrder(t *testing.T) {
	ada, _, _ := people(t)
	mallory := newPerson(t, meeting)
	for name, keys := range map[string]identity.Public{
		"X25519":  {Sign: mallory.me.Public().Sign},          // the point 0
		"Ed25519": {DH: mallory.me.Public().DH, Sign: one32}, // the neutral element
	} {
		from := keys.ID()
		e := envelope{kind: Hello, stream: stream{from, ada.id}, seq: 1}
		signature := mallory.me.Sign(e.associated(meeting.Room))
		if name == "Ed25519" {
			signature = append(bytes.Clone(one32[:]), make([]byte, 32)...) // fits every message
		}
		if _, err := ada.Open(from, ada.id, 1, e.helloOf(mallory.code, keys, signature)); !errors.Is(err, ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
		if ada.peers[from] != nil {
			t.Errorf("%s: remembered", name)
		}
	}
}

var one32 = [32]byte{1}

// Rubbish of every length, also properly sealed, is refused and changes nothing.
func TestRubbish(t *testing.T) {
	ada, ben, _ := people(t)
	ada.say("", ben)
	seq := uint64(100)
	for n := range 300 {
		for kind := range 6 {
			for _, to := range []signal.ID{"", ben.id} {
				body := bytes.Repeat([]byte{byte(n)}, n)
				if n > 0 {
					body[0] = byte(kind)
				}
				if _, err := ben.Open(ada.id, to, seq, body); err == nil {
					t.Fatalf("%d bytes of kind %d", n, kind)
				}
			}
		}
		// What opens and then holds too little.
		for kind, aead := range map[Kind]cipher.AEAD{Hello: ben.code, One: ben.peers[ada.id].from, Key: ben.peers[ada.id].from, All: ada.own.aead} {
			e := envelope{kind: kind, stream: stream{ada.id, ben.id}, seq: seq, version: ada.own.version}
			body := append([]byte{byte(kind)}, e.nonce[:]...)
			if kind == All {
				e.to = ""
				body = append(e.version.append([]byte{byte(kind)}), e.nonce[:]...)
			}
			plain := append(bytes.Repeat([]byte{7}, n), 0x80)
			if n%3 == 0 {
				plain = make([]byte, n+64)
			}
			body = aead.Seal(body, e.nonce[:], plain, e.associated(meeting.Room))
			if _, err := ben.Open(ada.id, e.to, seq, body); err == nil {
				t.Fatalf("%d sealed bytes of kind %d", n, kind)
			}
		}
	}
	// A key that is none, signed by its sender.
	for _, text := range []string{"", "short", strings.Repeat("\x00", secretBytes), strings.Repeat("x", secretBytes+1)} {
		if _, err := ben.hear(ada, ada.sealed(ada.seal(Key, ben.id, ada.peers[ben.id].to, []byte(text)))); !errors.Is(err, ErrChanged) {
			t.Errorf("a key of %d bytes: %v", len(text), err)
		}
	}
	ben.mustHear(ada, ada.say("still here"), "still here")
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
