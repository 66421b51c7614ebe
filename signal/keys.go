package signal

import (
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// Constants of the key schedule, version 1 of the protocol. PROTOCOL.md describes it under "Keys", and
// testdata/keys.json has its golden vectors.
const (
	keySalt   = "parley meeting v1"
	keyRounds = 600_000 // OWASP Password Storage Cheat Sheet (2023) for PBKDF2-HMAC-SHA256
	keyBytes  = 32      // AES-256
	roomBytes = 16
	roomInfo  = "room"
	sealInfo  = "seal"
)

// Keys are derived from a code: the room's name, which the rendezvous sees, and the key that seals messages,
// which it does not see.
type Keys struct {
	Room string // 22 characters of base64url
	seal [keyBytes]byte
}

// Derive turns a code into its keys. It takes about 0.1 s of one core on purpose: an attacker who knows a room's
// name and wants its code pays that for every guess.
func Derive(code Code) Keys {
	master, err := pbkdf2.Key(sha256.New, string(code), []byte(keySalt), keyRounds, keyBytes)
	if err != nil {
		panic(fmt.Sprintf("derive the meeting's keys: %v", err)) // parameters are constants: only FIPS-only mode refuses them
	}
	var k Keys
	k.Room = base64.RawURLEncoding.EncodeToString(expand(master, roomInfo, roomBytes))
	copy(k.seal[:], expand(master, sealInfo, keyBytes))
	return k
}

// expand is HKDF-SHA256 (RFC 5869) with an empty salt, as WebCrypto's deriveBits does it.
func expand(master []byte, info string, n int) []byte {
	b, err := hkdf.Key(sha256.New, master, nil, info, n)
	if err != nil {
		panic(fmt.Sprintf("expand the meeting's keys: %v", err)) // as in Derive
	}
	return b
}

// Seal is the key that seals what members say before they know each other's keys.
func (k Keys) Seal() [keyBytes]byte { return k.seal }

// String hides the keys from whoever prints them.
func (k Keys) String() string { return "[keys]" }

// GoString hides the keys from %#v as well.
func (k Keys) GoString() string { return "[keys]" }
