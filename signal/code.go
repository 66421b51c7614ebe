package signal

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
)

// Code is the secret that is the whole meeting: 12 characters of Crockford base32 (60 bits) in
// their canonical form, lower case without hyphens. Make one with NewCode or ParseCode.
type Code string

// codeLen is the number of characters of a code, 5 bits each.
const codeLen = 12

// crockford is Douglas Crockford's base32 alphabet (https://www.crockford.com/base32.html).
const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// ErrCode says that a text is not a meeting code. It never carries the text.
var ErrCode = errors.New("not a meeting code: it has 12 letters and digits, like 7k3m-q9xt-2w8p")

// NewCode draws a code from the system's CSPRNG.
func NewCode() Code {
	var b [codeLen]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	for i := range b {
		b[i] = crockford[b[i]&31] // 32 divides 256: no character is likelier than another
	}
	return Code(b[:])
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
		if r > 'z' || strings.IndexByte(crockford, byte(r)) < 0 || b.Len() == codeLen {
			return "", ErrCode
		}
		b.WriteByte(byte(r))
	}
	if b.Len() != codeLen {
		return "", ErrCode
	}
	return Code(b.String()), nil
}

// String is the code as people read it: 7k3m-q9xt-2w8p.
func (c Code) String() string {
	if len(c) != codeLen {
		return string(c)
	}
	return string(c[:4] + "-" + c[4:8] + "-" + c[8:])
}

// LogValue keeps codes out of logs.
func (c Code) LogValue() slog.Value { return slog.StringValue("[code]") }
