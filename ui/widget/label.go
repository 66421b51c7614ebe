package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fw "fyne.io/fyne/v2/widget"
	"github.com/rivo/uniseg"
)

const ellipsis = "…"

// Label is one line of text, cut with an ellipsis where it does not fit.
type Label struct {
	fw.BaseWidget
	text  *canvas.Text
	full  string
	style Style
	color fyne.ThemeColorName
}

// NewLabel makes a label.
func NewLabel(text string, style Style, color fyne.ThemeColorName) *Label {
	l := &Label{text: canvas.NewText("", nil), full: text, style: style, color: color}
	l.text.TextSize, l.text.FontSource, l.text.Color = style.Size, style.Font, colorOf(color)
	l.ExtendBaseWidget(l)
	return l
}

// Align sets the alignment of the text.
func (l *Label) Align(a fyne.TextAlign) *Label {
	l.text.Alignment = a
	return l
}

// Text is the whole text, even if it is cut on screen.
func (l *Label) Text() string { return l.full }

// SetText changes the text.
func (l *Label) SetText(text string) { l.Set(text, l.color) }

// SetColor changes the colour.
func (l *Label) SetColor(color fyne.ThemeColorName) { l.Set(l.full, color) }

// Set changes text and colour.
func (l *Label) Set(text string, color fyne.ThemeColorName) {
	if l.full == text && l.color == color {
		return
	}
	l.full, l.color = text, color
	l.Refresh()
}

// Width is the width of the whole text.
func (l *Label) Width() float32 { return textWidth(l.full, l.style) }

// MinSize is the size of the whole text; a label may be made narrower.
func (l *Label) MinSize() fyne.Size { return fyne.NewSize(l.Width(), l.style.Line) }

// CreateRenderer is for Fyne.
func (l *Label) CreateRenderer() fyne.WidgetRenderer {
	r := &renderer{min: l.MinSize}
	fit := func(s fyne.Size) {
		text := Ellipsize(l.full, l.style, s.Width)
		if rs := runs(text, l.style.Font); len(rs) == 1 && rs[0].font == l.style.Font {
			l.text.Text = rs[0].shown() // without direction controls
			l.text.Move(fyne.NewPos(0, 0))
			l.text.Resize(s)
			r.objects = []fyne.CanvasObject{l.text}
			return
		}
		x := float32(0)
		switch l.text.Alignment {
		case fyne.TextAlignCenter:
			x = (s.Width - textWidth(text, l.style)) / 2
		case fyne.TextAlignTrailing:
			x = s.Width - textWidth(text, l.style)
		}
		r.objects = textParts(text, l.style, l.text.Color, fyne.NewPos(x, (s.Height-l.style.Line)/2))
	}
	show := func() {
		fit(l.Size())
		canvas.Refresh(l)
	}
	r.layout = func(fyne.Size) { show(); l.text.Refresh() }
	r.refresh = func() {
		l.text.Color = colorOf(l.color)
		show()
		l.text.Refresh()
	}
	fit(l.Size())
	return r
}

// Ellipsize cuts text to width, at the last grapheme cluster that leaves room for the ellipsis.
func Ellipsize(text string, style Style, width float32) string {
	if textWidth(text, style) <= width+0.5 {
		return text
	}
	ends := []int{0}
	for g := uniseg.NewGraphemes(text); g.Next(); {
		_, end := g.Positions()
		ends = append(ends, end)
	}
	low, high := 0, len(ends)-1
	for low < high {
		mid := (low + high + 1) / 2
		if textWidth(text[:ends[mid]]+ellipsis, style) <= width {
			low = mid
		} else {
			high = mid - 1
		}
	}
	if low == 0 {
		return ""
	}
	return text[:ends[low]] + ellipsis
}
