package signal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
)

// Sizes of a sealed body: nonce, padded plaintext, tag.
const (
	nonceBytes = 12 // NIST SP 800-38D, section 5.2.1.1
	tagBytes   = 16
	padBlock   = 64

	// MaxBody is the largest sealed body that the service relays, in bytes.
	MaxBody = 64 << 10
	// MaxPlaintext is the largest plaintext whose sealed body is at most MaxBody: whole blocks,
	// less the one byte that marks the padding's start.
	MaxPlaintext = (MaxBody-nonceBytes-tagBytes)/padBlock*padBlock - 1
)

// Reasons for which Opener.Open refuses a message.
var (
	ErrReflected    = errors.New("message refused: it claims to come from ourselves")
	ErrMisaddressed = errors.New("message refused: it is addressed to somebody else")
	ErrChanged      = errors.New("message refused: it was changed on its way or sealed with another key")
	ErrReplayed     = errors.New("message refused: it has been here before")
	ErrReordered    = errors.New("message refused: it comes after a later one")
)

// stream is one direction of speech; each has its own sequence.
type stream struct{ from, to ID }

// Sealer seals what one member says. Its methods may be called from several goroutines.
type Sealer struct {
	aead cipher.AEAD
	room string
	me   ID

	mu   sync.Mutex
	last map[ID]uint64 // by receiver
}

// NewSealer makes the sealer of member me. One member has one sealer: a second one with the same ID starts its
// sequences at 1 again, and the others refuse its messages as replayed.
func NewSealer(keys Keys, me ID) *Sealer {
	return &Sealer{aead: newAEAD(keys), room: keys.Room, me: me, last: map[ID]uint64{}}
}

// Seal seals plaintext, of at most MaxPlaintext bytes, for one member or, with the empty ID, for
// everyone. The sequence starts at 1 for each receiver and grows by one each time; messages for
// one receiver have to be sent in the order in which they were sealed.
func (s *Sealer) Seal(to ID, plaintext []byte) (seq uint64, body []byte) {
	s.mu.Lock()
	s.last[to]++
	seq = s.last[to]
	s.mu.Unlock()
	var nonce [nonceBytes]byte
	_, _ = rand.Read(nonce[:]) // never fails: crypto/rand ends the program instead
	return seq, sealWith(s.aead, nonce, s.room, stream{s.me, to}, seq, plaintext)
}

// sealWith is Seal with all inputs given, as the golden vectors need it. The nonce is random, not a counter: all
// members share one key, and a counter would repeat a nonce as soon as a member loses its state. 96 random bits are
// safe for 2^32 messages under one key (SP 800-38D, section 8.3).
func sealWith(aead cipher.AEAD, nonce [nonceBytes]byte, room string, st stream, seq uint64, plaintext []byte) []byte {
	padded := len(plaintext)/padBlock*padBlock + padBlock
	body := make([]byte, nonceBytes+padded, nonceBytes+padded+tagBytes)
	copy(body, nonce[:])
	copy(body[nonceBytes:], plaintext)
	body[nonceBytes+len(plaintext)] = 0x80 // ISO/IEC 7816-4; zeros follow
	return aead.Seal(body[:nonceBytes], nonce[:], body[nonceBytes:], associated(room, st, seq))
}

// Counts says how many messages an Opener has accepted and refused, by reason.
type Counts struct {
	Opened       uint64
	Reflected    uint64
	Misaddressed uint64
	Changed      uint64
	Replayed     uint64
	Reordered    uint64
	Missed       uint64 // skipped in a stream: sealed by the sender, never opened here
}

// Opener opens what others have sealed. Its methods may be called from several goroutines.
//
// It keeps the last sequence of every stream for its whole life. A member that left may come back under the same
// ID: if its sequence were forgotten, its old messages could be replayed. Only holders of the key can make an entry,
// for a message that is not authentic makes none. An entry costs about 100 bytes.
type Opener struct {
	aead cipher.AEAD
	room string
	me   ID

	mu      sync.Mutex
	streams map[stream]window
	counts  Counts
}

// window is the last sequence accepted of one stream, and which of the 64 before it were.
type window struct {
	last uint64
	seen uint64 // bit i: last-i was accepted
}

// NewOpener makes the opener of member me.
func NewOpener(keys Keys, me ID) *Opener {
	return &Opener{aead: newAEAD(keys), room: keys.Room, me: me, streams: map[stream]window{}}
}

// Open returns the plaintext of a body that from sealed for to, or one of ErrReflected,
// ErrMisaddressed, ErrChanged, ErrReplayed and ErrReordered. A sequence is accepted when it is
// greater than every one accepted before it in the stream (from, to).
func (o *Opener) Open(from, to ID, seq uint64, body []byte) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case from == o.me:
		o.counts.Reflected++
		return nil, ErrReflected
	case to != "" && to != o.me:
		o.counts.Misaddressed++
		return nil, ErrMisaddressed
	}
	st := stream{from, to}
	plaintext, ok := openWith(o.aead, o.room, st, seq, body)
	if !ok || seq == 0 {
		o.counts.Changed++
		return nil, ErrChanged
	}
	if err := o.advance(st, seq); err != nil {
		return nil, err
	}
	return plaintext, nil
}

// advance moves the stream's window to seq, or says why seq is refused. A sequence below the last is reordered if it
// was not seen before. One older than the window counts as replayed.
func (o *Opener) advance(st stream, seq uint64) error {
	w, known := o.streams[st]
	if known && seq <= w.last {
		age := w.last - seq
		if age >= 64 || w.seen>>age&1 == 1 {
			o.counts.Replayed++
			return ErrReplayed
		}
		o.counts.Reordered++
		return ErrReordered
	}
	step := seq - w.last
	if known {
		o.counts.Missed += step - 1
	}
	w.seen = w.seen<<step | 1 // a shift of 64 or more gives 0
	w.last = seq
	o.streams[st] = w
	o.counts.Opened++
	return nil
}

// Counts returns the counts so far.
func (o *Opener) Counts() Counts {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.counts
}

func openWith(aead cipher.AEAD, room string, st stream, seq uint64, body []byte) ([]byte, bool) {
	if len(body) < nonceBytes+padBlock+tagBytes || len(body) > MaxBody {
		return nil, false
	}
	padded, err := aead.Open(nil, body[:nonceBytes], body[nonceBytes:], associated(room, st, seq))
	if err != nil {
		return nil, false
	}
	for i := len(padded) - 1; i >= 0; i-- {
		switch padded[i] {
		case 0:
		case 0x80:
			return padded[:i], true
		default:
			return nil, false
		}
	}
	return nil, false
}

// associated is the associated data of the seal. Each text is preceded by its length (one byte), so that no two
// messages have the same bytes.
func associated(room string, st stream, seq uint64) []byte {
	b := append(make([]byte, 0, 96), "parley seal v1\x00"...)
	for _, text := range []string{room, string(st.from), string(st.to)} {
		b = append(b, byte(min(len(text), 255)))
		b = append(b, text...)
	}
	return binary.BigEndian.AppendUint64(b, seq)
}

func newAEAD(keys Keys) cipher.AEAD {
	block, err := aes.NewCipher(keys.seal[:])
	if err != nil {
		panic(fmt.Sprintf("sealing: %v", err)) // the key's length is a constant
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(fmt.Sprintf("sealing: %v", err)) // the block size is AES's
	}
	return aead
}
