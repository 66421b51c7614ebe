package identity

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func seeds(a, b byte) (seed, scalar [KeyBytes]byte) {
	for i := range seed {
		seed[i], scalar[i] = a, b
	}
	return seed, scalar
}

func TestIDVouchesForTheKeys(t *testing.T) {
	ada := New()
	pub := ada.Public()
	if id := pub.ID(); id != ada.ID() || !id.Valid() {
		t.Fatalf("ID %q of keys whose owner is %q", id, ada.ID())
	}
	for name, change := range map[string]func(p *Public){
		"sign": func(p *Public) { p.Sign[31] ^= 1 },
		"dh":   func(p *Public) { p.DH[0] ^= 1 },
		"swap": func(p *Public) { p.Sign, p.DH = p.DH, p.Sign },
	} {
		other := pub
		if change(&other); other.ID() == pub.ID() {
			t.Errorf("%s: other keys have the same ID", name)
		}
	}
}

func TestSignatures(t *testing.T) {
	ada, ben := New(), New()
	sig := ada.Sign([]byte("for this"))
	for name, c := range map[string]struct {
		by   Public
		text string
		sig  []byte
		want bool
	}{
		"right":        {ada.Public(), "for this", sig, true},
		"other text":   {ada.Public(), "for that", sig, false},
		"other signer": {ben.Public(), "for this", sig, false},
		"cut":          {ada.Public(), "for this", sig[:63], false},
		"longer":       {ada.Public(), "for this", append(bytes.Clone(sig), 0), false},
		"none":         {ada.Public(), "for this", nil, false},
	} {
		if got := c.by.Verify([]byte(c.text), c.sig); got != c.want {
			t.Errorf("%s: verified %v", name, got)
		}
	}
}

func TestSharedSecret(t *testing.T) {
	ada, ben, eve := New(), New(), New()
	a, err := ada.Shared(ben.Public())
	if err != nil {
		t.Fatal(err)
	}
	b, err := ben.Shared(ada.Public())
	if err != nil || !bytes.Equal(a, b) {
		t.Fatalf("two ends of one secret differ, err %v", err)
	}
	if e, _ := eve.Shared(ben.Public()); bytes.Equal(a, e) {
		t.Fatal("somebody else has the secret too")
	}
}

// TestKeysOfSmallOrder tries the points of small order that https://cr.yp.to/ecdh.html lists.
func TestKeysOfSmallOrder(t *testing.T) {
	ada := New()
	for _, point := range []string{
		strings.Repeat("00", 32),
		"01" + strings.Repeat("00", 31),
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		raw, err := hex.DecodeString(point)
		if err != nil {
			t.Fatal(err)
		}
		var pub Public
		copy(pub.DH[:], raw)
		if _, err := ada.Shared(pub); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", point, err)
		}
	}
}

// TestSignaturesOfSmallOrder shows that each key of the list has a signature that fits a message which nobody signed,
// as Go's verification alone sees it, and that Verify refuses it.
func TestSignaturesOfSmallOrder(t *testing.T) {
	signature := make([]byte, SignatureBytes)
	signature[0] = 1 // R is the neutral element, S is 0
	for key := range edwardsSmall {
		for _, sign := range []byte{0, 0x80} {
			var pub Public
			pub.Sign = key
			pub.Sign[KeyBytes-1] |= sign
			fits := 0
			for i := range 50 {
				message := []byte{byte(i)}
				if ed25519.Verify(pub.Sign[:], message, signature) {
					fits++
				}
				if pub.Verify(message, signature) {
					t.Errorf("%x has signed", pub.Sign)
				}
			}
			if fits == 0 {
				t.Errorf("%x is not of small order", pub.Sign)
			}
		}
	}
}

func TestSeedsGiveTheSameKeys(t *testing.T) {
	a, b := FromSeeds(seeds(1, 2)), FromSeeds(seeds(1, 2))
	if a.Public() != b.Public() {
		t.Error("the same seeds give different keys")
	}
	if c := FromSeeds(seeds(1, 3)); c.Public().Sign != a.Public().Sign || c.Public().DH == a.Public().DH {
		t.Error("the scalar makes the X25519 key, and nothing else")
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	ada := FromSeeds(seeds(1, 2))
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, ada); text != "[keys]" {
			t.Errorf("%s prints %s", format, text)
		}
	}
}
