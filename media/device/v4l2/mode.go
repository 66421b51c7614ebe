//go:build linux

package v4l2

import (
	"image"
	"math"

	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/prop"

	"parley/media"
)

// What we ask of a camera. A call does not send more.
const (
	wantWidth, wantHeight = 1280, 720
	wantRate              = 30.0
	maxRate               = 240.0 // frames a second that a camera is asked for at most
)

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

// chooseMode picks the mode nearest to 1280x720 at 30 frames a second. ok is false when there is none. A lower rate
// costs more than a smaller picture. Typical cameras do 720p raw at 10 frames a second, and MJPEG at 30. Raw wins only
// at the same rate, where it saves the decoding.
func chooseMode(modes []prop.Media) (best prop.Media, ok bool) {
	lowest := math.Inf(1)
	for _, m := range modes {
		if m.Width < 2 || m.Height < 2 || m.Width > media.MaxDimension || m.Height > media.MaxDimension {
			continue
		}
		if c := modeCost(m.Video); c < lowest {
			best, lowest, ok = m, c, true
		}
	}
	return best, ok
}

// modeCost is a mode's distance from the ideal: the sum of those of area, shape and rate, in octaves.
func modeCost(m prop.Video) float64 {
	area := math.Log2(float64(m.Width*m.Height) / (wantWidth * wantHeight))
	if area > 0 {
		area *= 0.5 // too large a picture only costs time
	}
	shape := math.Log2(float64(m.Width) / float64(m.Height) * wantHeight / wantWidth)
	rate := 0.1 // unknown: most likely 30
	if m.FrameRate > 0 {
		if rate = math.Log2(wantRate / float64(m.FrameRate)); rate > 0 {
			rate *= 1.5
		} else {
			rate *= 0.2
		}
	}
	cost := math.Abs(area) + 0.5*math.Abs(shape) + math.Abs(rate)
	if m.FrameFormat == frame.FormatMJPEG {
		cost += 0.05
	}
	return cost
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
