package signal

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// Constants of the key schedule, version 2 of the protocol. PROTOCOL.md describes it under "Keys", and
// testdata/keys.json has its golden vectors.
const (
	keySalt    = "parley meeting v2"
	keyRounds  = 600_000 // OWASP Password Storage Cheat Sheet (2023) for PBKDF2-HMAC-SHA256
	keyBytes   = 32      // AES-256; a seed of Ed25519 has as many
	roomBytes  = 16
	masterInfo = "master"
	admitInfo  = "admit"
	sealInfo   = "seal"
)

// Keys are derived from a code: the key that lets somebody into the meeting, the room's name, which is the hash of
// that key's public half, and the key that seals messages. The rendezvous sees the name and the public half alone.
type Keys struct {
	Room  string // 22 characters of base64url
	admit [ed25519.PrivateKeySize]byte
	seal  [keyBytes]byte
}

// Derive turns a code into its keys. For a short code it takes about 0.1 s of one core on purpose: an attacker who
// knows a room's name and wants its code pays that for every guess. A long code cannot be guessed anyway.
func Derive(code Code) Keys {
	master := masterOf(code)
	admit := ed25519.NewKeyFromSeed(expand(master, "", admitInfo, ed25519.SeedSize))
	var k Keys
	copy(k.admit[:], admit)
	copy(k.seal[:], expand(master, "", sealInfo, keyBytes))
	k.Room = RoomOf(k.AdmitKey())
	return k
}

func masterOf(code Code) []byte {
	if len(code) == longCode {
		return expand([]byte(code), keySalt, masterInfo, keyBytes)
	}
	master, err := pbkdf2.Key(sha256.New, string(code), []byte(keySalt), keyRounds, keyBytes)
	if err != nil {
		panic(fmt.Sprintf("derive the meeting's keys: %v", err)) // parameters are constants: only FIPS-only mode refuses them
	}
	return master
}

// expand is HKDF-SHA256 (RFC 5869), as WebCrypto's deriveBits does it.
func expand(secret []byte, salt, info string, n int) []byte {
	b, err := hkdf.Key(sha256.New, secret, []byte(salt), info, n)
	if err != nil {
		panic(fmt.Sprintf("expand the meeting's keys: %v", err)) // as in masterOf
	}
	return b
}

// Seal is the key that seals what members say before they know each other's keys.
func (k Keys) Seal() [keyBytes]byte { return k.seal }

// AdmitKey is the public key, Ed25519, whose signatures let somebody into the room.
func (k Keys) AdmitKey() []byte { return k.admit[ed25519.SeedSize:] }

// Admit signs a message to show that the signer knows the code. The message begins with what it is for.
func (k Keys) Admit(message []byte) []byte { return ed25519.Sign(k.admit[:], message) }

// RoomOf names the room that an admit key opens.
func RoomOf(admitKey []byte) string {
	sum := sha256.Sum256(admitKey)
	return base64.RawURLEncoding.EncodeToString(sum[:roomBytes])
}

// String hides the keys from whoever prints them.
func (k Keys) String() string { return "[keys]" }

// GoString hides the keys from %#v as well.
func (k Keys) GoString() string { return "[keys]" }
