package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"parley/signal"
	"parley/signal/identity"
)

// Kind is the first byte of a sealed body. It says which key sealed it.
type Kind byte

// The kinds.
const (
	Hello Kind = 1 // to one, with the meeting's code: the sender's keys
	One   Kind = 2 // to one, with a key that only the two can compute
	All   Kind = 3 // to everyone, with the sender's key
	Key   Kind = 4 // to one, as One: the sender's key for what it says to everyone
)

// Sizes of a sealed body, in bytes.
const (
	keyBytes     = 32 // AES-256, and SHA-256's output
	nonceBytes   = 12 // NIST SP 800-38D, section 5.2.1.1
	tagBytes     = 16
	padBlock     = 64
	versionBytes = 5  // generation and step of a sender's key, in the header of All
	secretBytes  = 37 // the same and the secret, the text of Key

	// MaxText is the longest text that fits a body of signal.MaxBody, whatever its kind: whole blocks, less the byte
	// that marks the padding's start, the keys of a Hello and the signature.
	MaxText = (signal.MaxBody-1-versionBytes-nonceBytes-tagBytes)/padBlock*padBlock - 1 - 2*identity.KeyBytes - identity.SignatureBytes
)

// version says which of a sender's keys sealed a message: a generation, and how often it was ratcheted since.
type version struct {
	gen  uint32 // from 1
	step uint8
}

func (v version) append(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, v.gen), v.step)
}

func parseVersion(b []byte) version { return version{binary.BigEndian.Uint32(b), b[4]} }

// stream is one direction of speech; each has its own sequence.
type stream struct{ from, to signal.ID }

// envelope is what is known of a message without opening it.
type envelope struct {
	kind Kind
	stream
	seq     uint64
	version version // of All
	nonce   [nonceBytes]byte
	sealed  []byte // ciphertext and tag
}

// parse takes a body apart. It reports false for one that no member can have sealed.
func parse(from, to signal.ID, seq uint64, body []byte) (envelope, bool) {
	e := envelope{stream: stream{from, to}, seq: seq}
	if seq == 0 || len(body) < 1 || len(body) > signal.MaxBody {
		return e, false
	}
	e.kind, body = Kind(body[0]), body[1:]
	if e.kind < Hello || e.kind > Key || (e.kind == All) != (to == "") {
		return e, false
	}
	if e.kind == All {
		if len(body) < versionBytes {
			return e, false
		}
		e.version, body = parseVersion(body), body[versionBytes:]
	}
	if len(body) < nonceBytes+padBlock+tagBytes {
		return e, false
	}
	copy(e.nonce[:], body)
	e.sealed = body[nonceBytes:]
	return e, true
}

// associated is the associated data of the seal. Each text is preceded by its length in one byte, so that no two
// messages have the same bytes.
func (e envelope) associated(room string) []byte {
	b := append(make([]byte, 0, 128), "parley seal v2\x00"...)
	b = append(b, byte(e.kind))
	b = appendTexts(b, room, string(e.from), string(e.to))
	b = binary.BigEndian.AppendUint64(b, e.seq)
	if e.kind == All {
		b = e.version.append(b)
	}
	return b
}

func appendTexts(b []byte, texts ...string) []byte {
	for _, text := range texts {
		b = append(b, byte(min(len(text), 255)))
		b = append(b, text...)
	}
	return b
}

// signAndSeal makes the body of the message: the sender's signature over associated data and text is part of what
// is sealed. Nonces are random, not counted: a counter would repeat as soon as a member loses its state, and all
// members seal hellos with one key. 96 random bits are safe for 2^32 messages under one key (SP 800-38D, section 8.3).
func (e envelope) signAndSeal(me *identity.Identity, room string, aead cipher.AEAD, text []byte) []byte {
	data := e.associated(room)
	body := append(make([]byte, 0, len(text)+256), byte(e.kind))
	if e.kind == All {
		body = e.version.append(body)
	}
	body = append(body, e.nonce[:]...)
	start := len(body)
	if e.kind == Hello {
		keys := me.Public()
		body = append(append(body, keys.Sign[:]...), keys.DH[:]...)
	}
	body = append(body, me.Sign(bytes.Join([][]byte{data, text}, nil))...)
	body = append(append(body, text...), 0x80) // ISO/IEC 7816-4; zeros follow
	for (len(body)-start)%padBlock != 0 {
		body = append(body, 0)
	}
	return aead.Seal(body[:start], e.nonce[:], body[start:], data)
}

// open returns what is sealed: for Hello the sender's keys, then signature and text.
func (e envelope) open(room string, aead cipher.AEAD) ([]byte, bool) {
	plain, err := aead.Open(nil, e.nonce[:], e.sealed, e.associated(room))
	if err != nil {
		return nil, false
	}
	plain = bytes.TrimRight(plain, "\x00")
	if len(plain) == 0 || plain[len(plain)-1] != 0x80 {
		return nil, false
	}
	plain = plain[:len(plain)-1]
	return plain, len(plain) >= identity.SignatureBytes
}

// verify takes the signature off, and returns the text if the sender has signed it.
func (e envelope) verify(room string, sender identity.Public, signed []byte) ([]byte, bool) {
	signature, text := signed[:identity.SignatureBytes], signed[identity.SignatureBytes:]
	return text, sender.Verify(append(e.associated(room), text...), signature)
}

// expand is HKDF-SHA256 (RFC 5869) with an empty salt, as WebCrypto's deriveBits does it.
func expand(secret []byte, purpose string, texts ...string) []byte {
	b, err := hkdf.Key(sha256.New, secret, nil, string(appendTexts([]byte(purpose+"\x00"), texts...)), keyBytes)
	if err != nil {
		panic(fmt.Sprintf("derive a key: %v", err)) // parameters are constants: only FIPS-only mode refuses them
	}
	return b
}

func newAEAD(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(fmt.Sprintf("sealing: %v", err)) // the key's length is a constant
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(fmt.Sprintf("sealing: %v", err)) // the block size is AES's
	}
	return aead
}
