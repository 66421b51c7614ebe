package seal

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"parley/signal"
	"parley/signal/identity"
)

// update rewrites what the vectors' outputs are. Do so only together with a new version of the protocol.
var update = flag.Bool("update", false, "rewrite the golden vectors in ../testdata")

// member is the identity of a vector.
type member struct {
	Seed   string    `json:"seed"`   // hex; of the Ed25519 key
	Scalar string    `json:"scalar"` // hex; of the X25519 key
	ID     signal.ID `json:"id"`
}

// vectors is what seal.json has. testdata/verify.mjs reproduces it.
type vectors struct {
	Room    string          `json:"room"`
	Code    string          `json:"code"` // hex; the key of the meeting's code
	Ada     member          `json:"ada"`
	Ben     member          `json:"ben"`
	Sealed  []sealedVector  `json:"sealed"` // from Ada, to Ben or to everyone
	Ratchet []ratchetVector `json:"ratchet"`
	Chats   []chatVector    `json:"chats"` // of Ada
}

type sealedVector struct {
	Name  string `json:"name"`
	Kind  Kind   `json:"kind"`
	Seq   uint64 `json:"seq"`
	Gen   uint32 `json:"gen,omitempty"`
	Step  uint8  `json:"step,omitempty"`
	Key   string `json:"key,omitempty"` // hex; Ada's secret at that step
	Nonce string `json:"nonce"`         // hex
	Text  string `json:"text"`          // hex
	Body  string `json:"body"`          // hex
}

// ratchetVector is a secret of Ada's, and what it seals with, at a step.
type ratchetVector struct {
	Secret string `json:"secret"` // hex; at step 0
	Step   uint8  `json:"step"`
	Then   string `json:"then"` // hex; the secret at that step
	Key    string `json:"key"`  // hex; AES-256
}

type chatVector struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Text string `json:"text"`
	At   int64  `json:"at"`
	N    uint64 `json:"n"`
	Sig  string `json:"sig"` // hex
}

func (m member) identity(t *testing.T) *identity.Identity {
	var seed, scalar [identity.KeyBytes]byte
	copy(seed[:], unhex(t, m.Seed))
	copy(scalar[:], unhex(t, m.Scalar))
	return identity.FromSeeds(seed, scalar)
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// golden compares, or takes over the value with -update.
func golden[T comparable](t *testing.T, what string, got T, want *T) {
	t.Helper()
	if *update {
		*want = got
	} else if got != *want {
		t.Errorf("%s: got %v, want %v", what, got, *want)
	}
}

func TestVectors(t *testing.T) {
	path := filepath.Join("..", "testdata", "seal.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil || len(v.Sealed) == 0 || len(v.Ratchet) == 0 || len(v.Chats) == 0 {
		t.Fatalf("%s: %v", path, err)
	}
	ada, ben := v.Ada.identity(t), v.Ben.identity(t)
	golden(t, "Ada's ID", ada.ID(), &v.Ada.ID)
	golden(t, "Ben's ID", ben.ID(), &v.Ben.ID)
	keyring := func(me, other *identity.Identity) *Keyring {
		k := New(meeting, me)
		k.room, k.code = v.Room, newAEAD(unhex(t, v.Code))
		to, from, err := k.pair(other.ID(), other.Public())
		if err != nil {
			t.Fatal(err)
		}
		k.peers[other.ID()] = &peer{public: other.Public(), to: to, from: from}
		return k
	}
	adas, bens := keyring(ada, ben), keyring(ben, ada)
	for i := range v.Sealed {
		checkSealed(t, &v.Sealed[i], adas, bens)
	}
	for i := range v.Ratchet {
		r := &v.Ratchet[i]
		var k senderKey
		copy(k.secret[:], unhex(t, r.Secret))
		k = k.ratchet(r.Step, v.Room, ada.ID())
		golden(t, "ratchet", hex.EncodeToString(k.secret[:]), &r.Then)
		golden(t, "sender's key", hex.EncodeToString(k.key(v.Room, ada.ID())), &r.Key)
	}
	for i := range v.Chats {
		c := &v.Chats[i]
		chat := Chat{v.Room, ada.ID(), c.ID, c.Name, c.Text, c.At, c.N}
		golden(t, "signature", hex.EncodeToString(chat.Sign(ada)), &c.Sig)
		if !chat.Verify(ada.Public(), unhex(t, c.Sig)) {
			t.Errorf("chat %s does not verify", c.ID)
		}
	}
	if !*update {
		return
	}
	if text, err = json.MarshalIndent(v, "", "  "); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func checkSealed(t *testing.T, v *sealedVector, ada, ben *Keyring) {
	t.Helper()
	e := envelope{kind: v.Kind, stream: stream{ada.id, ben.id}, seq: v.Seq}
	copy(e.nonce[:], unhex(t, v.Nonce))
	aead := ada.peers[ben.id].to
	switch v.Kind {
	case Hello:
		aead = ada.code
	case All:
		e.to, e.version = "", version{v.Gen, v.Step}
		k := senderKey{version: e.version}
		copy(k.secret[:], unhex(t, v.Key))
		k = k.ready(ada.room, ada.id)
		aead = k.aead
		ben.peers[ada.id].sender.add(k)
	}
	golden(t, v.Name, hex.EncodeToString(e.signAndSeal(ada.me, ada.room, aead, unhex(t, v.Text))), &v.Body)
	opened, err := ben.Open(ada.id, e.to, e.seq, unhex(t, v.Body))
	if err != nil || v.Kind != Key && hex.EncodeToString(opened.Text) != v.Text {
		t.Errorf("%s: opens as %x, %v", v.Name, opened.Text, err)
	}
}
