package sframe

import (
	"encoding/binary"
	"math/bits"
)

// maxHeader is the longest header: a byte of lengths, and 8 bytes each of KID and counter.
const maxHeader = 1 + 8 + 8

// appendHeader appends the header (RFC 9605, section 4.3). Its first byte has, twice, a flag and three bits: the number
// itself where it is below 8 (flag 0), or how many bytes it takes, less one (flag 1). KID comes first.
func appendHeader(dst []byte, kid, counter uint64) []byte {
	config := small(kid)<<4 | small(counter)
	dst = append(dst, config)
	dst = appendNumber(dst, kid)
	return appendNumber(dst, counter)
}

func small(n uint64) byte {
	if n < 8 {
		return byte(n)
	}
	return 8 | byte(bytesOf(n)-1)
}

func appendNumber(dst []byte, n uint64) []byte {
	if n < 8 {
		return dst
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	return append(dst, b[8-bytesOf(n):]...)
}

func bytesOf(n uint64) int { return (bits.Len64(n) + 7) / 8 }

// parseHeader reads the header at the start of b and returns its length, 0 if b is too short or a number is written
// longer than it has to be: one frame has one form.
func parseHeader(b []byte) (kid, counter uint64, n int) {
	if len(b) == 0 {
		return 0, 0, 0
	}
	rest := b[1:]
	kid, rest, ok := parseNumber(b[0]>>4, rest)
	if !ok {
		return 0, 0, 0
	}
	counter, rest, ok = parseNumber(b[0]&15, rest)
	if !ok {
		return 0, 0, 0
	}
	return kid, counter, len(b) - len(rest)
}

func parseNumber(config byte, b []byte) (n uint64, rest []byte, ok bool) {
	if config < 8 {
		return uint64(config), b, true
	}
	length := int(config&7) + 1
	if len(b) < length {
		return 0, nil, false
	}
	for _, v := range b[:length] {
		n = n<<8 | uint64(v)
	}
	return n, b[length:], n >= 8 && bytesOf(n) == length
}
