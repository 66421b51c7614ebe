package widget

import (
	"slices"
	"strings"
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

// Isolate wraps a name or other foreign text for use in a sentence, so that its direction does not change that of
// the sentence.
func Isolate(text string) string {
	if text == "" {
		return ""
	}
	return string(firstStrongIsolate) + text + string(popIsolate)
}

func begins(r rune) bool { return r >= leftIsolate && r <= firstStrongIsolate }

// class is the bidirectional class of a character (UAX 9, table 4).
func class(r rune) bidi.Class {
	p, _ := bidi.LookupRune(r)
	return p.Class()
}

// piece is a part of a line in one direction.
type piece struct {
	text  string
	at    int  // byte offset in the line
	right bool // right to left
}

// rightToLeft reports whether a paragraph is right-to-left, that is, whether its first strong character outside
// isolates is (UAX 9, P2 and P3).
func rightToLeft(text string) bool {
	depth := 0
	for _, r := range text {
		switch {
		case begins(r):
			depth++
		case r == popIsolate:
			depth = max(depth-1, 0)
		case depth == 0:
			switch class(r) {
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
			if c := class(r); c == bidi.R || c == bidi.AL {
				return true
			}
		}
	}
	return false
}

// stripIsolates removes the isolate characters.
func stripIsolates(text string) string {
	return strings.Map(func(r rune) rune {
		if begins(r) || r == popIsolate {
			return -1
		}
		return r
	}, text)
}

// visual splits a line into pieces in visual order. right is the direction of its paragraph. The pieces leave out
// the isolate characters, so these are not drawn.
func visual(text string, right bool) []piece {
	if !strings.ContainsFunc(text, func(r rune) bool { return begins(r) || r == popIsolate }) {
		return order(text, right)
	}
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
	from []int // for each byte of the text, its offset in the line; for a placeholder, -1 minus the isolate's index
}

// isolates takes the outermost isolates out of a line. An isolate without an end lasts to the end of the line. An
// end without a beginning is ignored.
func isolates(text string) (skeleton, []isolate) {
	var around strings.Builder
	var from []int
	var all []isolate
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		switch {
		case begins(r):
			start := at + size
			end, next := isolateEnd(text, start)
			in := isolate{text: text[start:end], at: start, right: r == rightIsolate}
			if r == firstStrongIsolate {
				in.right = rightToLeft(in.text)
			}
			for range len(placeholder) {
				from = append(from, -1-len(all))
			}
			around.WriteString(placeholder)
			all = append(all, in)
			at = next
		case r == popIsolate:
			at += size
		default:
			around.WriteString(text[at : at+size])
			for i := range size {
				from = append(from, at+i)
			}
			at += size
		}
	}
	return skeleton{around.String(), from}, all
}

// isolateEnd finds the end of the isolate that begins at start, and the offset of the text after it.
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

// order splits text without isolates where the direction changes and puts the pieces into visual order (UAX 9,
// rule L2).
func order(text string, right bool) []piece {
	var out []piece
	group := -1 // index of the first piece of a right-to-left group; -1 for none
	flush := func() {
		if group >= 0 {
			slices.Reverse(out[group:])
		}
		group = -1
	}
	for _, r := range levelRuns(text, right) {
		whole := piece{text[r.from:r.to], r.from, r.level == 1}
		if r.level == 0 {
			flush()
			out = append(out, whole)
			continue
		}
		if group < 0 {
			group = len(out)
		}
		out = append(out, whole.trim()...) // untrimmed, its trailing spaces would be drawn on its right
	}
	flush()
	return slices.DeleteFunc(out, func(p piece) bool { return p.text == "" })
}

// levelRun is a part of a line on one embedding level: 0 is left-to-right text in a left-to-right line, 1 is
// right-to-left text, 2 is a number or left-to-right text within it.
type levelRun struct{ from, to, level int }

// levelRuns finds the levels of text without isolates. Text that the bidi package would change or cut stays one run
// in the direction of the line: text that is not UTF-8, and more than one paragraph. Explicit embeddings and
// overrides (U+202A to U+202E), which are removed from names and messages, set a run's direction but add no level.
func levelRuns(text string, right bool) []levelRun {
	// A mark before the text sets the paragraph's direction.
	mark, base := "\u200e", 0
	if right {
		mark, base = "\u200f", 1
	}
	whole := []levelRun{{0, len(text), base}}
	if !utf8.ValidString(text) {
		return whole
	}
	var p bidi.Paragraph
	if n, err := p.SetString(mark + text); err != nil || n < len(mark+text) {
		return whole
	}
	o, err := p.Order()
	if err != nil {
		return whole
	}
	var inNumber []bool
	if !right {
		inNumber = numbers(text)
	}
	var out []levelRun
	at := -len(mark)
	for i := range o.NumRuns() {
		r := o.Run(i)
		from, to := max(at, 0), at+len(r.String())
		at = to
		switch {
		case r.Direction() == bidi.RightToLeft:
			out = append(out, levelRun{from, to, 1})
		case right:
			out = append(out, levelRun{from, to, 2})
		default:
			out = append(out, splitNumbers(inNumber, from, to)...)
		}
	}
	return out
}

// splitNumbers splits a left-to-right run of a left-to-right line. The bidi package does not distinguish the numbers
// in it, which are on level 2, from the rest.
func splitNumbers(inNumber []bool, from, to int) []levelRun {
	var out []levelRun
	for from < to {
		end := from + 1
		for end < to && inNumber[end] == inNumber[from] {
			end++
		}
		level := 0
		if inNumber[from] {
			level = 2
		}
		out = append(out, levelRun{from, end, level})
		from = end
	}
	return out
}

// numbers marks the bytes of a left-to-right line that are numbers on a level of their own: numbers without a
// left-to-right letter before them, and Arabic digits (UAX 9, W1 to W7 and I1).
func numbers(text string) []bool {
	var classes []bidi.Class
	for _, r := range text {
		if c := class(r); c != bidi.BN { // X9
			classes = append(classes, c)
		}
	}
	weak(classes)
	out := make([]bool, len(text))
	// L1: trailing white space has the level of the line.
	text = strings.TrimRightFunc(text, func(r rune) bool { return class(r) == bidi.BN || class(r) == bidi.WS })
	i := -1 // index in classes of the last character that is not BN; a BN takes the level of the one before it
	for at, r := range text {
		if class(r) != bidi.BN {
			i++
		}
		for b := range utf8.RuneLen(r) {
			out[at+b] = i >= 0 && (classes[i] == bidi.EN || classes[i] == bidi.AN)
		}
	}
	return out
}

// weak resolves the weak classes of a left-to-right line (UAX 9, W1 to W7).
func weak(cs []bidi.Class) {
	last := bidi.L // W1: the previous character; from W2 on, the previous strong one
	for i, c := range cs {
		if c == bidi.NSM {
			cs[i] = last
		}
		last = cs[i]
	}
	last = bidi.L
	for i, c := range cs { // W2; without W3: W4 to W7 treat AL and R alike
		switch c {
		case bidi.L, bidi.R, bidi.AL:
			last = c
		case bidi.EN:
			if last == bidi.AL {
				cs[i] = bidi.AN
			}
		}
	}
	for i := 1; i+1 < len(cs); i++ { // W4
		before, after := cs[i-1], cs[i+1]
		if before == after && (before == bidi.EN && (cs[i] == bidi.ES || cs[i] == bidi.CS) || before == bidi.AN && cs[i] == bidi.CS) {
			cs[i] = before
		}
	}
	for i := 0; i < len(cs); i++ { // W5
		end := i
		for end < len(cs) && cs[end] == bidi.ET {
			end++
		}
		if i > 0 && cs[i-1] == bidi.EN || end < len(cs) && cs[end] == bidi.EN {
			for j := i; j < end; j++ {
				cs[j] = bidi.EN
			}
		}
		i = end
	}
	last = bidi.L
	for i, c := range cs { // W7
		switch c {
		case bidi.L, bidi.R, bidi.AL:
			last = c
		case bidi.EN:
			if last == bidi.L {
				cs[i] = bidi.L
			}
		}
	}
}

// trim splits the spaces off both ends.
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
