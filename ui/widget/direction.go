package widget

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/bidi"
)

// Bidirectional text is laid out here, as in UAX 9: the toolkit reverses letters within a run of one direction, but
// draws all runs from left to right.

// Isolates (UAX 9, 2.4): text between an initiator and popIsolate has its own direction and does not affect the
// text around it.
const (
	leftIsolate        = '\u2066'
	rightIsolate       = '\u2067'
	firstStrongIsolate = '\u2068'
	popIsolate         = '\u2069'
	placeholder        = "\ufffc" // stands for an isolate in the text around it
)

// Isolate wraps a name, or other text that is not ours, for use in a sentence: its direction does not change that
// of the sentence.
func Isolate(text string) string {
	if text == "" {
		return ""
	}
	return string(firstStrongIsolate) + text + string(popIsolate)
}

func begins(r rune) bool { return r >= leftIsolate && r <= firstStrongIsolate }

// piece is a part of a line, in one direction.
type piece struct {
	text  string
	at    int  // where it begins in the line, in bytes
	right bool // right to left
}

// fromRight reports whether a paragraph is right-to-left: its first strong character outside isolates is (UAX 9, P2
// and P3).
func fromRight(text string) bool {
	depth := 0
	for _, r := range text {
		switch {
		case begins(r):
			depth++
		case r == popIsolate:
			depth = max(depth-1, 0)
		case depth == 0:
			switch p, _ := bidi.LookupRune(r); p.Class() {
			case bidi.L:
				return false
			case bidi.R, bidi.AL:
				return true
			}
		}
	}
	return false
}

// bidirectional reports whether text has right-to-left letters.
func bidirectional(text string) bool {
	for _, r := range text {
		if r >= 0x590 {
			if p, _ := bidi.LookupRune(r); p.Class() == bidi.R || p.Class() == bidi.AL {
				return true
			}
		}
	}
	return false
}

// undirected removes the isolate characters.
func undirected(text string) string {
	return strings.Map(func(r rune) rune {
		if begins(r) || r == popIsolate {
			return -1
		}
		return r
	}, text)
}

// visual splits a line into pieces in visual order. right is the direction of its paragraph. The isolate
// characters are in no piece, so they are not drawn.
func visual(text string, right bool) []piece {
	outer, inner := isolates(text)
	var out []piece
	for _, p := range order(outer.text, right) {
		out = append(out, outer.restore(p, text, inner)...)
	}
	return out
}

// isolate is the content of an isolate and its place in the line.
type isolate struct {
	text  string
	at    int
	right bool
}

// skeleton is a line with a placeholder for each isolate.
type skeleton struct {
	text string
	from []int // for each byte of the text, which one of the line it is; for a placeholder, -1 less the isolate's number
}

func (s *skeleton) add(text string, at int) {
	for i := range len(text) {
		s.from = append(s.from, at+i)
	}
	s.text += text
}

// isolates takes the outermost isolates out of a line. One without an end lasts to the end of the line; an end
// without a beginning is ignored.
func isolates(text string) (skeleton, []isolate) {
	var s skeleton
	var all []isolate
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		switch {
		case begins(r):
			start := at + size
			end, next := isolateEnd(text, start)
			in := isolate{text: text[start:end], at: start, right: r == rightIsolate}
			if r == firstStrongIsolate {
				in.right = fromRight(in.text)
			}
			for range len(placeholder) {
				s.from = append(s.from, -1-len(all))
			}
			s.text += placeholder
			all = append(all, in)
			at = next
		case r == popIsolate:
			at += size
		default:
			s.add(text[at:at+size], at)
			at += size
		}
	}
	return s, all
}

// isolateEnd finds the end of an isolate that begins at start, and where the text goes on after it.
func isolateEnd(text string, start int) (end, next int) {
	depth := 1
	for i, r := range text[start:] {
		switch {
		case begins(r):
			depth++
		case r == popIsolate:
			if depth--; depth == 0 {
				return start + i, start + i + len(string(popIsolate))
			}
		}
	}
	return len(text), len(text)
}

// restore puts the isolates back into a piece of the skeleton.
func (s *skeleton) restore(p piece, line string, all []isolate) []piece {
	var out [][]piece
	for at := p.at; at < p.at+len(p.text); {
		if n := s.from[at]; n < 0 {
			in := all[-1-n]
			sub := visual(in.text, in.right)
			for i := range sub {
				sub[i].at += in.at
			}
			out = append(out, sub)
			at += len(placeholder)
			continue
		}
		begin := at
		for at < p.at+len(p.text) && s.from[at] == s.from[begin]+at-begin {
			at++
		}
		from := s.from[begin]
		own := piece{line[from : from+at-begin], from, p.right}
		if p.right {
			parts := own.trim()
			slices.Reverse(parts)
			out = append(out, parts)
		} else {
			out = append(out, []piece{own})
		}
	}
	if p.right {
		slices.Reverse(out)
	}
	return slices.DeleteFunc(slices.Concat(out...), func(p piece) bool { return p.text == "" })
}

// order splits text without isolates where the direction changes, and puts the pieces into visual order (UAX 9,
// rule L2).
func order(text string, right bool) []piece {
	// A mark before the text gives the paragraph its direction.
	mark := "\u200e"
	if right {
		mark = "\u200f"
	}
	var p bidi.Paragraph
	if _, err := p.SetString(mark+text, bidi.DefaultDirection(bidi.LeftToRight)); err != nil {
		return []piece{{text: text, right: right}}
	}
	o, err := p.Order()
	if err != nil {
		return []piece{{text: text, right: right}}
	}
	var out []piece
	group := 0 // where the pieces that are read from the right begin
	reading := false
	at := -len(mark)
	for i := range o.NumRuns() {
		r := o.Run(i)
		whole := piece{r.String(), at, r.Direction() == bidi.RightToLeft}
		at += len(whole.text)
		if i == 0 {
			whole = piece{whole.text[len(mark):], 0, whole.right}
		}
		turns := whole.right || right || reading && number(whole.text) && i+1 < o.NumRuns()
		if turns && !reading {
			group = len(out)
		}
		if reading && !turns {
			slices.Reverse(out[group:])
		}
		if turns { // alone, a piece would have the spaces at its end on its right
			out = append(out, whole.trim()...)
		} else {
			out = append(out, whole)
		}
		reading = turns
	}
	if reading {
		slices.Reverse(out[group:])
	}
	return slices.DeleteFunc(out, func(p piece) bool { return p.text == "" })
}

// trim splits off the spaces at both ends.
func (p piece) trim() []piece {
	core := strings.TrimSpace(p.text)
	before := strings.Index(p.text, core)
	after := before + len(core)
	return []piece{
		{p.text[:before], p.at, p.right},
		{core, p.at + before, p.right},
		{p.text[after:], p.at + after, p.right},
	}
}

// number reports whether a piece has no letters, and so belongs to the words around it.
func number(piece string) bool {
	return strings.IndexFunc(piece, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsSpace(r) }) < 0
}
