package seal

import (
	"encoding/binary"

	"parley/signal"
	"parley/signal/identity"
)

// Chat is what the author of a chat message vouches for. Its signature goes with the message wherever it is handed
// on, so that nobody can put words into the mouth of somebody who has left.
type Chat struct {
	Room           string
	Author         signal.ID
	ID, Name, Text string
	At             int64  // Unix milliseconds
	N              uint64 // Lamport time
}

// signed is the bytes under the signature. Lengths precede the texts: one byte for room and author, four for the rest.
func (c Chat) signed() []byte {
	b := appendTexts([]byte("parley chat v2\x00"), c.Room, string(c.Author))
	b = binary.BigEndian.AppendUint64(b, uint64(c.At))
	b = binary.BigEndian.AppendUint64(b, c.N)
	for _, text := range []string{c.ID, c.Name, c.Text} {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...)
	}
	return b
}

// Sign returns the author's signature.
func (c Chat) Sign(author *identity.Identity) []byte { return author.Sign(c.signed()) }

// Verify reports whether the keys are the author's, and the signature too.
func (c Chat) Verify(author identity.Public, signature []byte) bool {
	return author.ID() == c.Author && author.Verify(c.signed(), signature)
}
