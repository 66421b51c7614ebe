package seal

import (
	"crypto/cipher"

	"parley/signal"
	"parley/signal/identity"
)

// Opened is a message that its sender has signed and nobody has changed.
type Opened struct {
	Kind Kind
	Keys identity.Public // the sender's
	Text []byte          // none for Key, which the Keyring keeps
}

// Open opens what from sealed for to, or returns one of the errors above. A sequence is accepted when it is greater
// than every one accepted before it in the stream (from, to).
//
// The keys of a Hello are remembered: from then on Open opens other messages of its sender, until Forget.
func (k *Keyring) Open(from, to signal.ID, seq uint64, body []byte) (Opened, error) {
	switch {
	case from == k.id:
		return k.refuse(&k.counts.Reflected, ErrReflected)
	case to != "" && to != k.id:
		return k.refuse(&k.counts.Misaddressed, ErrMisaddressed)
	}
	e, ok := parse(from, to, seq, body)
	if !ok {
		return k.refuse(&k.counts.Changed, ErrChanged)
	}
	p := k.peers[from]
	if p == nil && e.kind != Hello {
		return k.refuse(&k.counts.Unknown, ErrUnknown)
	}
	aead, key, place := k.code, senderKey{}, 0
	switch e.kind {
	case One, Key:
		aead = p.from
	case All:
		if key, place, ok = p.sender.find(e.version, k.room, from); !ok {
			return k.refuse(&k.counts.Keyless, ErrKeyless)
		}
		aead = key.aead
	}
	signed, ok := e.open(k.room, aead)
	if !ok {
		return k.refuse(&k.counts.Changed, ErrChanged)
	}
	if err := k.fresh(e); err != nil {
		return Opened{}, err
	}
	if e.kind == Hello {
		return k.hello(e, signed)
	}
	text, ok := e.verify(k.room, p.public, signed)
	if !ok {
		return k.refuse(&k.counts.Forged, ErrForged)
	}
	switch e.kind {
	case All:
		p.sender[place] = key
	case Key:
		handed, ok := parseSenderKey(text, k.room, from)
		if !ok {
			return k.refuse(&k.counts.Changed, ErrChanged)
		}
		p.sender.add(handed)
		text = nil
	}
	k.advance(e)
	return Opened{e.kind, p.public, text}, nil
}

// hello checks that the keys are those that the sender's ID is the hash of, and remembers them.
func (k *Keyring) hello(e envelope, plain []byte) (Opened, error) {
	var keys identity.Public
	if len(plain) < 2*identity.KeyBytes+identity.SignatureBytes {
		return k.refuse(&k.counts.Changed, ErrChanged)
	}
	copy(keys.Sign[:], plain)
	copy(keys.DH[:], plain[identity.KeyBytes:])
	if keys.ID() != e.from {
		return k.refuse(&k.counts.Forged, ErrForged)
	}
	text, ok := e.verify(k.room, keys, plain[2*identity.KeyBytes:])
	if !ok {
		return k.refuse(&k.counts.Forged, ErrForged)
	}
	if p := k.peers[e.from]; p == nil {
		_, known := k.streams[e.stream]
		if len(k.peers) >= maxPeers || !known && len(k.streams) >= maxStreams {
			return k.refuse(&k.counts.Crowded, ErrCrowded)
		}
		to, from, err := k.pair(e.from, keys)
		if err != nil {
			return k.refuse(&k.counts.Forged, ErrForged)
		}
		k.peers[e.from] = &peer{public: keys, to: to, from: from}
	} else if p.public != keys { // two sets of keys with one hash
		return k.refuse(&k.counts.Forged, ErrForged)
	}
	k.advance(e)
	return Opened{Hello, keys, text}, nil
}

// pair derives the keys that seal what we say to the other one, and the other to us.
func (k *Keyring) pair(id signal.ID, keys identity.Public) (to, from cipher.AEAD, err error) {
	secret, err := k.me.Shared(keys)
	if err != nil {
		return nil, nil, err
	}
	to = newAEAD(expand(secret, "parley pair v2", k.room, string(k.id), string(id)))
	from = newAEAD(expand(secret, "parley pair v2", k.room, string(id), string(k.id)))
	return to, from, nil
}

func (k *Keyring) refuse(count *uint64, reason error) (Opened, error) {
	*count++
	return Opened{}, reason
}

// fresh says why a sequence is refused. One below the last is reordered if it was not seen before. One older than the
// window counts as replayed.
func (k *Keyring) fresh(e envelope) error {
	w := k.streams[e.stream]
	if e.seq > w.last {
		return nil
	}
	age := w.last - e.seq
	if age >= 64 || w.seen>>age&1 == 1 {
		k.counts.Replayed++
		return ErrReplayed
	}
	k.counts.Reordered++
	return ErrReordered
}

// advance moves the stream's window to a message that was accepted.
func (k *Keyring) advance(e envelope) {
	w, known := k.streams[e.stream]
	step := e.seq - w.last
	if known {
		k.counts.Missed += step - 1
	}
	k.streams[e.stream] = window{e.seq, w.seen<<step | 1} // a shift of 64 or more gives 0
	k.counts.Opened++
}
