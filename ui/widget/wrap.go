package widget

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// span is a part of a line in one colour and direction.
type span struct {
	text      string
	link      string // a URL, or empty
	x         float32
	start     int  // byte offset in the whole text
	space     bool // preceded by white space
	reordered bool // its line was laid out by reorder
	right     bool // right-to-left
}

func (s span) end() int { return s.start + len(s.text) }

// line is never empty: a blank line has one empty span. Its spans are in logical order, or in visual order after
// reorder.
type line []span

func (l line) start() int {
	at := l[0].start
	for _, s := range l {
		at = min(at, s.start)
	}
	return at
}

func (l line) end() int {
	at := 0
	for _, s := range l {
		at = max(at, s.end())
	}
	return at
}

func (l line) width(style Style) float32 {
	last := l[len(l)-1]
	return last.x + textWidth(last.text, style)
}

// x is the horizontal position of a byte of the text.
func (l line) x(at int, style Style) float32 {
	near := l[0]
	for _, s := range l[1:] {
		if s.start <= at && (s.start > near.start || near.start > at) {
			near = s
		}
	}
	return near.to(at, style)
}

// to is the horizontal position of a byte of the text within the span.
func (s span) to(at int, style Style) float32 {
	before := textWidth(s.text[:min(max(at-s.start, 0), len(s.text))], style)
	if s.right {
		return s.x + textWidth(s.text, style) - before
	}
	return s.x + before
}

// at is the byte of the text nearest to x.
func (s span) at(x float32, style Style) int {
	if s.right {
		return s.start + nearest(s.text, style, s.x+textWidth(s.text, style)-x)
	}
	return s.start + nearest(s.text, style, x-s.x)
}

// reorder lays out a line with right-to-left text: one span for each word and space, in visual order. right is the
// direction of the paragraph.
func (l line) reorder(style Style, right bool) line {
	// The line's text, the span of each byte (-1 for a space), and the offset of each span.
	var all strings.Builder
	var owner []int
	first := make([]int, len(l))
	for i, s := range l {
		if i > 0 && s.space {
			all.WriteByte(' ')
			owner = append(owner, -1)
		}
		first[i] = all.Len()
		all.WriteString(s.text)
		for range len(s.text) {
			owner = append(owner, i)
		}
	}
	text := all.String()
	var out line
	x := float32(0)
	for _, r := range runsIn(text, style.Font, right) {
		var parts line
		for at := r.at; at < r.at+len(r.text); {
			begin, of := at, owner[at]
			for at < r.at+len(r.text) && owner[at] == of {
				at++
			}
			p := span{text: r.show(text[begin:at]), reordered: true, right: r.right}
			if of >= 0 {
				p.link = l[of].link
				p.start = l[of].start + begin - first[of]
			} else { // white space starts at the end of the word before it
				before := l[owner[begin-1]]
				p.start = before.end()
			}
			parts = append(parts, p)
		}
		if r.right {
			slices.Reverse(parts)
		}
		for _, p := range parts {
			p.x = x
			x += textWidth(p.text, style)
			out = append(out, p)
		}
	}
	if out == nil {
		return l
	}
	return out
}

// links matches URLs with a scheme, which can be pressed.
var links = regexp.MustCompile(`(?i)\b(?:https?|parley)://[^\s<>"]+`)

// token is a word with the white space before it.
type token struct {
	space, word, link string
}

// wrap breaks text into lines of at most width: at white space, or within words that are longer than a line.
func wrap(text string, style Style, width float32) []line {
	var lines []line
	start := 0
	for paragraph := range strings.SplitSeq(text, "\n") {
		lines = append(lines, locate(wrapParagraph(tokens(paragraph), style, width), text, start)...)
		start += len(paragraph) + 1
	}
	return lines
}

// locate finds the spans' offsets in the text, from start on. The spans are in order, with only white space
// between them.
func locate(lines []line, text string, start int) []line {
	for i := range lines {
		if len(lines[i]) == 0 {
			lines[i] = line{{start: start}}
		}
		for j := range lines[i] {
			s := &lines[i][j]
			s.start = start + max(strings.Index(text[start:], s.text), 0)
			start = s.end()
		}
	}
	return lines
}

func wrapParagraph(words []token, style Style, width float32) []line {
	var lines []line
	var now line
	x := float32(0)
	feed := func() { lines, now, x = append(lines, now), nil, 0 }
	for _, t := range words {
		gap := textWidth(t.space, style)
		w := textWidth(t.word, style)
		if x > 0 && x+gap+w > width {
			feed()
		}
		space := x > 0 && t.space != ""
		if x > 0 {
			x += gap
		}
		for w > width && t.word != "" {
			n := fitting(t.word, style, width)
			now = append(now, span{text: t.word[:n], link: t.link, x: x, space: space})
			feed()
			space = false
			t.word = t.word[n:]
			w = textWidth(t.word, style)
		}
		now = append(now, span{text: t.word, link: t.link, x: x, space: space})
		x += w
	}
	feed()
	return lines
}

// fitting is how many bytes of word fit into width, at least one grapheme cluster.
func fitting(word string, style Style, width float32) int {
	n := 0
	for g := uniseg.NewGraphemes(word); g.Next(); {
		_, end := g.Positions()
		if n > 0 && textWidth(word[:end], style) > width {
			break
		}
		n = end
	}
	return n
}

// tokens splits a paragraph into words and marks URLs. joined later merges words of one colour on one line.
func tokens(paragraph string) []token {
	var out []token
	last := 0
	for _, m := range links.FindAllStringIndex(paragraph, -1) {
		end := m[0] + len(strings.TrimRight(paragraph[m[0]:m[1]], ".,;:!?)]}'"))
		out = append(out, words(paragraph[last:m[0]])...)
		link := paragraph[m[0]:end]
		out = append(out, token{word: link, link: link})
		last = end
		if k := len(out); k > 1 && out[k-2].word == "" { // trailing space before the link
			out[k-1].space = out[k-2].space
			out = append(out[:k-2], out[k-1])
		}
	}
	return append(out, words(paragraph[last:])...)
}

// words splits text without URLs. Trailing white space becomes an empty word.
func words(text string) []token {
	var out []token
	for text != "" {
		start := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsSpace(r) })
		if start < 0 {
			return append(out, token{space: " "})
		}
		space := ""
		if start > 0 {
			space = " "
		}
		text = text[start:]
		end := strings.IndexFunc(text, unicode.IsSpace)
		if end < 0 {
			end = len(text)
		}
		out = append(out, token{space: space, word: text[:end]})
		text = text[end:]
	}
	return out
}
