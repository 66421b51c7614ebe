package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fw "fyne.io/fyne/v2/widget"
)

// Chip is a short label on a dark background, for use on pictures.
type Chip struct {
	fw.BaseWidget
	rect  *canvas.Rectangle
	icon  *Icon
	label *Label
}

const (
	chipHeight float32 = 26
	chipIcon   float32 = 16
)

// NewChip makes a chip.
func NewChip() *Chip {
	c := &Chip{
		rect: canvas.NewRectangle(nil), icon: NewIcon("mic-off", PictureOff, chipIcon),
		label: NewLabel("", OnPictures, OnPicture),
	}
	c.rect.CornerRadius = RadiusChip
	c.icon.Hide()
	c.ExtendBaseWidget(c)
	return c
}

// Set changes the text and the icon before it, which may be empty. It reports whether the chip's size may have
// changed.
func (c *Chip) Set(text, icon string, color fyne.ThemeColorName) bool {
	changed := c.label.full != text || c.icon.Visible() != (icon != "")
	c.label.SetText(text)
	if icon != "" {
		c.icon.Set(icon, color)
	}
	Show(c.icon, icon != "")
	return changed
}

// MinSize is the size of the whole text.
func (c *Chip) MinSize() fyne.Size {
	w := c.label.Width() + 2*Space2
	if c.icon.Visible() {
		w += chipIcon + Space1
	}
	return fyne.NewSize(w, chipHeight)
}

// CreateRenderer is for Fyne.
func (c *Chip) CreateRenderer() fyne.WidgetRenderer {
	layout := func(s fyne.Size) {
		c.rect.Resize(s)
		x := Space2
		if c.icon.Visible() {
			Place(c.icon, x, (s.Height-chipIcon)/2, chipIcon, chipIcon)
			x += chipIcon + Space1
		}
		Place(c.label, x, (s.Height-c.label.style.Line)/2, s.Width-x-Space2, c.label.style.Line)
	}
	return &renderer{
		objects: []fyne.CanvasObject{c.rect, c.icon, c.label},
		layout:  layout,
		min:     c.MinSize,
		refresh: func() {
			c.rect.FillColor = colorOf(Picture)
			c.rect.Refresh()
			c.icon.Refresh()
			c.label.Refresh()
			layout(c.Size())
		},
	}
}

// Bars shows the quality of a connection as four bars on a chip.
type Bars struct {
	fw.BaseWidget
	rect *canvas.Rectangle
	bars [4]*canvas.Rectangle
	n    int
}

// NewBars makes bars that are all unlit.
func NewBars() *Bars {
	b := &Bars{rect: canvas.NewRectangle(nil)}
	b.rect.CornerRadius = RadiusChip
	for i := range b.bars {
		b.bars[i] = canvas.NewRectangle(nil)
	}
	b.ExtendBaseWidget(b)
	return b
}

// Set lights n of the four bars.
func (b *Bars) Set(n int) {
	if b.n != n {
		b.n = n
		b.Refresh()
	}
}

// CreateRenderer is for Fyne.
func (b *Bars) CreateRenderer() fyne.WidgetRenderer {
	objects := []fyne.CanvasObject{b.rect}
	for _, bar := range b.bars {
		objects = append(objects, bar)
	}
	return &renderer{
		objects: objects,
		layout: func(s fyne.Size) {
			b.rect.Resize(s)
			for i, bar := range b.bars {
				h := float32(4 + 3*i)
				Place(bar, float32(7+5*i), s.Height-6-h, 3, h)
			}
		},
		min: func() fyne.Size { return fyne.NewSize(32, 24) },
		refresh: func() {
			b.rect.FillColor = colorOf(Picture)
			b.rect.Refresh()
			for i, bar := range b.bars {
				bar.FillColor = rgba(0xffffff, 70)
				if i < b.n {
					bar.FillColor = colorOf(OnPicture)
				}
				bar.Refresh()
			}
		},
	}
}
