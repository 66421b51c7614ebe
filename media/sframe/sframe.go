// Package sframe encrypts encoded frames end to end (SFrame, RFC 9605), for paths on which somebody else forwards them:
// a media server, or a browser between its codec and its network. A frame is encrypted once, however many receive it.
//
// The mesh does not use it: there, DTLS-SRTP ends at the members themselves.
package sframe

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
)

// The cipher suite AES_256_GCM_SHA512_128 (RFC 9605, section 4.5), the only one here.
const (
	suite     = 0x0005
	keyBytes  = 32
	saltBytes = 12 // and of a nonce
	tagBytes  = 16

	// BaseKeyBytes is the least length of a base key. RFC 9605 sets none; this is the strength of the suite.
	BaseKeyBytes = 32
	// Overhead is how much longer than its frame an encrypted frame is at most: header and tag.
	Overhead = maxHeader + tagBytes
)

// Reasons for which a frame is refused.
var (
	ErrShort    = errors.New("encrypted frame refused: it is too short")
	ErrKey      = errors.New("encrypted frame refused: its key is not known")
	ErrChanged  = errors.New("encrypted frame refused: it was changed on its way or encrypted with another key")
	ErrReplayed = errors.New("encrypted frame refused: it has been here before, or is too old to tell")
)

// ErrSpent says that a key has encrypted as many frames as its counter has numbers.
var ErrSpent = errors.New("this key has encrypted as many frames as it may: use a new one")

// KID names the key of a sender and generation: index is the sender's place in the roster, generation counts its keys.
// The header stays short, because both are small.
func KID(index uint16, generation uint32) uint64 { return uint64(generation)<<16 | uint64(index) }

// key is a base key turned into what encrypts (RFC 9605, section 4.4.2).
type key struct {
	aead cipher.AEAD
	salt [saltBytes]byte
}

func newKey(kid uint64, base []byte) (*key, error) {
	if len(base) < BaseKeyBytes {
		return nil, fmt.Errorf("frame encryption: a base key of %d bytes, want at least %d", len(base), BaseKeyBytes)
	}
	return derive(kid, base)
}

func derive(kid uint64, base []byte) (*key, error) {
	secret, err := hkdf.Extract(sha512.New, base, nil)
	if err != nil {
		return nil, fmt.Errorf("frame encryption: %w", err)
	}
	label := func(purpose string) string {
		b := binary.BigEndian.AppendUint64([]byte("SFrame 1.0 Secret "+purpose+" "), kid)
		return string(binary.BigEndian.AppendUint16(b, suite))
	}
	raw, err := hkdf.Expand(sha512.New, secret, label("key"), keyBytes)
	if err != nil {
		return nil, fmt.Errorf("frame encryption: %w", err)
	}
	salt, err := hkdf.Expand(sha512.New, secret, label("salt"), saltBytes)
	if err != nil {
		return nil, fmt.Errorf("frame encryption: %w", err)
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, fmt.Errorf("frame encryption: %w", err)
	}
	k := &key{}
	copy(k.salt[:], salt)
	k.aead, err = cipher.NewGCM(block)
	return k, err
}

// nonce is the salt with the counter XORed into its end (RFC 9605, section 4.4.3).
func (k *key) nonce(counter uint64) (n [saltBytes]byte) {
	n = k.salt
	low := n[saltBytes-8:]
	binary.BigEndian.PutUint64(low, binary.BigEndian.Uint64(low)^counter)
	return n
}

// associated is the associated data: header, then what stays in clear (RFC 9605, section 4.4.3).
func associated(dst, header, clear []byte) []byte {
	return append(append(dst[:0], header...), clear...)
}

// Sender encrypts what one member sends, with one key for all of its tracks and layers. Its methods may be called from
// several goroutines.
type Sender struct {
	mu      sync.Mutex
	kid     uint64
	key     *key
	counter uint64
	spent   bool
	aad     []byte // used again
}

// NewSender makes a sender with the key that kid names, whose counter starts at 0. The pair of key and kid must not
// have been used before. base has at least BaseKeyBytes.
func NewSender(kid uint64, base []byte) (*Sender, error) {
	k, err := newKey(kid, base)
	if err != nil {
		return nil, err
	}
	return &Sender{kid: kid, key: k}, nil
}

// Seal appends the encrypted frame to dst and returns it. The first clear bytes of the frame stay as they are, for who
// forwards it; they are authenticated, and the rest is encrypted. dst must not overlap frame. With room for Overhead
// more bytes than the frame, dst does not grow. After 2^64 frames the error is ErrSpent.
func (s *Sender) Seal(dst, frame []byte, clear int) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spent {
		return dst, ErrSpent
	}
	clear = min(clear, len(frame))
	dst = append(dst, frame[:clear]...)
	at := len(dst)
	dst = appendHeader(dst, s.kid, s.counter)
	s.aad = associated(s.aad, dst[at:], frame[:clear])
	nonce := s.key.nonce(s.counter)
	s.counter++
	s.spent = s.counter == 0
	return s.key.aead.Seal(dst, nonce[:], frame[clear:], s.aad), nil
}

// Receiver decrypts what others send. Its methods may be called from several goroutines.
type Receiver struct {
	mu   sync.Mutex
	keys map[uint64]*received
	aad  []byte // used again
}

// received is a key of somebody else with the counters that have come.
type received struct {
	key    *key
	window window
}

// NewReceiver makes a receiver that knows no key.
func NewReceiver() *Receiver { return &Receiver{keys: map[uint64]*received{}} }

// Add makes frames under kid readable. A kid that is known keeps its key, because a second one would allow replays.
func (r *Receiver) Add(kid uint64, base []byte) error {
	k, err := newKey(kid, base)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.keys[kid]; !known {
		r.keys[kid] = &received{key: k}
	}
	return nil
}

// Remove forgets a key; its frames are refused from now on.
func (r *Receiver) Remove(kid uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.keys, kid)
}

// Open appends the frame to dst and returns it together with the kid that it was encrypted under. clear is the number
// of bytes in clear at its beginning. The error is one of ErrShort, ErrKey, ErrChanged and ErrReplayed; dst is then
// returned as it was. dst must not overlap encrypted.
func (r *Receiver) Open(dst, encrypted []byte, clear int) (frame []byte, kid uint64, err error) {
	if clear < 0 || clear > len(encrypted) {
		return dst, 0, ErrShort
	}
	kid, counter, header := parseHeader(encrypted[clear:])
	if header == 0 || len(encrypted)-clear-header < tagBytes {
		return dst, 0, ErrShort
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	from, known := r.keys[kid]
	switch {
	case !known:
		return dst, kid, ErrKey
	case !from.window.fresh(counter):
		return dst, kid, ErrReplayed
	}
	r.aad = associated(r.aad, encrypted[clear:clear+header], encrypted[:clear])
	nonce := from.key.nonce(counter)
	out, err := from.key.aead.Open(append(dst, encrypted[:clear]...), nonce[:], encrypted[clear+header:], r.aad)
	if err != nil {
		return dst, kid, ErrChanged
	}
	from.window.accept(counter)
	return out, kid, nil
}
