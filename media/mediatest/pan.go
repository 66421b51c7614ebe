package mediatest

import (
	"math"

	"parley/media"
)

// panSpeed is how fast the camera moves, in pixels of its picture a second.
const panSpeed = 300.0

// Pan is the part of a photograph that a hand-held camera sees after so many seconds. It has the shape of w by h pixels,
// to which the caller scales it. It always moves back and forth, and more slowly up and down. It shares the
// photograph's pixels.
func Pan(photo *media.Frame, w, h int, seconds float64) *media.Frame {
	zoom := min(float64(photo.Width)/float64(2*w), float64(photo.Height)/(1.3*float64(h)))
	cw, ch := int(zoom*float64(w)), int(zoom*float64(h))
	spanX, spanY := float64(photo.Width-cw), float64(photo.Height-ch)
	x := math.Mod(seconds*panSpeed*zoom, 2*spanX)
	if x > spanX {
		x = 2*spanX - x
	}
	left, top := int(x)&^1, int(spanY/2*(1+math.Sin(seconds)))&^1
	chroma := top/2*photo.UVStride + left/2
	return &media.Frame{
		Width: cw, Height: ch, YStride: photo.YStride, UVStride: photo.UVStride,
		Y: photo.Y[top*photo.YStride+left:], U: photo.U[chroma:], V: photo.V[chroma:],
	}
}
