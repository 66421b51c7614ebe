package phrase

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley/signal"
	"parley/signal/identity"
)

// update writes the outputs of the vectors. Do so only together with a new version of the protocol.
var update = flag.Bool("update", false, "rewrite the golden vectors")

type vector struct {
	Room    string         `json:"room"`
	Roster  string         `json:"roster"` // hex
	Round   string         `json:"round"`  // hex
	Members []vectorMember `json:"members"`
	Digest  string         `json:"digest"` // hex
	Words   string         `json:"words"`
	Emoji   string         `json:"emoji"`
}

type vectorMember struct {
	Seed       string    `json:"seed"`   // hex, of the Ed25519 key
	Scalar     string    `json:"scalar"` // hex, the X25519 key
	Secret     string    `json:"secret"` // hex
	ID         signal.ID `json:"id"`
	Commitment string    `json:"commitment"` // hex
}

// TestVectors; signal/testdata/verify.mjs makes the same with WebCrypto.
func TestVectors(t *testing.T) {
	path := filepath.Join("..", "testdata", "phrase.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Phrases []vector `json:"phrases"`
	}
	if err := json.Unmarshal(text, &file); err != nil || len(file.Phrases) == 0 {
		t.Fatal(len(file.Phrases), "vectors: ", err)
	}
	for i := range file.Phrases {
		got := file.Phrases[i].made(t)
		if *update {
			file.Phrases[i] = got
		}
		want, _ := json.Marshal(file.Phrases[i])
		if made, _ := json.Marshal(got); string(made) != string(want) {
			t.Errorf("phrase %d:\n%s, want\n%s", i, made, want)
		}
	}
	if *update {
		text, _ := json.MarshalIndent(file, "", "  ")
		if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// made is the vector with its outputs made anew.
func (v vector) made(t *testing.T) vector {
	t.Helper()
	bytes32 := func(s string) (b [32]byte) {
		if n, err := hex.Decode(b[:], []byte(s)); err != nil || n != 32 {
			t.Fatalf("%q: %d bytes, %v", s, n, err)
		}
		return b
	}
	name, err := hex.DecodeString(v.Round)
	if err != nil {
		t.Fatal(err)
	}
	session := Session{Room: v.Room, Roster: bytes32(v.Roster)}
	members := make([]vectorMember, len(v.Members))
	for i, m := range v.Members {
		keys := identity.FromSeeds(bytes32(m.Seed), bytes32(m.Scalar)).Public()
		m.ID = keys.ID()
		c := commit(v.Room, Name(name), m.ID, bytes32(m.Secret))
		m.Commitment = hex.EncodeToString(c[:])
		members[i] = m
		session.Members = append(session.Members, keys)
	}
	v.Members = members
	r := New(session, Name(name), members[0].ID, bytes32(members[0].Secret))
	for i, m := range members[1:] {
		if r, err = r.Commit(m.ID, commit(v.Room, Name(name), m.ID, bytes32(m.Secret))); err != nil {
			t.Fatal(i, err)
		}
		if r, err = r.Reveal(m.ID, bytes32(m.Secret)); err != nil {
			t.Fatal(i, err)
		}
	}
	p, ok := r.Phrase()
	if !ok {
		t.Fatal("missing: ", r.Missing())
	}
	digest := r.digest()
	v.Digest = hex.EncodeToString(digest[:])
	v.Words, v.Emoji = strings.Join(p.Words[:], " "), strings.Join(p.Emoji[:], " ")
	return v
}
