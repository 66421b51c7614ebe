package seal

import (
	"crypto/cipher"
	"crypto/rand"

	"parley/signal"
)

// lastStep is the last step of a generation: a receiver never computes more than that.
const lastStep = 255

// senderKey is the key with which one member seals what it says to everyone. Its secret is ratcheted one way: whoever
// gets it at one step can compute the later ones, and none before.
type senderKey struct {
	version
	secret [keyBytes]byte
	aead   cipher.AEAD // of this step
}

// newSenderKey draws the secret of a generation.
func newSenderKey(gen uint32, room string, sender signal.ID) senderKey {
	k := senderKey{version: version{gen: gen}}
	_, _ = rand.Read(k.secret[:]) // never fails: crypto/rand ends the program instead
	return k.ready(room, sender)
}

// ready derives the key that seals from the secret.
func (k senderKey) ready(room string, sender signal.ID) senderKey {
	k.aead = newAEAD(k.key(room, sender))
	return k
}

func (k senderKey) key(room string, sender signal.ID) []byte {
	return expand(k.secret[:], "parley sender v2", room, string(sender))
}

// ratchet goes on to a later step.
func (k senderKey) ratchet(step uint8, room string, sender signal.ID) senderKey {
	for k.step < step {
		copy(k.secret[:], expand(k.secret[:], "parley step v2"))
		k.step++
	}
	return k.ready(room, sender)
}

// text is the key as its sender hands it out in a message of kind Key.
func (k senderKey) text() []byte {
	return append(k.append(make([]byte, 0, secretBytes)), k.secret[:]...)
}

func parseSenderKey(text []byte, room string, sender signal.ID) (senderKey, bool) {
	if len(text) != secretBytes {
		return senderKey{}, false
	}
	k := senderKey{version: parseVersion(text)}
	copy(k.secret[:], text[versionBytes:])
	return k.ready(room, sender), k.gen > 0
}

// String hides the key from whoever prints it.
func (k senderKey) String() string { return "[keys]" }

// GoString hides the key from %#v as well.
func (k senderKey) GoString() string { return "[keys]" }

// received is another member's sender keys: its last two generations, the newest first. A member hands out no key
// before it has stopped sealing with the last but one, and its messages to us keep their order.
type received [2]senderKey

// add takes over a key that was handed to us, unless we have a later one.
func (r *received) add(k senderKey) {
	switch newest := r[0].version; {
	case k.gen > newest.gen:
		r[0], r[1] = k, r[0]
	case k.gen == newest.gen && k.step >= newest.step:
		r[0] = k
	}
}

// find returns the key of a version and its place, ratcheted from the step that we have. It does not keep it: only a
// message that is genuine moves us on.
func (r *received) find(v version, room string, sender signal.ID) (k senderKey, place int, ok bool) {
	for i, k := range r {
		if v.gen != 0 && k.gen == v.gen && v.step >= k.step {
			if v.step > k.step {
				k = k.ratchet(v.step, room, sender)
			}
			return k, i, true
		}
	}
	return senderKey{}, 0, false
}
