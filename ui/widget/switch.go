package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
)

// Switch is an on/off switch with its label beside it.
type Switch struct {
	control
	on           bool
	light, ring  *canvas.Rectangle
	track, thumb *canvas.Rectangle
	label, note  *Label
}

const (
	switchWidth  float32 = 36
	switchHeight float32 = 20
	// SwitchHeight is the height of a Switch.
	SwitchHeight float32 = 44
)

// NewSwitch makes a switch. note is a short explanation.
func NewSwitch(name, note string, on bool, changed func(on bool)) *Switch {
	s := &Switch{
		on: on, light: canvas.NewRectangle(nil), ring: focusRing(8),
		track: canvas.NewRectangle(nil), thumb: canvas.NewRectangle(nil),
		label: NewLabel(name, BodyMedium, Text1), note: NewLabel(note, Caption, Text2),
	}
	s.Name = name
	s.OnTap = func() {
		s.on = !s.on
		s.Refresh()
		changed(s.on)
	}
	s.light.CornerRadius, s.track.CornerRadius, s.thumb.CornerRadius = 8, switchHeight/2, (switchHeight-6)/2
	s.ExtendBaseWidget(s)
	return s
}

// On reports whether the switch is on.
func (s *Switch) On() bool { return s.on }

// MinSize is the switch with its whole label.
func (s *Switch) MinSize() fyne.Size {
	return fyne.NewSize(switchWidth+Space3+max(s.label.Width(), s.note.Width()), SwitchHeight)
}

// CreateRenderer is for Fyne.
func (s *Switch) CreateRenderer() fyne.WidgetRenderer {
	objects := []fyne.CanvasObject{s.light, s.track, s.thumb, s.label, s.note, s.ring}
	layout := func(size fyne.Size) {
		for _, o := range []fyne.CanvasObject{s.light, s.ring} {
			Place(o, -Space2, 0, size.Width+2*Space2, size.Height)
		}
		y := (size.Height - switchHeight) / 2
		Place(s.track, 0, y, switchWidth, switchHeight)
		x := float32(3)
		if s.on {
			x = switchWidth - switchHeight + 3
		}
		Place(s.thumb, x, y+3, switchHeight-6, switchHeight-6)
		left := switchWidth + Space3
		Place(s.label, left, size.Height/2-19, size.Width-left, 20)
		Place(s.note, left, size.Height/2+2, size.Width-left, 16)
	}
	paint := func() {
		s.light.FillColor = hoverLight(s.hovered)
		s.track.FillColor, s.thumb.FillColor = colorOf(Surface3), colorOf(Text2)
		if s.on {
			s.track.FillColor, s.thumb.FillColor = colorOf(Accent), colorOf(OnAccent)
		}
		paintRing(s.ring, s.focused)
	}
	paint()
	return &renderer{
		objects: objects, layout: layout, min: s.MinSize,
		refresh: func() {
			paint()
			layout(s.Size())
			refreshAll(objects)
		},
	}
}
