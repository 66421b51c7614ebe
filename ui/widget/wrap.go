package widget

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// span is a stretch of one line in one colour.
type span struct {
	text  string
	link  string // an address, or empty
	x     float32
	start int // in the whole text, in bytes
}

func (s span) end() int { return s.start + len(s.text) }

// line is never empty: a blank one has one empty span.
type line []span

func (l line) start() int { return l[0].start }
func (l line) end() int   { return l[len(l)-1].end() }

// x is where a place in the text is drawn.
func (l line) x(at int, style Style) float32 {
	for i := len(l) - 1; i > 0; i-- {
		if at >= l[i].start {
			return l[i].to(at, style)
		}
	}
	return l[0].to(at, style)
}

func (s span) to(at int, style Style) float32 {
	return s.x + textWidth(s.text[:min(max(at-s.start, 0), len(s.text))], style)
}

// links finds addresses that are worth a press: those with a scheme.
var links = regexp.MustCompile(`(?i)\b(?:https?|parley)://[^\s<>"]+`)

// token is a word with the white space before it.
type token struct {
	space, word, link string
}

// wrap sets text into lines of at most width, broken at white space, or within words that
// are longer than a line.
func wrap(text string, style Style, width float32) []line {
	var lines []line
	start := 0
	for paragraph := range strings.SplitSeq(text, "\n") {
		lines = append(lines, locate(wrapParagraph(tokens(paragraph), style, width), text, start)...)
		start += len(paragraph) + 1
	}
	return lines
}

// locate finds where in the text, from start on, the spans are: in order, with nothing but
// white space between them.
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
		if x > 0 {
			x += gap
		}
		for w > width && t.word != "" {
			n := fitting(t.word, style, width)
			now = append(now, span{text: t.word[:n], link: t.link, x: x})
			feed()
			t.word = t.word[n:]
			w = textWidth(t.word, style)
		}
		now = append(now, span{text: t.word, link: t.link, x: x})
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

// tokens splits a paragraph into words, marking addresses. Words in one colour that stay
// on one line are joined again by join.
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

// words splits text without addresses; white space at its end becomes an empty word.
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
