// Package identity holds the keys that make somebody a member of one meeting: who they are, and how to seal a
// message to them alone.
package identity

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"parley/signal"
)

// Sizes in bytes: of a public key of either kind (RFC 7748, RFC 8032) and of a signature (RFC 8032).
const (
	KeyBytes       = 32
	SignatureBytes = ed25519.SignatureSize
)

// idBytes is how much of the hash an ID keeps. Somebody who wants to pass as a given member has to find other keys
// with the same 96 bits.
const idBytes = 12

// ErrKey refuses a public key of small order, with which every shared secret is the same (RFC 7748, section 6.1).
var ErrKey = errors.New("a member's key is not one")

// Identity is a member's own keys: Ed25519 signs, X25519 agrees on keys. A member draws them afresh for each meeting,
// so that two meetings cannot tell that the same person was in both.
type Identity struct {
	sign ed25519.PrivateKey
	dh   *ecdh.PrivateKey
}

// New draws an identity from the system's CSPRNG.
func New() *Identity {
	var seed, scalar [KeyBytes]byte
	_, _ = rand.Read(seed[:]) // never fails: crypto/rand ends the program instead
	_, _ = rand.Read(scalar[:])
	return FromSeeds(seed, scalar)
}

// FromSeeds makes the identity of an Ed25519 seed (RFC 8032, section 5.1.5) and an X25519 scalar (RFC 7748, section
// 5), as the golden vectors need it.
func FromSeeds(seed, scalar [KeyBytes]byte) *Identity {
	dh, err := ecdh.X25519().NewPrivateKey(scalar[:])
	if err != nil {
		panic(fmt.Sprintf("make an identity: %v", err)) // the length is a constant, and every scalar is one
	}
	return &Identity{sign: ed25519.NewKeyFromSeed(seed[:]), dh: dh}
}

// ID is the name under which the others know this identity.
func (i *Identity) ID() signal.ID { return i.Public().ID() }

// Public is what others may see of the identity.
func (i *Identity) Public() Public {
	var p Public
	copy(p.Sign[:], i.sign[KeyBytes:]) // an Ed25519 private key ends with the public one
	copy(p.DH[:], i.dh.PublicKey().Bytes())
	return p
}

// Sign signs a message. The message begins with what it is for, so that a signature for one purpose never serves
// another.
func (i *Identity) Sign(message []byte) []byte { return ed25519.Sign(i.sign, message) }

// Shared is the secret that only this identity and the peer can compute, 32 bytes; the caller derives keys from it.
// It returns ErrKey for a key of small order.
func (i *Identity) Shared(peer Public) ([]byte, error) {
	key, err := ecdh.X25519().NewPublicKey(peer.DH[:])
	if err != nil {
		return nil, ErrKey
	}
	secret, err := i.dh.ECDH(key)
	if err != nil {
		return nil, ErrKey
	}
	return secret, nil
}

// String hides the keys from whoever prints them.
func (i *Identity) String() string { return "[keys]" }

// GoString hides the keys from %#v as well.
func (i *Identity) GoString() string { return "[keys]" }

// Public is a member's public keys.
type Public struct {
	Sign [KeyBytes]byte // Ed25519
	DH   [KeyBytes]byte // X25519
}

// ID is the hash of the keys, which therefore vouches for them: whoever holds an ID and is given keys can tell whether
// they belong together, and needs to trust nobody.
func (p Public) ID() signal.ID {
	sum := sha256.Sum256(append(p.Sign[:], p.DH[:]...))
	return signal.ID(base64.RawURLEncoding.EncodeToString(sum[:idBytes]))
}

// MarshalText writes the keys as one text: both in base64url, 86 characters.
func (p Public) MarshalText() ([]byte, error) {
	return []byte(base64.RawURLEncoding.EncodeToString(append(p.Sign[:], p.DH[:]...))), nil
}

// UnmarshalText reads what MarshalText has written, or returns ErrKey.
func (p *Public) UnmarshalText(text []byte) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil || len(raw) != 2*KeyBytes {
		return ErrKey
	}
	copy(p.Sign[:], raw)
	copy(p.DH[:], raw[KeyBytes:])
	return nil
}

// Verify reports whether the holder of the keys signed the message. A key of small order has signed nothing: anybody can
// make signatures that fit it, and fit many messages.
func (p Public) Verify(message, signature []byte) bool {
	return verify(p.Sign[:], message, signature)
}
