package ui

import (
	"image/color"

	"fyne.io/fyne/v2"

	"parley/ui/widget"
)

// shadeColor darkens the window below a panel.
var shadeColor = color.NRGBA{R: 0x05, G: 0x07, B: 0x09, A: 0xb0}

const (
	shareWidth  float32 = 760
	shareHeight float32 = 600
	shareHead   float32 = 60
	shareCard   float32 = 200 // the width of a card, roughly
)

// CreateRenderer is for Fyne.
func (l *shareLayer) CreateRenderer() fyne.WidgetRenderer { return &shareRenderer{l} }

type shareRenderer struct{ l *shareLayer }

func (r *shareRenderer) Destroy()           {}
func (r *shareRenderer) MinSize() fyne.Size { return fyne.Size{} }

func (r *shareRenderer) Objects() []fyne.CanvasObject { return r.l.Parts() }

// Parts are the objects of the panel.
func (l *shareLayer) Parts() []fyne.CanvasObject {
	s := l.s
	out := []fyne.CanvasObject{l.shade, s.box, s.title, s.close, s.back, s.alert, s.note, s.flow.scroll, s.region}
	for _, o := range s.all() {
		out = append(out, o)
	}
	return append(out, s.cancel, s.start)
}

func (r *shareRenderer) Refresh() {
	r.Layout(r.l.Size())
	for _, o := range r.Objects() {
		o.Refresh()
	}
}

// Layout centres the panel: heading, cards, options and buttons.
func (r *shareRenderer) Layout(size fyne.Size) {
	s := r.l.s
	r.l.shade.Resize(size)
	small := size.Width < narrow
	pad, gap := widget.Space5, widget.Space4
	if small {
		pad, gap = widget.Space3, widget.Space2
	}
	w, h := min(size.Width-2*gap, shareWidth), min(size.Height-2*gap, shareHeight)
	x, y := floor((size.Width-w)/2), floor((size.Height-h)/2)
	widget.Place(s.box, x, y, w, h)
	inner := w - 2*pad
	left := x + pad
	broken := s.note.Text() != ""
	for _, o := range s.all() {
		widget.Show(o, !broken)
	}
	widget.Show(s.start, !broken)
	widget.Show(s.back, s.draw)
	head := left
	if s.draw {
		back := s.back.MinSize().Width
		if small {
			back = 0
			widget.Show(s.back, false)
		}
		widget.Place(s.back, left-widget.Space2, y+14, back, widget.Target)
		head += back
	}
	widget.Place(s.title, head, y+18, x+w-pad-36-head, 24)
	widget.Place(s.close, x+w-46, y+12, 36, 36)

	foot := y + h - pad - 40
	widget.PlaceMin(s.start, x+w-pad-s.start.MinSize().Width, foot)
	next := x + w - pad
	if !broken {
		next -= s.start.MinSize().Width + widget.Space2
	}
	widget.PlaceMin(s.cancel, next-s.cancel.MinSize().Width, foot)
	rows := r.placeSwitches(left, foot, inner, small)
	body := rect{left, y + shareHead, inner, foot - rows - gap - y - shareHead}
	if small {
		body = rect{left, y + 52, inner, foot - rows - y - 56}
	}
	r.placeBody(body)
}

// placeSwitches places the switches above the buttons, side by side where there is room, and returns their
// height.
func (r *shareRenderer) placeSwitches(x, foot, width float32, small bool) float32 {
	all := r.l.s.all()
	if small {
		// Two columns. The third switch goes beside the buttons.
		half := width / 2
		for i, o := range all {
			widget.Place(o, x+float32(i%2)*half, foot-widget.SwitchHeight+float32(i/2)*widget.SwitchHeight, half-widget.Space3, widget.SwitchHeight)
		}
		return widget.SwitchHeight
	}
	third := floor(width / 3)
	for i, o := range all {
		widget.Place(o, x+float32(i)*third, foot-widget.SwitchHeight-widget.Space4, third-widget.Space4, widget.SwitchHeight)
	}
	return widget.SwitchHeight + widget.Space4
}

func (r *shareRenderer) placeBody(b rect) {
	s := r.l.s
	note := s.note.Text() != ""
	draw := s.draw && !note
	widget.Show(s.flow.scroll, !note && !draw)
	widget.Show(s.region, draw)
	widget.Show(s.note, note)
	widget.Show(s.alert, note)
	if note {
		width := min(b.w, 420)
		h := s.note.HeightFor(width)
		y := floor(b.y + (b.h-h-48)/2)
		widget.Place(s.alert, b.x, y, b.w, 32)
		widget.Place(s.note, floor(b.x+(b.w-width)/2), y+48, width, h)
		return
	}
	if draw {
		widget.Place(s.region, b.x, b.y, b.w, b.h)
		return
	}
	s.flow.fit(b.x-widget.Space2, b.y, b.w+2*widget.Space2, max(b.h, 0))
}

// placeCards lays the cards out in rows.
func (s *share) placeCards(width float32) float32 {
	const pad = widget.Space2
	inner := width - 2*pad
	columns := max(int((inner+widget.Space3)/(shareCard+widget.Space3)), 2)
	w := floor((inner - float32(columns-1)*widget.Space3) / float32(columns))
	y := float32(pad)
	for i, c := range s.cards {
		h := floor(c.HeightFor(w))
		widget.Place(c, pad+float32(i%columns)*(w+widget.Space3), y, w, h)
		if i%columns == columns-1 || i == len(s.cards)-1 {
			y += h + widget.Space2
		}
	}
	return y
}
