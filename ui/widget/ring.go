package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fw "fyne.io/fyne/v2/widget"
)

const ringWidth float32 = 3

// Ring is the speaking ring inside a tile's edge. It consists of four sides and four corners: with one stroked
// rectangle the painter would blend the whole tile on every frame.
type Ring struct {
	fw.BaseWidget
	sides   [4]*canvas.Rectangle
	corners [4]*canvas.Arc
	radius  float32
}

// NewRing makes a ring for corners of the given radius.
func NewRing(radius float32) *Ring {
	r := &Ring{radius: radius}
	for i := range 4 {
		r.sides[i] = canvas.NewRectangle(nil)
		// Angles count clockwise from the top; the corners go clockwise from the top right.
		start := float32(i) * 90
		r.corners[i] = canvas.NewArc(start, start+90, 1-ringWidth/radius, nil)
	}
	r.ExtendBaseWidget(r)
	return r
}

// CreateRenderer is for Fyne.
func (r *Ring) CreateRenderer() fyne.WidgetRenderer {
	var objects []fyne.CanvasObject
	for i := range 4 {
		objects = append(objects, r.sides[i], r.corners[i])
	}
	return &renderer{
		objects: objects,
		layout: func(s fyne.Size) {
			d, w, h := 2*r.radius, s.Width, s.Height
			Place(r.sides[0], r.radius, 0, w-d, ringWidth)
			Place(r.sides[1], w-ringWidth, r.radius, ringWidth, h-d)
			Place(r.sides[2], r.radius, h-ringWidth, w-d, ringWidth)
			Place(r.sides[3], 0, r.radius, ringWidth, h-d)
			Place(r.corners[0], w-d, 0, d, d)
			Place(r.corners[1], w-d, h-d, d, d)
			Place(r.corners[2], 0, h-d, d, d)
			Place(r.corners[3], 0, 0, d, d)
		},
		refresh: func() {
			for i := range 4 {
				r.sides[i].FillColor, r.corners[i].FillColor = colorOf(Accent), colorOf(Accent)
				r.sides[i].Refresh()
				r.corners[i].Refresh()
			}
		},
	}
}
