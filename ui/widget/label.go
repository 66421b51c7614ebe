package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fw "fyne.io/fyne/v2/widget"
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

// Align says where in its width the text stands.
func (l *Label) Align(a fyne.TextAlign) *Label {
	l.text.Alignment = a
	return l
}

// Text is the whole text, also where less of it shows.
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

// Width is what the whole text takes.
func (l *Label) Width() float32 { return textWidth(l.full, l.style) }

// MinSize is the size of the whole text; a label may be made narrower.
func (l *Label) MinSize() fyne.Size { return fyne.NewSize(l.Width(), l.style.Line) }

// CreateRenderer is for Fyne.
func (l *Label) CreateRenderer() fyne.WidgetRenderer {
	fit := func(s fyne.Size) {
		l.text.Text = Ellipsize(l.full, l.style, s.Width)
		l.text.Move(fyne.NewPos(0, 0))
		l.text.Resize(s)
	}
	return &renderer{
		objects: []fyne.CanvasObject{l.text},
		layout:  func(s fyne.Size) { fit(s); l.text.Refresh() },
		min:     l.MinSize,
		refresh: func() {
			l.text.Color = colorOf(l.color)
			fit(l.Size())
			l.text.Refresh()
		},
	}
}

func textWidth(text string, style Style) float32 {
	if text == "" {
		return 0
	}
	size, _ := fyne.CurrentApp().Driver().RenderedTextSize(text, style.Size, fyne.TextStyle{}, style.Font)
	return size.Width
}

// Ellipsize cuts text to width, at the last rune that leaves room for the ellipsis.
func Ellipsize(text string, style Style, width float32) string {
	if textWidth(text, style) <= width+0.5 {
		return text
	}
	runes := []rune(text)
	low, high := 0, len(runes)
	for low < high {
		mid := (low + high + 1) / 2
		if textWidth(string(runes[:mid])+ellipsis, style) <= width {
			low = mid
		} else {
			high = mid - 1
		}
	}
	if low == 0 {
		return ""
	}
	return string(runes[:low]) + ellipsis
}
