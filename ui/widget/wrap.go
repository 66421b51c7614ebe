package widget

import (
	"regexp"
	"strings"
	"unicode"
)

// span is a stretch of one line in one colour.
type span struct {
	text string
	link string // an address, or empty
	x    float32
}

// links finds addresses that are worth a press: those with a scheme.
var links = regexp.MustCompile(`(?i)\b(?:https?|parley)://[^\s<>"]+`)

// token is a word with the white space before it.
type token struct {
	space, word, link string
}

// wrap sets text into lines of at most width, broken at white space, or within words that
// are longer than a line.
func wrap(text string, style Style, width float32) [][]span {
	var lines [][]span
	for _, paragraph := range strings.Split(strings.ReplaceAll(text, "\r", ""), "\n") {
		lines = append(lines, wrapParagraph(tokens(paragraph), style, width)...)
	}
	return lines
}

func wrapParagraph(words []token, style Style, width float32) [][]span {
	var lines [][]span
	var line []span
	x := float32(0)
	feed := func() { lines, line, x = append(lines, line), nil, 0 }
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
			line = append(line, span{t.word[:n], t.link, x})
			feed()
			t.word = t.word[n:]
			w = textWidth(t.word, style)
		}
		line = append(line, span{t.word, t.link, x})
		x += w
	}
	feed()
	return lines
}

// fitting is how many bytes of word fit into width, at least one rune.
func fitting(word string, style Style, width float32) int {
	n := 0
	for i, r := range word {
		end := i + len(string(r))
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
