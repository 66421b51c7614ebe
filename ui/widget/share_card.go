package widget

import (
	"image"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
)

// ShareCard is a screen or window to share: its picture, or an icon if there is none, and its name below.
type ShareCard struct {
	control
	back, light, ring *canvas.Rectangle
	mark              *canvas.Rectangle // frame of the chosen card
	picture           *canvas.Image
	icon              *Icon
	label             *Label
	chosen            bool
}

// cardLabel is the height of a ShareCard's label.
const cardLabel float32 = 32

// NewShareCard makes a card with an icon.
func NewShareCard(name, icon string, onTap func()) *ShareCard {
	c := &ShareCard{
		back: canvas.NewRectangle(nil), light: canvas.NewRectangle(nil), ring: focusRing(RadiusTile + 3),
		mark: canvas.NewRectangle(nil), picture: &canvas.Image{FillMode: canvas.ImageFillContain},
		icon: NewIcon(icon, Text2, 28), label: NewLabel(name, BodyMedium, Text1).Align(fyne.TextAlignCenter),
	}
	c.Name, c.OnTap = name, onTap
	c.back.CornerRadius, c.light.CornerRadius, c.mark.CornerRadius = RadiusTile, RadiusTile, RadiusTile
	c.ExtendBaseWidget(c)
	return c
}

// Set changes the name, the picture, which may be nil, and whether the card is the chosen one.
func (c *ShareCard) Set(name string, picture *image.RGBA, chosen bool) {
	if c.Name == name && c.chosen == chosen && c.showsPicture(picture) {
		return
	}
	c.Name, c.chosen = name, chosen
	c.label.SetText(name)
	c.picture.Image = nil
	if picture != nil {
		c.picture.Image = picture
	}
	c.Refresh()
}

// Focused reports whether the card has the keyboard focus.
func (c *ShareCard) Focused() bool { return c.focused }

func (c *ShareCard) showsPicture(p *image.RGBA) bool {
	if p == nil {
		return c.picture.Image == nil
	}
	return c.picture.Image == p
}

// HeightFor is the card's height at a width.
func (c *ShareCard) HeightFor(width float32) float32 { return width*10/16 + cardLabel }

// MinSize is small; cards share the available width.
func (c *ShareCard) MinSize() fyne.Size { return fyne.NewSize(96, c.HeightFor(96)) }

// CreateRenderer is for Fyne.
func (c *ShareCard) CreateRenderer() fyne.WidgetRenderer {
	paint := func() {
		c.back.FillColor = colorOf(Surface2)
		c.light.FillColor = hoverLight(c.hovered)
		c.mark.FillColor, c.mark.StrokeColor, c.mark.StrokeWidth = nil, colorOf(Line), 1
		ink := Text2
		if c.chosen {
			c.mark.StrokeColor, c.mark.StrokeWidth = colorOf(Accent), 3
			ink = Text1
		}
		c.label.SetColor(ink)
		Show(c.icon, c.picture.Image == nil)
		Show(c.picture, c.picture.Image != nil)
		paintRing(c.ring, c.focused)
	}
	paint()
	objects := []fyne.CanvasObject{c.back, c.picture, c.icon, c.light, c.mark, c.label, c.ring}
	return &renderer{
		objects: objects,
		layout: func(s fyne.Size) {
			h := s.Height - cardLabel
			for _, o := range []fyne.CanvasObject{c.back, c.light, c.mark} {
				Place(o, 0, 0, s.Width, h)
			}
			Place(c.picture, 4, 4, s.Width-8, h-8)
			Place(c.icon, 0, 0, s.Width, h)
			Place(c.ring, -4, -4, s.Width+8, h+8)
			Place(c.label, 2, h+8, s.Width-4, 20)
		},
		min: c.MinSize,
		refresh: func() {
			paint()
			refreshAll(objects)
		},
	}
}
