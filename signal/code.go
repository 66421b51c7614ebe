package signal

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
)

// Code is the secret that is the whole meeting, in characters of Crockford base32: 24 of them (120 bits), or 12 (60
// bits) to be said aloud. Its canonical form is lower case without hyphens. Make one with NewCode, NewShortCode or
// ParseCode.
type Code string

// Lengths of a code in characters, of 5 bits each.
const (
	longCode  = 24
	shortCode = 12
)

// crockford is Douglas Crockford's base32 alphabet (https://www.crockford.com/base32.html).
const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// ErrCode says that a text is not a meeting code. It never carries the text.
var ErrCode = errors.New("not a meeting code: it has 24 or 12 letters and digits, like 7k3m-q9xt-2w8p")

// NewCode draws a code that nobody can guess.
func NewCode() Code { return drawCode(longCode) }

// NewShortCode draws a code that is short enough to be said aloud. Guessing it takes 2^60 times the work of Derive.
func NewShortCode() Code { return drawCode(shortCode) }

// drawCode takes n characters from the system's CSPRNG.
func drawCode(n int) Code {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	for i := range b {
		b[i] = crockford[b[i]&31] // 32 divides 256: no character is likelier than another
	}
	return Code(b)
}

// ParseCode reads a code the way people type it: upper or lower case, with or without spaces
// and hyphens, O for 0, I or L for 1. It returns ErrCode for anything else.
func ParseCode(text string) (Code, error) {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == ' ' || r == '\t' || r == '\n' || r == '\r' || r == '\u00a0':
			continue
		case r == '-' || (r >= '\u2010' && r <= '\u2015'): // word processors make dashes of hyphens
			continue
		case r >= 'A' && r <= 'Z':
			r += 'a' - 'A'
		}
		switch r {
		case 'o':
			r = '0'
		case 'i', 'l':
			r = '1'
		}
		if r > 'z' || strings.IndexByte(crockford, byte(r)) < 0 || b.Len() == longCode {
			return "", ErrCode
		}
		b.WriteByte(byte(r))
	}
	if b.Len() != longCode && b.Len() != shortCode {
		return "", ErrCode
	}
	return Code(b.String()), nil
}

// String is the code as people read it, in groups of four: 7k3m-q9xt-2w8p.
func (c Code) String() string {
	var b strings.Builder
	for i := range len(c) {
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(c[i])
	}
	return b.String()
}

// LogValue keeps codes out of logs.
func (c Code) LogValue() slog.Value { return slog.StringValue("[code]") }
