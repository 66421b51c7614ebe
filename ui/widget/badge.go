package widget

import (
	"image/color"
	"strconv"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fw "fyne.io/fyne/v2/widget"
)

// Badge is a small count.
type Badge struct {
	fw.BaseWidget
	rect  *canvas.Rectangle
	label *Label
	count int
}

// NewBadge makes a badge.
func NewBadge() *Badge {
	b := &Badge{rect: canvas.NewRectangle(nil), label: NewLabel("0", Tiny, OnAccent).Align(fyne.TextAlignCenter)}
	b.rect.CornerRadius, b.rect.StrokeWidth = 10, 2 // a rim sets it apart from a button in the same colour
	b.ExtendBaseWidget(b)
	return b
}

// SetCount sets the number and reports whether it changed.
func (b *Badge) SetCount(n int) bool {
	if b.count == n {
		return false
	}
	b.count = n
	text := strconv.Itoa(n)
	if n > 99 {
		text = "99+"
	}
	b.label.SetText(text)
	return true
}

// MinSize grows with the digits.
func (b *Badge) MinSize() fyne.Size {
	return fyne.NewSize(max(22, b.label.Width()+14), 22)
}

// CreateRenderer is for Fyne.
func (b *Badge) CreateRenderer() fyne.WidgetRenderer {
	return &renderer{
		objects: []fyne.CanvasObject{b.rect, b.label},
		layout: func(s fyne.Size) {
			b.rect.Resize(s)
			Place(b.label, 0, 3, s.Width, s.Height-6)
		},
		min: b.MinSize,
		refresh: func() {
			b.rect.FillColor = colorOf(Accent)
			b.rect.StrokeColor = colorOf(Background)
			b.rect.Refresh()
			b.label.Refresh()
		},
	}
}

// hoverLight is the highlight over a control under the pointer.
func hoverLight(on bool) color.Color {
	if !on {
		return color.Transparent
	}
	c := colorOf(Text1).(color.NRGBA)
	c.A = 20
	return c
}
