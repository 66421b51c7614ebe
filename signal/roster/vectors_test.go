package roster

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"parley/signal"
)

var update = flag.Bool("update", false, "rewrite the golden vectors in signal/testdata")

type handoverVector struct {
	To  string `json:"to"`  // hex
	Sig string `json:"sig"` // hex
}

// vector is a roster as fields and as bytes, and the seeds of the keys that signed it, so that others can sign it, too.
type vector struct {
	Name        string           `json:"name"`
	Room        string           `json:"room"`
	Fingerprint string           `json:"fingerprint"`
	OwnerSeeds  []string         `json:"ownerSeeds"` // hex: of the creator's key, and of each that the meeting was handed to
	SignerSeed  string           `json:"signerSeed"` // hex
	Root        string           `json:"root"`       // hex
	Handovers   []handoverVector `json:"handovers"`
	N           uint64           `json:"n"`
	Owner       signal.ID        `json:"owner"`
	CoHosts     []signal.ID      `json:"coHosts"`
	Offer       *handoverVector  `json:"offer,omitempty"`
	TermSig     string           `json:"termSig"` // hex
	Epoch       uint64           `json:"epoch"`
	Policy      Policy           `json:"policy"`
	Ended       bool             `json:"ended"`
	Seen        []uint64         `json:"seen"`
	Admitted    []signal.ID      `json:"admitted"`
	Removed     []signal.ID      `json:"removed"`
	Signer      signal.ID        `json:"signer"`
	BySign      string           `json:"bySign,omitempty"` // hex; none: the owner's key
	ByDH        string           `json:"byDH,omitempty"`   // hex
	Sig         string           `json:"sig"`              // hex
	Encoded     string           `json:"encoded"`          // hex
}

func describe(name string, r *Roster, signer ed25519.PrivateKey, owners ...ed25519.PrivateKey) vector {
	h := func(x Handover) handoverVector {
		return handoverVector{hex.EncodeToString(x.To[:]), hex.EncodeToString(x.Sig[:])}
	}
	t := r.Term
	v := vector{
		Name: name, Room: testRoom, Fingerprint: Fingerprint(t.Root[:]), SignerSeed: hex.EncodeToString(signer.Seed()),
		Root: hex.EncodeToString(t.Root[:]), N: t.N, Owner: t.Owner, CoHosts: t.CoHosts, TermSig: hex.EncodeToString(t.Sig[:]),
		Epoch: r.Epoch, Policy: r.Policy, Ended: r.Ended, Seen: r.Seen, Admitted: r.Admitted, Removed: r.Removed,
		Sig: hex.EncodeToString(r.Sig[:]), Encoded: hex.EncodeToString(r.Encode()),
	}
	for _, key := range owners {
		v.OwnerSeeds = append(v.OwnerSeeds, hex.EncodeToString(key.Seed()))
	}
	for _, x := range t.Handovers {
		v.Handovers = append(v.Handovers, h(x))
	}
	if t.Offer != nil {
		o := h(*t.Offer)
		v.Offer = &o
	}
	if r.By != nil {
		v.BySign, v.ByDH = hex.EncodeToString(r.By.Sign[:]), hex.EncodeToString(r.By.DH[:])
	}
	_, v.Signer = r.signer()
	return v
}

// memberKey is the Ed25519 key of keysOf(n)'s identity.
func memberKey(n int) ed25519.PrivateKey {
	me, _ := keysOf(n)
	seed := make([]byte, ed25519.SeedSize)
	seed[7], seed[31] = byte(n), 1
	key := ed25519.NewKeyFromSeed(seed)
	if pub := me.Public().Sign; !bytes.Equal(key[32:], pub[:]) {
		panic("the seed is not that of keysOf")
	}
	return key
}

func vectors(t *testing.T) []vector {
	w := started(t, 5)
	ada, ben, cem, dan := w.people[0], w.people[1], w.people[2], w.people[3]
	list := []vector{describe("open, new", w.same(), ada.key, ada.key)}
	w.act(ada, Action{Kind: MakeCoHost, Target: cem.id})
	w.act(ada, Action{Kind: MakeCoHost, Target: ben.id})
	w.act(ada, Action{Kind: SetWaiting, On: true})
	w.act(ada, Action{Kind: ReserveChat, On: true})
	list = append(list, describe("waiting room, two co-hosts", w.same(), ada.key, ada.key))
	w.act(ben, Action{Kind: Remove, Target: dan.id})
	w.act(ben, Action{Kind: SetLocked, On: true})
	w.act(ben, Action{Kind: ReservePresent, On: true})
	w.act(ben, Action{Kind: ReserveUnmute, On: true})
	list = append(list, describe("a co-host removes and locks", w.same(), memberKey(1), ada.key))
	w.step(ada, Act{Action{Kind: HandOver, Target: ben.id}})
	list = append(list, describe("offered", ada.roster(), ada.key, ada.key))
	w.settle()
	list = append(list, describe("handed over", w.same(), ben.key, ada.key, memberKey(1), ben.key))
	w.act(ben, Action{Kind: EndForAll})
	return append(list, describe("ended", ben.roster(), ben.key, ada.key, memberKey(1), ben.key))
}

// TestVectors compares with the golden vectors, which verify.mjs reproduces with WebCrypto.
func TestVectors(t *testing.T) {
	path := filepath.Join("..", "testdata", "roster.json")
	got, err := json.MarshalIndent(map[string][]vector{"rosters": vectors(t)}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("rosters are written or signed in another way than the golden ones")
	}
	for _, v := range vectors(t) {
		b, _ := hex.DecodeString(v.Encoded)
		r, err := Parse(b)
		if err != nil || r.check(v.Room, v.Fingerprint, nil) != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
}

// FuzzParse: whatever can be read can be written again as the same bytes, and decides about everybody without a panic.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if err != nil {
			return
		}
		if !bytes.Equal(r.Encode(), b) {
			t.Error("there are two ways to write one roster")
		}
		for _, id := range append(r.Term.hosts(), append(r.Admitted, r.Removed...)...) {
			r.Standing(id)
			r.Allows(id, ToChat)
			_ = r.May(r.Term.Owner, Remove, id)
		}
		if r.check(testRoom, "", nil) == nil && r.rules() != nil {
			t.Error("a roster against the rules passes")
		}
		me, key := keysOf(0)
		s, _ := Next(NewState(Config{Room: testRoom, Me: me, Key: key, Owner: Fingerprint(key[32:])}), Received{"AAAAAAAAAAAAAAAA", b})
		if r := s.Roster(); r != nil && r.check(testRoom, s.cfg.Owner, nil) != nil {
			t.Error("a roster that is not signed holds")
		}
	})
}

// TestCorpus keeps what the fuzzer begins with in step with the format.
func TestCorpus(t *testing.T) {
	dir := filepath.Join("testdata", "fuzz", "FuzzParse")
	for i, v := range vectors(t) {
		b, _ := hex.DecodeString(v.Encoded)
		path := filepath.Join(dir, "golden"+string(rune('0'+i)))
		text := []byte("go test fuzz v1\n[]byte(" + quote(b) + ")\n")
		if *update {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: not as the format is now: %v", path, err)
		}
	}
}

func quote(b []byte) string {
	out := []byte{'"'}
	for _, c := range b {
		out = append(out, `\x`...)
		out = append(out, hex.EncodeToString([]byte{c})...)
	}
	return string(append(out, '"'))
}
