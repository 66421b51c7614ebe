// Package phrase makes the safety phrase of a meeting: a few words and emoji that are the same for everybody exactly if
// all see the same members with the same keys and the same roster. People compare them by voice.
//
// Everyone draws a secret for each round and says its hash first, and the secret itself only after everybody else's
// hash is known. So nobody can choose keys or a secret that make two different meetings show one phrase: whoever tries
// has one guess in 2^62 for each round that people compare.
package phrase

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"slices"

	"parley/signal"
	"parley/signal/identity"
)

const (
	secretBytes = 32
	nameBytes   = 16
	wordCount   = 4
	emojiCount  = 5
	emojiBits   = 6 // 64 emoji
)

// Reasons for which a message of a round is refused.
var (
	ErrStranger = errors.New("safety phrase: a message of somebody who is not in this round")
	ErrTwice    = errors.New("safety phrase: a member has said two different things in one round")
	ErrSecret   = errors.New("safety phrase: a member's secret does not fit its hash")
)

// Secret is what a member adds to the phrase of one round.
type Secret [secretBytes]byte

// Commitment is the hash of a secret, its round and its author.
type Commitment [sha256.Size]byte

// Name tells rounds apart. Who starts one draws it; of two for the same members the greater stands.
type Name [nameBytes]byte

// Compare orders names as numbers, big-endian.
func (n Name) Compare(other Name) int { return slices.Compare(n[:], other[:]) }

// String hides the secret from whoever prints it.
func (Secret) String() string { return "[secret]" }

// GoString hides the secret from %#v as well.
func (Secret) GoString() string { return "[secret]" }

// Session is what the phrase is about.
type Session struct {
	Room    string
	Members []identity.Public // everybody, ourselves included, in any order
	Roster  [32]byte          // hash of the roster; zero while there is none
}

// Phrase is what people compare.
type Phrase struct {
	Words [wordCount]string
	Emoji [emojiCount]string
}

// member is what is known of one member in a round.
type member struct {
	keys       identity.Public
	id         signal.ID
	committed  bool
	commitment Commitment
	revealed   bool
	secret     Secret
}

// Round is one exchange of commitments and secrets. It is a value: its methods return the next one.
type Round struct {
	name    Name
	session Session
	members []member // in order of ID
	me      signal.ID
}

// New begins a round of a session in which me, a member of it, has drawn a secret.
func New(session Session, name Name, me signal.ID, secret Secret) Round {
	r := Round{name: name, session: session, me: me}
	for _, keys := range session.Members {
		r.members = append(r.members, member{keys: keys, id: keys.ID()})
	}
	slices.SortFunc(r.members, func(a, b member) int { return cmp.Compare(a.id, b.id) })
	if i := r.index(me); i >= 0 {
		r.members[i].committed, r.members[i].commitment = true, commit(session.Room, name, me, secret)
		r.members[i].revealed, r.members[i].secret = true, secret
	}
	return r
}

// String hides the secrets from whoever prints a round.
func (Round) String() string { return "[round]" }

// GoString hides them from %#v as well.
func (Round) GoString() string { return "[round]" }

func (r Round) index(id signal.ID) int {
	return slices.IndexFunc(r.members, func(m member) bool { return m.id == id })
}

// Name is the round's name.
func (r Round) Name() Name { return r.name }

// Own is what we say first, and what we may say once Ready is true.
func (r Round) Own() (Commitment, Secret) {
	i := r.index(r.me)
	if i < 0 {
		return Commitment{}, Secret{}
	}
	return r.members[i].commitment, r.members[i].secret
}

// Ready reports whether everybody's commitment is known, so that our secret may be told. Told earlier, it would let
// somebody choose theirs.
func (r Round) Ready() bool {
	return !slices.ContainsFunc(r.members, func(m member) bool { return !m.committed })
}

// Commit takes a member's commitment.
func (r Round) Commit(from signal.ID, c Commitment) (Round, error) {
	i := r.index(from)
	switch {
	case i < 0:
		return r, ErrStranger
	case r.members[i].committed && r.members[i].commitment != c:
		return r, ErrTwice
	case r.members[i].revealed && !r.fits(from, r.members[i].secret, c):
		return r, ErrSecret
	}
	r.members = slices.Clone(r.members)
	r.members[i].committed, r.members[i].commitment = true, c
	return r, nil
}

// Reveal takes a member's secret. It may come before commitments of others, since members have no common order.
func (r Round) Reveal(from signal.ID, s Secret) (Round, error) {
	i := r.index(from)
	switch {
	case i < 0:
		return r, ErrStranger
	case r.members[i].revealed && r.members[i].secret != s:
		return r, ErrTwice
	case r.members[i].committed && !r.fits(from, s, r.members[i].commitment):
		return r, ErrSecret
	}
	r.members = slices.Clone(r.members)
	r.members[i].revealed, r.members[i].secret = true, s
	return r, nil
}

func (r Round) fits(from signal.ID, s Secret, c Commitment) bool {
	want := commit(r.session.Room, r.name, from, s)
	return subtle.ConstantTimeCompare(want[:], c[:]) == 1
}

// Missing are the members whose commitment or secret is still to come, in order of ID.
func (r Round) Missing() (ids []signal.ID) {
	for _, m := range r.members {
		if !m.committed || !m.revealed {
			ids = append(ids, m.id)
		}
	}
	return ids
}

// Phrase returns the phrase once nobody is missing.
func (r Round) Phrase() (Phrase, bool) {
	if len(r.Missing()) > 0 || len(r.members) == 0 {
		return Phrase{}, false
	}
	return spell(r.digest()), true
}

// digest is the hash of everything that the phrase is about.
func (r Round) digest() (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write(field([]byte("parley phrase v2\x00"), []byte(r.session.Room)))
	h.Write(r.session.Roster[:])
	for _, m := range r.members {
		h.Write(m.keys.Sign[:])
		h.Write(m.keys.DH[:])
		h.Write(m.secret[:])
	}
	h.Sum(sum[:0])
	return sum
}

// commit is the commitment to a secret.
func commit(room string, name Name, from signal.ID, s Secret) Commitment {
	b := field([]byte("parley phrase commit v2\x00"), []byte(room))
	b = field(b, name[:])
	b = field(b, []byte(from))
	return sha256.Sum256(append(b, s[:]...))
}

// field appends a text preceded by its length in one byte.
func field(b, text []byte) []byte {
	return append(append(b, byte(min(len(text), 255))), text...)
}

// spell writes the first bits of a digest as words and emoji: a byte for each word, then six bits for each emoji.
func spell(digest [sha256.Size]byte) (p Phrase) {
	for i := range p.Words {
		p.Words[i] = words[i%2][digest[i]]
	}
	bits := binary.BigEndian.Uint64(digest[wordCount:])
	for i := range p.Emoji {
		p.Emoji[i] = emoji[bits>>(64-emojiBits*(i+1))&(1<<emojiBits-1)]
	}
	return p
}
