package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
)

// CardHeight is the height of a DeviceCard.
const CardHeight float32 = 72

// DeviceCard shows a device's name and a note about it, and opens the menu of devices.
type DeviceCard struct {
	control
	back, light, ring *canvas.Rectangle
	icon, chevron     *Icon
	title             *Label
	note              *Paragraph
	meter             *LevelMeter
	action            *Button
}

// NewDeviceCard makes a card. meter, which may be nil, shows while there is no note.
func NewDeviceCard(name, icon string, meter *LevelMeter, onTap func()) *DeviceCard {
	c := &DeviceCard{
		back: canvas.NewRectangle(nil), light: canvas.NewRectangle(nil), ring: focusRing(RadiusTile),
		icon: NewIcon(icon, Text1, 16), chevron: NewIcon("chevron-down", Text1, 16),
		title: NewLabel("", BodyMedium, Text1), note: NewParagraph("", Caption, Text2, 3), meter: meter,
	}
	c.Name, c.OnTap = name, onTap
	c.back.CornerRadius, c.light.CornerRadius = RadiusTile, RadiusTile
	c.ExtendBaseWidget(c)
	return c
}

// SetAction gives the card a button, which shows while there is no note.
func (c *DeviceCard) SetAction(b *Button) { c.action = b }

// Set changes the device's name and the line below; problem makes it a warning.
func (c *DeviceCard) Set(title, note string, problem bool) {
	color := Text2
	if problem {
		color = Warning
	}
	c.title.SetText(title)
	c.note.Set(note, color)
	if c.meter != nil {
		Show(c.meter, note == "")
	}
	if c.action != nil {
		Show(c.action, note == "")
	}
	c.Refresh()
}

// HeightFor is the height of the card at a width: a problem may take several lines.
func (c *DeviceCard) HeightFor(width float32) float32 {
	return max(CardHeight, 42+c.note.HeightFor(width-2*Space3)+Space3)
}

// MinSize is the size in the design; cards share the available width.
func (c *DeviceCard) MinSize() fyne.Size { return fyne.NewSize(120, CardHeight) }

// CreateRenderer is for Fyne.
func (c *DeviceCard) CreateRenderer() fyne.WidgetRenderer {
	objects := []fyne.CanvasObject{c.back, c.light, c.icon, c.title, c.chevron, c.note, c.ring}
	if c.meter != nil {
		objects = append(objects, c.meter)
	}
	if c.action != nil {
		objects = append(objects, c.action)
	}
	paint := func() {
		c.back.FillColor = colorOf(Surface1)
		c.light.FillColor = hoverLight(c.hovered)
		paintRing(c.ring, c.focused)
	}
	placeNote := func(s fyne.Size) {
		h := c.note.HeightFor(s.Width - 2*Space3)
		y := float32(42)
		if h <= Caption.Line {
			y = 47
		}
		Place(c.note, Space3, y, s.Width-2*Space3, h)
	}
	paint()
	return &renderer{
		objects: objects,
		layout: func(s fyne.Size) {
			c.back.Resize(s)
			c.light.Resize(s)
			c.ring.Resize(s)
			Place(c.icon, Space3, 14, 16, 16)
			Place(c.chevron, s.Width-Space3-16, 14, 16, 16)
			Place(c.title, 35, 12, s.Width-35-Space3-16-Space1, 20)
			placeNote(s)
			if c.meter != nil {
				m := c.meter.MinSize()
				Place(c.meter, Space3, 44, m.Width, m.Height)
			}
			if c.action != nil { // in the place of the note
				m := c.action.MinSize()
				Place(c.action, Space3-Space2, 39, m.Width, m.Height)
			}
		},
		min: c.MinSize,
		refresh: func() {
			paint()
			placeNote(c.Size()) // a new text may have a different number of lines
			refreshAll(objects)
		},
	}
}
