package widget

import (
	"fmt"
	"image/color"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"github.com/rivo/uniseg"
	"golang.org/x/text/unicode/bidi"
)

// run is a piece of a line in one font, or one that no installed font has.
type run struct {
	piece
	font fyne.Resource // nil: no font has it
	own  bool          // the font itself has it, not one of the system's
}

// shown is the text to draw. The toolkit reverses right-to-left letters by itself, but not the punctuation between
// them.
func (r run) shown() string { return r.show(r.text) }

func (r run) show(text string) string {
	if r.right && r.own {
		return bidi.ReverseString(text)
	}
	return text
}

// runs splits a line, which is a whole paragraph, where the font or the direction changes.
func runs(text string, font fyne.Resource) []run { return runsIn(text, font, rightToLeft(text)) }

// runsIn splits a line where the font or the direction changes. The runs are in visual order; right is the
// direction of the paragraph. The toolkit's own fallback to the system's fonts is not enough: with a custom font
// it draws no emoji, it takes the space after an emoji from the emoji font, which has none, it draws an empty box
// where no font has a letter, and it always draws the parts in several fonts from left to right.
func runsIn(text string, font fyne.Resource, right bool) []run {
	if plain(text) && !right {
		return []run{{piece{text: text}, font, true}}
	}
	pieces := []piece{{text: stripIsolates(text)}}
	if right || bidirectional(text) {
		pieces = visual(text, right)
	}
	var out []run
	for _, p := range pieces {
		begin := len(out)
		at, start := 0, 0 // offsets in the piece: of the cluster, and of its run
		for g := uniseg.NewGraphemes(p.text); g.Next(); {
			f := fontFor(g.Runes(), font)
			own := p.right && f == font && ownHas(font, g.Runes())
			if n := len(out); n > begin && out[n-1].font == f && out[n-1].own == own {
				out[n-1].text = p.text[start : at+len(g.Str())]
			} else {
				start = at
				out = append(out, run{piece{g.Str(), p.at + at, p.right}, f, own})
			}
			at += len(g.Str())
		}
		if p.right {
			slices.Reverse(out[begin:])
		}
	}
	if out == nil {
		return []run{{piece{right: right}, font, true}}
	}
	return out
}

// plain reports whether Inter has all of text.
func plain(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= 0x250 && (r < 0x2010 || r > 0x2026) }) < 0
}

// fontFor is the font for a grapheme cluster; nil if there is none.
func fontFor(cluster []rune, font fyne.Resource) fyne.Resource {
	if emoji(cluster) {
		if f := emojiFont(cluster); f != nil {
			return f
		}
	}
	own := coverageOf(font)
	for _, r := range cluster {
		if !joiner(r) && !own.Contains(r) && !systemHas(r) {
			return nil
		}
	}
	return font
}

// ownHas reports whether a font has all of a cluster itself, without fallback.
func ownHas(font fyne.Resource, cluster []rune) bool {
	own := coverageOf(font)
	for _, r := range cluster {
		if !own.Contains(r) {
			return false
		}
	}
	return true
}

// joiner reports whether a code point is invisible by itself.
func joiner(r rune) bool {
	return r == '\u200c' || r == '\u200d' || r == '\u200e' || r == '\u200f' || r == '\u061c' ||
		r >= '\ufe00' && r <= '\ufe0f' || r >= '\U000e0000' && r <= '\U000e0fff' || r < ' '
}

// emoji reports whether a cluster is drawn in colour: it has the emoji variation selector, or its first code point
// has Emoji_Presentation (UTS 51).
func emoji(cluster []rune) bool {
	for _, r := range cluster[1:] {
		switch r {
		case '\ufe0f', '\u20e3':
			return true
		case '\ufe0e':
			return false
		}
	}
	r := cluster[0]
	return r >= '\U0001f000' && r <= '\U0001faff' || strings.ContainsRune(emojiPresentation, r)
}

const emojiPresentation = "⌚⌛⏩⏪⏫⏬⏰⏳◽◾☔☕♈♉♊♋♌♍♎♏♐♑♒♓♿⚓⚡⚪⚫⚽⚾⛄⛅⛎⛔⛪⛲⛳⛵⛺⛽✅✊✋✨❌❎❓❔❕❗➕➖➗➰➿⬛⬜⭐⭕"

// textParts makes the objects that show one line of text in a style, starting at pos.
func textParts(text string, style Style, ink color.Color, pos fyne.Position) []fyne.CanvasObject {
	var out []fyne.CanvasObject
	for _, r := range runs(text, style.Font) {
		w := r.width(style)
		if r.font == nil {
			out = append(out, chip(r.text, style, pos, w)...)
		} else {
			t := canvas.NewText(r.shown(), ink)
			t.TextSize, t.FontSource = style.Size, r.font
			Place(t, pos.X, pos.Y, w, style.Line)
			out = append(out, t)
		}
		pos.X += w
	}
	return out
}

// chip shows the code points of characters that no font has.
func chip(text string, style Style, pos fyne.Position, width float32) []fyne.CanvasObject {
	box := canvas.NewRectangle(color.Transparent)
	box.StrokeColor, box.StrokeWidth, box.CornerRadius = colorOf(Text3), 1, 3
	Place(box, pos.X+1, pos.Y+1, width-2, style.Line-2)
	t := canvas.NewText(codePoints(text), colorOf(Text2))
	t.TextSize, t.FontSource, t.Alignment = style.Size*0.75, interMedium, fyne.TextAlignCenter
	Place(t, pos.X, pos.Y, width, style.Line)
	return []fyne.CanvasObject{box, t}
}

// codePoints names the first two characters of text and counts the others.
func codePoints(text string) string {
	var out []string
	more := 0
	for _, r := range text {
		switch {
		case joiner(r) || r == ' ':
		case len(out) == 2:
			more++
		default:
			out = append(out, fmt.Sprintf("%U", r))
		}
	}
	if more > 0 {
		out = append(out, fmt.Sprintf("+%d", more))
	}
	return strings.Join(out, " ")
}

func (r run) width(style Style) float32 {
	if r.font == nil {
		return rendered(codePoints(r.text), style.Size*0.75, interMedium) + 8
	}
	return rendered(r.text, style.Size, r.font)
}

func rendered(text string, size float32, font fyne.Resource) float32 {
	s, _ := fyne.CurrentApp().Driver().RenderedTextSize(text, size, fyne.TextStyle{}, font)
	return s.Width
}

func textWidth(text string, style Style) float32 {
	if text == "" {
		return 0
	}
	w := float32(0)
	for _, r := range runs(text, style.Font) {
		w += r.width(style)
	}
	return w
}
