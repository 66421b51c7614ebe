package signal

import (
	"bytes"
	"encoding/base64"
	"strconv"
)

// What members say and acknowledge makes up nearly all traffic, and reflection over JSON took most
// of what relaying it cost. These frames are written and read by hand, in the one form that Encode
// gives them; whatever looks different goes through encoding/json.

// appendFast appends a frame as encoding/json would write it. It is false, and b as it was, for
// frames that are rare and for values that JSON would have to escape.
func appendFast(b []byte, f Frame) ([]byte, bool) {
	switch f := f.(type) {
	case Message:
		if !f.From.Valid() || f.To != "" && !f.To.Valid() {
			return b, false
		}
		b = appendNumber(append(b, `{"t":"message"`...), `,"n":`, f.N)
		b = appendText(b, `,"from":"`, string(f.From))
		return appendSealed(b, f.To, f.Seq, f.Body), true
	case Send:
		if f.To != "" && !f.To.Valid() {
			return b, false
		}
		b = appendNumber(append(b, `{"t":"send"`...), `,"n":`, f.N)
		return appendSealed(b, f.To, f.Seq, f.Body), true
	case Ack:
		return append(appendNumber(append(b, `{"t":"ack"`...), `,"n":`, f.N), '}'), true
	case Ping:
		if len(f.ICE) > 0 {
			return b, false
		}
		return append(b, `{"t":"ping"}`...), true
	case Pong:
		return append(b, `{"t":"pong"}`...), true
	}
	return b, false
}

func appendSealed(b []byte, to ID, seq uint64, body []byte) []byte {
	if to != "" {
		b = appendText(b, `,"to":"`, string(to))
	}
	b = appendNumber(b, `,"seq":`, seq)
	if len(body) > 0 {
		b = append(b, `,"body":"`...)
		b = base64.StdEncoding.AppendEncode(b, body)
		b = append(b, '"')
	}
	return append(b, '}')
}

func appendText(b []byte, field, text string) []byte {
	return append(append(append(b, field...), text...), '"')
}

// appendNumber leaves zero out, as omitempty does.
func appendNumber(b []byte, field string, n uint64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendUint(append(b, field...), n, 10)
}

// decodeFast reads a frame in exactly the form that appendFast writes. It is false for everything
// else, which may be a frame all the same.
func decodeFast(text []byte) (Frame, bool) {
	s := frameReader{rest: text}
	switch {
	case s.skip(`{"t":"send"`):
		f := Send{N: s.number(`,"n":`)}
		f.To, f.Seq, f.Body = s.sealed()
		return f, s.done()
	case s.skip(`{"t":"message"`):
		f := Message{N: s.number(`,"n":`)}
		f.From = ID(s.text(`,"from":"`))
		f.To, f.Seq, f.Body = s.sealed()
		return f, s.done()
	case s.skip(`{"t":"ack"`):
		f := Ack{N: s.number(`,"n":`)}
		return f, s.done()
	case string(text) == `{"t":"ping"}`:
		return Ping{}, true
	case string(text) == `{"t":"pong"}`:
		return Pong{}, true
	}
	return nil, false
}

// frameReader reads the fields of one frame in their order. After the first that is missing or looks
// unusual, failed is set and the rest means nothing.
type frameReader struct {
	rest   []byte
	failed bool
}

// skip takes a prefix, if it is there.
func (s *frameReader) skip(prefix string) bool {
	rest, ok := bytes.CutPrefix(s.rest, []byte(prefix))
	if ok {
		s.rest = rest
	}
	return ok
}

// maxDigits is how long MaxNumber is; longer ones are left to the slow path to refuse.
const maxDigits = 16

// number reads a field of digits.
func (s *frameReader) number(field string) uint64 {
	if !s.skip(field) {
		s.failed = true
		return 0
	}
	digits := 0
	var n uint64
	for digits < len(s.rest) && s.rest[digits] >= '0' && s.rest[digits] <= '9' && digits <= maxDigits {
		n = 10*n + uint64(s.rest[digits]-'0')
		digits++
	}
	if digits == 0 || digits > maxDigits || s.rest[0] == '0' {
		s.failed = true
	}
	s.rest = s.rest[digits:]
	return n
}

// raw reads a string that has no escape, as it stands.
func (s *frameReader) raw(field string) []byte {
	if !s.skip(field) {
		s.failed = true
		return nil
	}
	end := bytes.IndexByte(s.rest, '"')
	if end < 0 {
		s.failed = true
		return nil
	}
	text := s.rest[:end]
	s.rest = s.rest[end+1:]
	return text
}

// text reads a string of the characters that IDs are made of.
func (s *frameReader) text(field string) string {
	text := string(s.raw(field))
	if !ID(text).Valid() {
		s.failed = true
	}
	return text
}

// sealed reads what Send and Message end with.
func (s *frameReader) sealed() (to ID, seq uint64, body []byte) {
	if bytes.HasPrefix(s.rest, []byte(`,"to":"`)) {
		to = ID(s.text(`,"to":"`))
	}
	seq = s.number(`,"seq":`)
	text := s.raw(`,"body":"`)
	if s.failed || bytes.IndexByte(text, '\\') >= 0 || bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0 {
		s.failed = true
		return "", 0, nil
	}
	body = make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(body, text)
	s.failed = s.failed || err != nil
	return to, seq, body[:n]
}

// done tells whether the frame ends here and everything was as usual.
func (s *frameReader) done() bool { return !s.failed && string(s.rest) == "}" }
