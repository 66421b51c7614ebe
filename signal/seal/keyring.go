// Package seal seals what members say to each other, and knows the keys that do so: the code's, one for each pair of
// members, and one of each sender for what it says to everyone.
package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"slices"

	"parley/signal"
	"parley/signal/identity"
)

// Reasons for which Open refuses a message, and ErrUnknown for which nothing is sealed.
var (
	ErrReflected    = errors.New("message refused: it claims to come from ourselves")
	ErrMisaddressed = errors.New("message refused: it is addressed to somebody else")
	ErrChanged      = errors.New("message refused: it was changed on its way or sealed with another key")
	ErrUnknown      = errors.New("message refused: that member has not told its keys")
	ErrKeyless      = errors.New("message refused: its sender has not given us the key")
	ErrForged       = errors.New("message refused: its sender is not who it claims to be")
	ErrReplayed     = errors.New("message refused: it has been here before")
	ErrReordered    = errors.New("message refused: it comes after a later one")
	ErrCrowded      = errors.New("message refused: too many members have come and gone")
)

// Limits of what a Keyring remembers.
const (
	maxPeers   = 2 * signal.MaxMembers // who are here, and who may come back
	maxStreams = 1 << 16               // one or two for each member that ever was here; about 100 bytes each
)

// Keyring is one member's keys in one meeting. One goroutine uses it at a time.
//
// It keeps the last sequence of every stream for its whole life. A member that left may come back under the same
// ID: if its sequence were forgotten, its old messages could be replayed. Only holders of the code can make an entry,
// for a message that is not authentic makes none.
type Keyring struct {
	room string
	me   *identity.Identity
	id   signal.ID
	code cipher.AEAD

	peers   map[signal.ID]*peer
	own     senderKey
	used    bool // something was sealed with own at its step
	stale   bool // somebody who is gone has own
	last    map[signal.ID]uint64
	streams map[stream]window
	counts  Counts
}

// peer is another member whose hello was genuine.
type peer struct {
	public   identity.Public
	to, from cipher.AEAD
	member   bool   // gets our sender key
	handed   uint32 // the generation of ours that it has been handed
	sender   received
}

// window is the last sequence accepted of one stream, and which of the 64 before it were.
type window struct {
	last uint64
	seen uint64 // bit i: last-i was accepted
}

// Counts says how many messages a Keyring has opened and refused, by reason.
type Counts struct {
	Opened       uint64
	Reflected    uint64
	Misaddressed uint64
	Changed      uint64
	Unknown      uint64
	Keyless      uint64
	Forged       uint64
	Replayed     uint64
	Reordered    uint64
	Crowded      uint64
	Missed       uint64 // skipped in a stream: sealed by the sender, never opened here
}

// New makes the keyring of a member. An identity has one keyring: a second one starts its sequences at 1 again, and
// the others refuse its messages as replayed.
func New(keys signal.Keys, me *identity.Identity) *Keyring {
	code := keys.Seal()
	return &Keyring{
		room: keys.Room, me: me, id: me.ID(), code: newAEAD(code[:]),
		peers: map[signal.ID]*peer{}, last: map[signal.ID]uint64{}, streams: map[stream]window{},
	}
}

// String hides the keys from whoever prints them.
func (k *Keyring) String() string { return "[keys]" }

// GoString hides the keys from %#v as well.
func (k *Keyring) GoString() string { return "[keys]" }

// Counts returns the counts so far.
func (k *Keyring) Counts() Counts { return k.counts }

// Include makes somebody whose hello was opened a member: it gets the key to what we say to everyone before the next
// such message, and once more if it had it, because a hello that comes again means that something was lost.
func (k *Keyring) Include(id signal.ID) {
	if p := k.peers[id]; p != nil {
		p.member, p.handed = true, 0
	}
}

// Exclude ends that: the next message to everyone is sealed with a new key.
func (k *Keyring) Exclude(id signal.ID) {
	if p := k.peers[id]; p != nil {
		k.stale = k.stale || p.member
		p.member, p.handed = false, 0
	}
}

// Forget excludes somebody who has gone, and forgets its keys.
func (k *Keyring) Forget(id signal.ID) {
	k.Exclude(id)
	delete(k.peers, id)
}

// Sealed is a message ready to send.
type Sealed struct {
	To   signal.ID // empty: everyone
	Seq  uint64
	Body []byte
}

// Hello seals a text of at most MaxText bytes for somebody whose keys we need not know, with our own keys and the
// meeting's code. What is sealed for one receiver has to be sent in the order of sealing; that goes for all kinds.
func (k *Keyring) Hello(to signal.ID, text []byte) (Sealed, error) {
	return k.seal(Hello, to, k.code, text)
}

// One seals a text of at most MaxText bytes for one member. It returns ErrUnknown if that has not said hello.
func (k *Keyring) One(to signal.ID, text []byte) (Sealed, error) {
	p := k.peers[to]
	if p == nil {
		return Sealed{}, ErrUnknown
	}
	return k.seal(One, to, p.to, text)
}

// All seals a text of at most MaxText bytes for everyone. The keys go out before it, in messages to those members who
// lack them.
func (k *Keyring) All(text []byte) (keys []Sealed, all Sealed, err error) {
	k.renew()
	for _, id := range k.lacking() {
		p := k.peers[id]
		s, err := k.seal(Key, id, p.to, k.own.text())
		if err != nil {
			return nil, Sealed{}, err
		}
		p.handed = k.own.gen
		keys = append(keys, s)
	}
	k.used = true
	all, err = k.seal(All, "", k.own.aead, text)
	return keys, all, err
}

// renew draws a new key if somebody who had the old one has gone, and ratchets it if somebody has come since it was
// used, so that they can read nothing older. It happens when there is something to say, and not before: twenty members
// who leave one after the other cost one new key.
func (k *Keyring) renew() {
	newcomers := k.used && len(k.lacking()) > 0
	switch {
	case k.own.gen == 0 || k.stale || newcomers && k.own.step == lastStep:
		k.own = newSenderKey(k.own.gen+1, k.room, k.id)
		k.used, k.stale = false, false
	case newcomers:
		k.own = k.own.ratchet(k.own.step+1, k.room, k.id)
		k.used = false
	}
}

// lacking is the members who have not been handed our key.
func (k *Keyring) lacking() []signal.ID {
	var ids []signal.ID
	for id, p := range k.peers {
		if p.member && p.handed != k.own.gen {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// NotSent says that a key that All handed out could not be sent. It goes out again before the next message.
func (k *Keyring) NotSent(to signal.ID) {
	if p := k.peers[to]; p != nil {
		p.handed = 0
	}
}

func (k *Keyring) seal(kind Kind, to signal.ID, aead cipher.AEAD, text []byte) (Sealed, error) {
	if _, known := k.last[to]; !known && len(k.last) >= maxStreams {
		return Sealed{}, ErrCrowded
	}
	k.last[to]++
	e := envelope{kind: kind, stream: stream{k.id, to}, seq: k.last[to], version: k.own.version}
	_, _ = rand.Read(e.nonce[:]) // never fails: crypto/rand ends the program instead
	return Sealed{to, e.seq, e.signAndSeal(k.me, k.room, aead, text)}, nil
}
