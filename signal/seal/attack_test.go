package seal

import (
	"bytes"
	"crypto/cipher"
	"errors"
	"slices"
	"strings"
	"testing"

	"parley/signal"
	"parley/signal/identity"
)

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
