package media

import "math"

// What we ask of a camera. A call does not send more.
const (
	wantWidth, wantHeight = 1280, 720
	wantRate              = 30.0
)

// CameraMode is a way in which a camera delivers pictures.
type CameraMode struct {
	Width, Height int
	Rate          float64 // frames a second; 0 is unknown
	Format        PixelFormat
}

// BestMode returns the index of the mode nearest to 1280x720 at 30 frames a second, or -1 when there is none. A lower rate
// costs more than a smaller picture. Typical cameras do 720p raw at 10 frames a second, and MJPEG at 30. Raw wins only
// at the same rate, where it saves the decoding.
func BestMode(modes []CameraMode) int {
	best, lowest := -1, math.Inf(1)
	for i, m := range modes {
		if m.Width < 2 || m.Height < 2 || m.Width > MaxDimension || m.Height > MaxDimension {
			continue
		}
		if c := m.cost(); c < lowest {
			best, lowest = i, c
		}
	}
	return best
}

// cost is a mode's distance from the ideal: the sum of those of area, shape and rate, in octaves.
func (m CameraMode) cost() float64 {
	area := math.Log2(float64(m.Width*m.Height) / (wantWidth * wantHeight))
	if area > 0 {
		area *= 0.5 // too large a picture only costs time
	}
	shape := math.Log2(float64(m.Width) / float64(m.Height) * wantHeight / wantWidth)
	rate := 0.1 // unknown: most likely 30
	if m.Rate > 0 {
		if rate = math.Log2(wantRate / m.Rate); rate > 0 {
			rate *= 1.5
		} else {
			rate *= 0.2
		}
	}
	cost := math.Abs(area) + 0.5*math.Abs(shape) + math.Abs(rate)
	if m.Format == FormatMJPEG {
		cost += 0.05
	}
	return cost
}
