package signal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func testKeys() Keys {
	keys := Keys{Room: "AAECAwQFBgcICQoLDA0ODw"}
	for i := range keys.seal {
		keys.seal[i] = byte(i)
	}
	return keys
}

func TestSealedMessagesOpenInOrder(t *testing.T) {
	keys, alice, bob := testKeys(), NewID(), NewID()
	sealer, opener := NewSealer(keys, alice), NewOpener(keys, bob)
	for i, to := range []ID{bob, "", bob, bob, ""} {
		text := bytes.Repeat([]byte{byte(i), 0x80, 0}, i*40)
		seq, body := sealer.Seal(to, text)
		got, err := opener.Open(alice, to, seq, body)
		if err != nil || !bytes.Equal(got, text) {
			t.Fatalf("message %d: %x, %v", i, got, err)
		}
		if (len(body)-nonceBytes-tagBytes)%padBlock != 0 {
			t.Errorf("message %d: body of %d bytes tells its length", i, len(body))
		}
	}
	if got := opener.Counts(); got != (Counts{Opened: 5}) {
		t.Errorf("counts %+v", got)
	}
}

func TestRefusals(t *testing.T) {
	keys, alice, bob, eve := testKeys(), NewID(), NewID(), NewID()
	sealer, opener := NewSealer(keys, alice), NewOpener(keys, bob)
	type sealed struct {
		seq  uint64
		body []byte
	}
	var said []sealed
	for range 80 {
		seq, body := sealer.Seal(bob, []byte("hello"))
		said = append(said, sealed{seq, body})
	}
	open := func(m sealed) error {
		_, err := opener.Open(alice, bob, m.seq, m.body)
		return err
	}
	if err := errors.Join(open(said[0]), open(said[2])); err != nil {
		t.Fatal(err)
	}
	flip := func(i int) sealed {
		body := bytes.Clone(said[3].body)
		body[(i+len(body))%len(body)] ^= 1
		return sealed{4, body}
	}
	other := keys
	other.seal[0] ^= 1
	_, foreign := NewSealer(other, alice).Seal(bob, []byte("hello"))
	otherRoom := keys
	otherRoom.Room = "another"
	_, elsewhere := NewSealer(otherRoom, alice).Seal(bob, []byte("hello"))
	for name, c := range map[string]struct {
		from, to ID
		m        sealed
		want     error
	}{
		"replayed":               {alice, bob, said[2], ErrReplayed},
		"replayed, older":        {alice, bob, said[0], ErrReplayed},
		"reordered":              {alice, bob, said[1], ErrReordered},
		"reflected":              {bob, alice, said[3], ErrReflected},
		"for another":            {alice, eve, said[3], ErrMisaddressed},
		"turned to everyone":     {alice, "", said[3], ErrChanged},
		"from another":           {eve, bob, said[3], ErrChanged},
		"other sequence":         {alice, bob, sealed{5, said[3].body}, ErrChanged},
		"sequence 0":             {alice, bob, sealed{0, said[3].body}, ErrChanged},
		"nonce changed":          {alice, bob, flip(0), ErrChanged},
		"text changed":           {alice, bob, flip(20), ErrChanged},
		"tag changed":            {alice, bob, flip(-1), ErrChanged},
		"cut short":              {alice, bob, sealed{4, said[3].body[:50]}, ErrChanged},
		"empty":                  {alice, bob, sealed{4, nil}, ErrChanged},
		"another key":            {alice, bob, sealed{1, foreign}, ErrChanged},
		"another room's message": {alice, bob, sealed{1, elsewhere}, ErrChanged},
	} {
		plaintext, err := opener.Open(c.from, c.to, c.m.seq, c.m.body)
		if !errors.Is(err, c.want) || plaintext != nil {
			t.Errorf("%s: %q, %v, want %v", name, plaintext, err, c.want)
		}
	}
	if err := open(said[79]); err != nil { // nothing of that has moved the stream on
		t.Error(err)
	}
	if err := open(said[4]); !errors.Is(err, ErrReplayed) { // long ago: cannot be told apart
		t.Errorf("far behind: %v", err)
	}
	want := Counts{Opened: 3, Reflected: 1, Misaddressed: 1, Changed: 11, Replayed: 3, Reordered: 1, Missed: 77}
	if got := opener.Counts(); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}

// Whatever length the plaintext has up to the limit, it opens, and the body keeps the limit.
func TestSealLimits(t *testing.T) {
	keys, alice, bob := testKeys(), NewID(), NewID()
	for _, n := range []int{0, 1, 63, 64, 65, MaxPlaintext} {
		seq, body := NewSealer(keys, alice).Seal("", make([]byte, n))
		got, err := NewOpener(keys, bob).Open(alice, "", seq, body)
		if err != nil || len(got) != n || len(body) > MaxBody {
			t.Errorf("%d bytes: body of %d, opens as %d, %v", n, len(body), len(got), err)
		}
	}
	if _, body := NewSealer(keys, alice).Seal("", make([]byte, MaxPlaintext+1)); len(body) <= MaxBody {
		t.Error("MaxPlaintext is smaller than it has to be")
	}
}

func TestSecretsStayOutOfLogsAndErrors(t *testing.T) {
	code := NewCode()
	keys := Derive(code)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "code", code, "keys", keys)
	fmt.Fprintf(&log, "%v %+v %#v %s", keys, keys, keys, keys)
	for _, text := range []string{"https://h/%zz#" + code.String(), "https://h/x(#" + code.String(), code.String() + "u", "https://h/#" + code.String() + "0"} {
		if _, err := ParseLink(text, nil); err != nil {
			log.WriteString(err.Error())
		} else {
			t.Errorf("a malformed link was taken")
		}
	}
	if _, err := ParseLink(code.String(), nil); !errors.Is(err, ErrNoServer) {
		t.Errorf("a code without a server: %v", err)
	} else {
		log.WriteString(err.Error())
	}
	for _, secret := range []string{code.String(), string(code), string(code)[:8], hex.EncodeToString(keys.seal[:4])} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("a secret got out: %s", log.String())
		}
	}
}

func TestNewIsRandomAndValid(t *testing.T) {
	codes, ids := map[Code]bool{}, map[ID]bool{}
	for range 1000 {
		code, id := NewCode(), NewID()
		if again, err := ParseCode(code.String()); err != nil || again != code || codes[code] {
			t.Fatalf("code %s: %v", code, err)
		}
		if !id.Valid() || ids[id] {
			t.Fatalf("ID %s", id)
		}
		codes[code], ids[id] = true, true
	}
	for _, id := range []ID{"", "short", "0123456789abcde", "0123456789abcdef0", "0123456789abcde+", "0123456789abcde\n"} {
		if id.Valid() {
			t.Errorf("%q counts as valid", id)
		}
	}
}

func BenchmarkDerive(b *testing.B) {
	for b.Loop() {
		Derive("7k3mq9xt2w8p")
	}
}
