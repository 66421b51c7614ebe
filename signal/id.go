package signal

import (
	"crypto/rand"
	"encoding/base64"
)

// ID names one member of one meeting: 16 characters of base64url, the first 12 bytes of the hash of the keys that the
// member draws afresh for every meeting it opens (see package identity).
type ID string

const idBytes = 12

// NewID draws a member ID from the system's CSPRNG.
func NewID() ID { return ID(randomText(idBytes)) }

// Valid reports whether the ID has the protocol's form. The empty ID, which addresses everyone, is not a
// member's and not valid.
func (id ID) Valid() bool { return isText(string(id), idBytes) }

// ValidRoom reports whether a room name has the form that Derive gives it.
func ValidRoom(room string) bool { return isText(room, roomBytes) }

// randomText is n random bytes as base64url without padding.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// isText reports whether s is exactly n bytes in canonical base64url without padding.
func isText(s string, n int) bool {
	if len(s) != base64.RawURLEncoding.EncodedLen(n) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	if n%3 == 0 {
		return true // no padding bits to check
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil
}
