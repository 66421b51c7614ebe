//go:build linux

package v4l2

import (
	"image"
	"math"
)

// maxRate is how many frames a second a camera is asked for at most.
const maxRate = 240.0

// commonSizes are tried where a camera offers a range.
var commonSizes = []image.Point{
	{X: 1280, Y: 720},
	{X: 1920, Y: 1080},
	{X: 960, Y: 540},
	{X: 640, Y: 480},
	{X: 640, Y: 360},
	{X: 320, Y: 240},
}

// sizeRange is a camera's range of sizes in pixels; a step of 0 is a single size.
type sizeRange struct {
	minW, maxW, stepW int
	minH, maxH, stepH int
}

// sizes lists the sizes to choose from.
func (r sizeRange) sizes() []image.Point {
	if r.minW == r.maxW && r.minH == r.maxH {
		return []image.Point{{X: r.maxW, Y: r.maxH}}
	}
	fits := func(v, low, high, step int) bool { return v >= low && v <= high && (v-low)%max(step, 1) == 0 }
	var out []image.Point
	for _, s := range commonSizes {
		if fits(s.X, r.minW, r.maxW, r.stepW) && fits(s.Y, r.minH, r.maxH, r.stepH) {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		out = append(out, image.Pt(r.maxW, r.maxH))
	}
	return out
}

// rateFraction is a frame rate as V4L2 wants it; 0 is unknown.
func rateFraction(rate float64) (num, den int) {
	if rate <= 0 || rate > maxRate {
		return 0, 0
	}
	for _, den := range []int{1, 2, 1001} {
		if num := math.Round(rate * float64(den)); math.Abs(num/float64(den)-rate) < 1e-3 {
			return int(num), den
		}
	}
	return int(math.Round(rate * 1000)), 1000
}
