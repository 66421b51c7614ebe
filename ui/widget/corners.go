package widget

import (
	"image"
	"math"
)

// roundOff makes the corners of a picture transparent outside the radius, in pixels. Pixels that are transparent
// already stay so. The painter could round corners too, but computes the distance to a corner for every pixel of
// every frame.
func roundOff(img *image.RGBA, radius float64) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	radius = min(radius, float64(w)/2, float64(h)/2)
	n := int(math.Ceil(radius))
	for y := range n {
		for x := range n {
			// The pixel's opacity is the distance of its centre inside the edge, in pixels.
			part := radius - math.Hypot(radius-float64(x)-0.5, radius-float64(y)-0.5) + 0.5
			if part >= 1 {
				break // pixels further right are inside too
			}
			part = max(part, 0)
			for corner := range 4 {
				at := img.Rect.Min.Add(image.Pt(x, y))
				if corner&1 == 1 {
					at.X = img.Rect.Max.X - 1 - x
				}
				if corner&2 == 2 {
					at.Y = img.Rect.Max.Y - 1 - y
				}
				if c := img.RGBAAt(at.X, at.Y); c.A == 0xff {
					c.R, c.G, c.B, c.A = scale(c.R, part), scale(c.G, part), scale(c.B, part), scale(c.A, part)
					img.SetRGBA(at.X, at.Y, c)
				}
			}
		}
	}
}

func scale(v uint8, part float64) uint8 { return uint8(math.Round(part * float64(v))) }
