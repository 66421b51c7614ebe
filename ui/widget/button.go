package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
)

// Look is a button's style.
type Look uint8

// The styles.
const (
	Plain   Look = iota // grey background
	Primary             // the main action, or a device that is on
	Danger              // a device that is off, or leaving
	Ghost               // icon only
	Quiet               // text only, weaker than the text around it
	Link                // text only, in the accent colour
	Over                // over a picture
	OverOff             // over a picture, off
)

func (l Look) colors() (fill, ink fyne.ThemeColorName) {
	switch l {
	case Primary:
		return Accent, OnAccent
	case Danger, OverOff:
		return Error, OnError
	case Ghost:
		return None, Text1
	case Quiet:
		return None, Text2
	case Link:
		return None, Accent
	case Over:
		return Picture, OnPicture
	}
	return Surface2, Text1
}

// RoundButton is a round button with an icon and an optional count at its top right.
type RoundButton struct {
	control
	icon        *Icon
	rect, light *canvas.Rectangle
	ring        *canvas.Rectangle
	badge       *Badge
	look        Look
	width, side float32
	ink         fyne.ThemeColorName // overrides the style's colour
}

// NewRoundButton makes a round button. name is what it does.
func NewRoundButton(name, icon string, look Look, onTap func()) *RoundButton {
	return newRound(name, icon, look, RoundSize, RoundSize, 22, onTap)
}

// NewSmallButton makes a small round button.
func NewSmallButton(name, icon string, onTap func()) *RoundButton {
	return newRound(name, icon, Ghost, Target+4, Target+4, 18, onTap)
}

// NewLeaveButton makes the wide red button that leaves the meeting.
func NewLeaveButton(name string, onTap func()) *RoundButton {
	return newRound(name, "leave", Danger, 64, RoundSize, 22, onTap)
}

func newRound(name, icon string, look Look, width, side, iconSize float32, onTap func()) *RoundButton {
	b := &RoundButton{
		icon: NewIcon(icon, Text1, iconSize), look: look, width: width, side: side,
		rect: canvas.NewRectangle(nil), light: canvas.NewRectangle(nil), ring: focusRing(side / 2),
		badge: NewBadge(),
	}
	b.Name, b.OnTap = name, onTap
	b.rect.CornerRadius, b.light.CornerRadius = side/2, side/2
	b.badge.Hide()
	b.ExtendBaseWidget(b)
	return b
}

// Set changes the button's name, icon and style.
func (b *RoundButton) Set(name, icon string, look Look) {
	if b.Name == name && b.icon.name == icon && b.look == look {
		return
	}
	b.Name, b.look = name, look
	b.icon.name = icon
	b.Refresh()
}

// Icon is the name of the button's icon.
func (b *RoundButton) Icon() string { return b.icon.name }

// SetCount shows n at the button's top right. It hides a count of 0.
func (b *RoundButton) SetCount(n int) {
	if b.badge.SetCount(n) {
		Show(b.badge, n > 0)
		b.Refresh()
	}
}

// CreateRenderer is for Fyne.
func (b *RoundButton) CreateRenderer() fyne.WidgetRenderer {
	refresh := func() {
		fill, ink := b.look.colors()
		if b.ink != "" {
			ink = b.ink
		}
		if b.off {
			ink = Text3
		}
		b.rect.FillColor = colorOf(fill)
		b.light.FillColor = hoverLight(b.hovered && !b.off)
		b.icon.color = ink
		b.icon.Refresh()
		paintRing(b.ring, b.focused)
		b.rect.Refresh()
		b.light.Refresh()
	}
	refresh()
	return &renderer{
		objects: []fyne.CanvasObject{b.rect, b.light, b.icon, b.ring, b.badge},
		layout: func(s fyne.Size) {
			b.rect.Resize(s)
			b.light.Resize(s)
			b.icon.Resize(s)
			b.ring.Resize(s)
			m := b.badge.MinSize()
			Place(b.badge, s.Width-m.Width/2-9, -4, m.Width, m.Height)
		},
		min:     func() fyne.Size { return fyne.NewSize(b.width, b.side) },
		refresh: func() { refresh(); b.badge.Refresh() },
	}
}

// Button is a button with text.
type Button struct {
	control
	text  string
	icon  string
	look  Look
	style Style
	size  float32 // height

	rect, light, ring *canvas.Rectangle
	sign              *Icon
	label             *Label
}

// NewButton makes a button of the given height. icon may be empty.
func NewButton(text, icon string, look Look, height float32, onTap func()) *Button {
	b := &Button{
		text: text, icon: icon, look: look, size: height, style: Strong,
		rect: canvas.NewRectangle(nil), light: canvas.NewRectangle(nil), ring: focusRing(RadiusTile),
	}
	switch {
	case height >= 52:
		b.style = LeadStrong
	case look == Link, look == Quiet && height <= Target:
		b.style = CaptionOn
	}
	radius := RadiusTile
	if height <= 36 {
		radius = 8
	}
	b.rect.CornerRadius, b.light.CornerRadius, b.ring.CornerRadius = radius, radius, radius
	b.Name, b.OnTap = text, onTap
	b.label = NewLabel(text, b.style, Text1)
	side := float32(20)
	if b.style.Size < Body.Size {
		side = 16
	}
	b.sign = NewIcon("plus", Text1, side)
	if icon != "" {
		b.sign.name = icon
	} else {
		b.sign.Hide()
	}
	b.ExtendBaseWidget(b)
	return b
}

// SetText changes the text.
func (b *Button) SetText(text string) {
	if b.text == text {
		return
	}
	b.text, b.Name = text, text
	b.Refresh()
}

// SetLook changes the button's style.
func (b *Button) SetLook(look Look) {
	if b.look != look {
		b.look = look
		b.Refresh()
	}
}

// MinSize leaves 16 on either side of the text, or 8 if the button has no background.
func (b *Button) MinSize() fyne.Size {
	w := textWidth(b.text, b.style) + 2*Space4
	if b.look == Link {
		w -= 2 * Space2
	}
	if b.icon != "" {
		w += b.sign.size + Space2 + Space1
	}
	return fyne.NewSize(w, b.size)
}

// CreateRenderer is for Fyne.
func (b *Button) CreateRenderer() fyne.WidgetRenderer {
	layout := func(s fyne.Size) {
		b.rect.Resize(s)
		b.light.Resize(s)
		b.ring.Resize(s)
		w, x := textWidth(b.text, b.style), Space2
		if b.icon != "" {
			x += b.sign.size + Space2
		}
		room := s.Width - x - Space2
		left := x + max(room-w, 0)/2
		Place(b.label, left, (s.Height-b.style.Line)/2, min(w, room), b.style.Line)
		side := b.sign.size
		Place(b.sign, left-side-Space2, (s.Height-side)/2, side, side)
	}
	refresh := func() {
		fill, ink := b.look.colors()
		if b.off {
			fill, ink = Surface2, Text3
			if b.look == Ghost || b.look == Quiet || b.look == Link {
				fill = None
			}
		}
		b.rect.FillColor = colorOf(fill)
		b.light.FillColor = hoverLight(b.hovered && !b.off)
		b.label.full, b.label.color = b.text, ink
		b.label.Refresh()
		b.sign.color = ink
		b.sign.Refresh()
		paintRing(b.ring, b.focused)
		b.rect.Refresh()
		b.light.Refresh()
	}
	refresh()
	return &renderer{
		objects: []fyne.CanvasObject{b.rect, b.light, b.sign, b.label, b.ring},
		layout:  layout,
		min:     b.MinSize,
		refresh: func() { layout(b.Size()); refresh() },
	}
}

// SetIcon changes the icon of a button that has one.
func (b *Button) SetIcon(icon string) {
	if b.icon != icon {
		b.icon, b.sign.name = icon, icon
		b.Refresh()
	}
}

// SetInk overrides the colour of the icon. An empty name restores the style's colour.
func (b *RoundButton) SetInk(ink fyne.ThemeColorName) {
	if b.ink != ink {
		b.ink = ink
		b.Refresh()
	}
}
