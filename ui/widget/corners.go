package widget

import (
	"image"
	"image/color"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fw "fyne.io/fyne/v2/widget"
)

// Corners lies on a picture and rounds it, by painting what is outside of its round corners in the
// colour of the background. A picture that is cut round itself would make the painter work out, on
// every frame and for each of its pixels, how far from a corner it is.
type Corners struct {
	fw.BaseWidget
	corners [4]*canvas.Raster
	radius  float32
}

// NewCorners makes corners of the given radius.
func NewCorners(radius float32) *Corners {
	c := &Corners{radius: radius}
	for i := range c.corners {
		right, foot := i&1 == 1, i&2 == 2
		c.corners[i] = canvas.NewRaster(func(w, h int) image.Image {
			return outside(w, h, right, foot, colorOf(Background))
		})
	}
	c.ExtendBaseWidget(c)
	return c
}

// outside is one corner, w by h pixels: see-through inside of the quarter of an ellipse.
func outside(w, h int, right, foot bool, ink color.Color) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	r, g, b, _ := ink.RGBA()
	for y := range h {
		for x := range w {
			dx, dy := float64(w)-float64(x)-0.5, float64(h)-float64(y)-0.5
			if right {
				dx = float64(x) + 0.5
			}
			if foot {
				dy = float64(y) + 0.5
			}
			// How far the pixel's middle is beyond the edge, in pixels, is how much of it is covered.
			beyond := math.Hypot(dx, dy*float64(w)/float64(h)) - float64(w)
			a := uint32(math.Round(255 * max(0, min(1, beyond+0.5))))
			img.SetRGBA(x, y, color.RGBA{uint8(r * a / 0xffff), uint8(g * a / 0xffff), uint8(b * a / 0xffff), uint8(a)})
		}
	}
	return img
}

// CreateRenderer is for Fyne.
func (c *Corners) CreateRenderer() fyne.WidgetRenderer {
	var objects []fyne.CanvasObject
	for _, o := range c.corners {
		objects = append(objects, o)
	}
	return &renderer{
		objects: objects,
		layout: func(s fyne.Size) {
			d := min(c.radius, s.Width/2, s.Height/2)
			for i, o := range c.corners {
				Place(o, float32(i&1)*(s.Width-d), float32(i>>1)*(s.Height-d), d, d)
			}
		},
		refresh: func() { refreshAll(objects) },
	}
}
