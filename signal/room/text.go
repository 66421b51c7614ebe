package room

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"golang.org/x/text/unicode/norm"
)

const (
	// maxMarks is how many combining marks may stand on one letter. Vietnamese, Hebrew with accents and Tibetan need
	// up to four. Dozens of them would cover the lines above and below.
	maxMarks = 4
	// maxCluster is the longest grapheme cluster kept, in code points. The longest emoji of
	// Unicode 16 has ten.
	maxCluster = 16
	// maxLine is the longest line kept, in grapheme clusters. A host name has up to 253 bytes (RFC 1035, 2.3.4).
	maxLine = 256
)

// CleanName makes a name fit to show: one line of at most MaxName grapheme clusters, without invisible characters and
// without those that would reverse the text beside it. A name without a visible character becomes empty.
func CleanName(s string) string { return cleanTo(s, MaxName) }

// CleanLine is CleanName for what is longer than a name, such as a host or the title of a window: up to maxLine
// grapheme clusters.
func CleanLine(s string) string { return cleanTo(s, maxLine) }

func cleanTo(s string, limit int) string {
	for {
		cut := clusters(cleanLine(s), limit)
		if cut == s {
			return s
		}
		s = cut // the cut may leave a joiner at the end, which joins nothing
	}
}

func cleanLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if blank(r) || unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	s = strings.Join(strings.Fields(clean(s, false)), " ")
	if strings.IndexFunc(s, visible) < 0 {
		return ""
	}
	return s
}

// cleanText keeps a message's lines and drops characters that are invisible or would reverse text. A message without
// a visible character becomes empty.
func cleanText(s string) string {
	for {
		cut := cleanOnce(s)
		if cut == s {
			return s
		}
		s = cut
	}
}

func cleanOnce(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n").Replace(strings.ToValidUTF8(s, ""))
	s = strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
	s = strings.TrimFunc(clean(s, true), func(r rune) bool { return unicode.IsSpace(r) || blank(r) })
	if utf8.RuneCountInString(s) > MaxText {
		s = cutRunes(s, MaxText)
	}
	if strings.IndexFunc(s, visible) < 0 {
		return ""
	}
	return s
}

// clean drops direction controls, joiners and selectors without effect, combining marks without a letter, and those
// above maxMarks. Direction marks (U+200E, U+200F, U+061C) stay only where a writer may need them.
func clean(s string, directionMarks bool) string {
	in := []rune(s)
	out := make([]rune, 0, len(in))
	marks := 0
	for i, r := range in {
		prev := rune(0)
		if len(out) > 0 {
			prev = out[len(out)-1]
		}
		switch {
		case r == zwj || r == zwnj:
			if i+1 == len(in) || !joins(out, r, in[i+1]) {
				continue
			}
		case r == '\u200e' || r == '\u200f' || r == '\u061c':
			if !directionMarks {
				continue
			}
		case unicode.Is(unicode.Variation_Selector, r):
			if !base(prev) {
				continue
			}
		case isTag(r): // only in flags such as Scotland's, which end with the cancel tag
			if prev != blackFlag && !isTag(prev) || !endsFlag(in[i:]) {
				continue
			}
		case hidden(r):
			continue
		case unicode.In(r, unicode.Mn, unicode.Me):
			if marks++; marks > maxMarks || !base(prev) && !marked(prev) {
				continue
			}
			out = append(out, r)
			continue
		case unicode.Is(unicode.Mc, r):
			if !base(prev) && !marked(prev) {
				continue
			}
		default:
			marks = 0
		}
		out = append(out, r)
	}
	return string(out)
}

const (
	zwnj      = '\u200c'
	zwj       = '\u200d'
	blackFlag = '\U0001f3f4'
	cancelTag = '\U000e007f'
)

func isTag(r rune) bool { return r >= '\U000e0020' && r <= cancelTag }

// endsFlag reports whether a run of tags ends with the cancel tag, as a flag does.
func endsFlag(tags []rune) bool {
	for i, r := range tags {
		if r == cancelTag {
			return i > 0 || len(tags) == 1 || !isTag(tags[1])
		}
		if !isTag(r) || i > 8 {
			return false
		}
	}
	return false
}

// blank reports whether a code point is drawn as nothing, although its category says otherwise.
func blank(r rune) bool {
	switch r {
	case '\u3164', '\u115f', '\u1160', '\uffa0', // Hangul fillers
		'\u2800',                   // Braille without a dot
		'\ufffc',                   // stands for an object
		'\U0001d159',               // a note head without a head
		'\U00013441', '\U00013442': // blank hieroglyphs
		return true
	}
	return unicode.IsSpace(r)
}

// hidden reports whether a code point is never visible: format characters, private ones, and marks for programs.
func hidden(r rune) bool {
	switch {
	case unicode.Is(unicode.Prepended_Concatenation_Mark, r): // the exception: Arabic signs around a number
		return false
	case unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs, unicode.Noncharacter_Code_Point):
		return true
	case r == '\u034f', r == '\u17b4', r == '\u17b5', r == '\U00016fe4':
		return true
	}
	return r >= '\ufff0' && r <= '\ufff8' || r >= '\U000e0000' && r <= '\U000e0fff'
}

// visible reports whether a code point by itself draws something.
func visible(r rune) bool {
	return !blank(r) && !hidden(r) && r != zwj && r != zwnj && !unicode.In(r, unicode.M, unicode.Cc, unicode.Variation_Selector)
}

// base reports whether a combining mark or a selector may follow.
func base(r rune) bool { return r != 0 && r != '\n' && visible(r) }

func marked(r rune) bool { return unicode.Is(unicode.M, r) || r == zwj || r == zwnj }

// joiningScripts are those in which joiners change how letters look or what a word means.
var joiningScripts = []*unicode.RangeTable{
	unicode.Arabic, unicode.Syriac, unicode.Mandaic, unicode.Nko, unicode.Mongolian, unicode.Phags_Pa,
	unicode.Adlam, unicode.Hanifi_Rohingya, unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi,
	unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam,
	unicode.Sinhala, unicode.Khmer, unicode.Myanmar, unicode.Tibetan, unicode.Balinese, unicode.Javanese,
}

// joins reports whether a joiner between out and next has an effect: within an emoji, or between letters of a script
// that joins.
func joins(out []rune, joiner, next rune) bool {
	if len(out) == 0 {
		return false
	}
	prev := out[len(out)-1]
	if unicode.In(prev, joiningScripts...) && unicode.In(next, joiningScripts...) {
		return true
	}
	if joiner != zwj || !pictographic(next) {
		return false
	}
	for i := len(out) - 1; i >= 0; i-- {
		switch r := out[i]; {
		case r == '\ufe0f', r >= '\U0001f3fb' && r <= '\U0001f3ff', isTag(r):
		default:
			return pictographic(r)
		}
	}
	return false
}

// pictographic reports whether a code point can be part of a joined emoji.
func pictographic(r rune) bool {
	return r >= '\U0001f000' && r <= '\U0001faff' || r >= '\u2190' && r <= '\u2bff' || r == '\u00a9' || r == '\u00ae' ||
		r == '\u203c' || r == '\u2049' || r == '\u2122' || r == '\u2139' || r == '\u3030' || r == '\u303d' || r == '\u3297' || r == '\u3299'
}

// clusters keeps the first n grapheme clusters (UAX 29), and leaves out those longer than maxCluster.
func clusters(s string, n int) string {
	var out strings.Builder
	for it := uniseg.NewGraphemes(s); n > 0 && it.Next(); {
		if len(it.Runes()) <= maxCluster {
			out.WriteString(it.Str())
			n--
		}
	}
	return strings.TrimRightFunc(out.String(), unicode.IsSpace)
}

// cutRunes keeps as many whole clusters as fit into n code points.
func cutRunes(s string, n int) string {
	end := 0
	for it := uniseg.NewGraphemes(s); it.Next(); _, end = it.Positions() {
		if n -= len(it.Runes()); n < 0 {
			break
		}
	}
	return s[:end]
}

// confusables are letters of other scripts that look like Latin ones (the confusables of UTS 39).
var confusables = strings.NewReplacer(
	"а", "a", "е", "e", "о", "o", "р", "p", "с", "c", "у", "y", "х", "x", "і", "i", "ј", "j", "ѕ", "s", "һ", "h",
	"ԁ", "d", "ԛ", "q", "ԝ", "w", "в", "b", "к", "k", "м", "m", "н", "h", "т", "t",
	"α", "a", "ο", "o", "ρ", "p", "ν", "v", "ι", "i", "κ", "k", "υ", "u", "χ", "x", "ε", "e", "τ", "t", "η", "n",
	"ı", "i", "ɑ", "a", "ɡ", "g",
)

// skeleton is equal for names that people mistake for each other (the skeleton of UTS 39): after compatibility decomposition
// (NFKC), in lower case, without invisible characters.
func skeleton(name string) string {
	s := strings.ToLower(norm.NFKC.String(name))
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !visible(r) && !unicode.Is(unicode.M, r) || unicode.Is(unicode.Variation_Selector, r) {
			return -1
		}
		return r
	}, s)
	return confusables.Replace(norm.NFKC.String(s))
}
