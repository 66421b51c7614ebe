package seal

import (
	"bytes"
	"crypto/cipher"
	"maps"
	"testing"

	"parley/signal"
	"parley/signal/identity"
)

// FuzzOpen opens what a service can make up (a body as it is), what a member can (sealed with keys that it has, but with
// any signature) and what only the sender can (signed, with any text).
func FuzzOpen(f *testing.F) {
	var seed [identity.KeyBytes]byte
	ada, ben := New(meeting, identity.FromSeeds(seed, [32]byte{1})), New(meeting, identity.FromSeeds([32]byte{2}, [32]byte{3}))
	hello, _ := ada.Hello(ben.id, nil)
	if _, err := ben.Open(ada.id, ben.id, hello.Seq, hello.Body); err != nil {
		f.Fatal(err)
	}
	hello, _ = ben.Hello(ada.id, nil)
	if _, err := ada.Open(ben.id, ada.id, hello.Seq, hello.Body); err != nil {
		f.Fatal(err)
	}
	// Workers are processes of their own, so nothing here may be drawn at random.
	ada.own = senderKey{version: version{1, 2}}.ready(meeting.Room, ada.id)
	ben.peers[ada.id].sender.add(ada.own)
	genuine := map[string]bool{}
	for kind := One; kind <= Key; kind++ {
		e := envelope{kind: kind, stream: stream{ada.id, ben.id}, seq: 99, version: ada.own.version}
		aead, text := ada.peers[ben.id].to, []byte("text")
		switch kind {
		case All:
			e.to, aead = "", ada.own.aead
		case Key:
			text = ada.own.text()
		}
		body := e.signAndSeal(ada.me, meeting.Room, aead, text)
		genuine[string(body)] = true
		f.Add(byte(0), kind == All, body)
		f.Add(byte(0), kind != All, body)
	}
	const raw, sealed, signed = 0, 1, 2
	for _, body := range [][]byte{nil, {3}, make([]byte, 98)} {
		f.Add(byte(raw), false, body)
		f.Add(byte(raw), true, body)
	}
	for kind := Hello; kind <= Key; kind++ {
		f.Add(byte(sealed)|byte(kind)<<2, kind == All, append(make([]byte, 200), 0x80, 0))
		f.Add(byte(sealed)|byte(kind)<<2, kind == All, []byte{0x80})
		f.Add(byte(signed)|byte(kind)<<2, kind == All, []byte(`{"t":"hello"}`))
		f.Add(byte(signed)|byte(kind)<<2, kind == All, ada.own.text())
	}
	f.Fuzz(func(t *testing.T, how byte, toAll bool, b []byte) {
		k := *ben
		p := *ben.peers[ada.id]
		k.peers = map[signal.ID]*peer{ada.id: &p}
		k.streams = maps.Clone(ben.streams)
		e := envelope{kind: Kind(how >> 2), stream: stream{ada.id, ben.id}, seq: 99, version: ada.own.version}
		if toAll {
			e.to = ""
		}
		body := b
		aead := map[Kind]cipher.AEAD{Hello: ada.code, One: ada.peers[ben.id].to, Key: ada.peers[ben.id].to, All: ada.own.aead}[e.kind]
		mode := how & 3
		switch {
		case mode == sealed && aead != nil:
			body = []byte{byte(e.kind)}
			if e.kind == All {
				body = e.version.append(body)
			}
			body = aead.Seal(append(body, e.nonce[:]...), e.nonce[:], b, e.associated(meeting.Room))
		case mode == signed && aead != nil:
			body = e.signAndSeal(ada.me, meeting.Room, aead, b)
		default:
			mode = raw
		}
		opened, err := k.Open(ada.id, e.to, e.seq, body)
		fits := (e.kind == All) == toAll && len(body) <= signal.MaxBody
		switch _, isKey := parseSenderKey(b, meeting.Room, ada.id); {
		case mode == signed && fits && (e.kind != Key || isKey):
			if err != nil || opened.Kind != Key && !bytes.Equal(opened.Text, b) {
				t.Fatalf("what Ada has signed: %q, %v", opened.Text, err)
			}
		case err == nil && !(mode == raw && genuine[string(body)]):
			t.Fatalf("opened as %q of %d", opened.Text, opened.Kind)
		}
		if _, again := k.Open(ada.id, e.to, e.seq, body); again == nil {
			t.Fatal("opened twice")
		}
		if len(k.peers) != 1 || len(k.streams) > 2 {
			t.Fatalf("%d members, %d streams", len(k.peers), len(k.streams))
		}
	})
}
