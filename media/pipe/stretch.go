package pipe

import (
	"math"

	"parley/media"
)

const (
	// A voice's pitch lies between 67 and 400 Hz: periods of 2.5 to 15 ms.
	minPeriod = 120
	maxPeriod = 720
	// fadeLength is the cross-fade between two like pieces, and the stretch over which
	// they are compared: 5 ms, so that period and fade fit into one packet.
	fadeLength = 240
	// coarse is the step of the first search for the period.
	coarse = 4
	// quiet is the level in dBFS below which a cut is inaudible.
	quiet = -55.0
)

// stretcher makes a packet of speech shorter or longer by one pitch period: two pieces that
// are one period apart are cross-faded where they resemble each other most.
type stretcher struct {
	channels int // interleaved; both are cut at the same place
	mid      [media.PacketSamples]int16
	thin     [media.PacketSamples / coarse]float32
}

// shorten cuts at most limit samples a channel out of x, in place, and returns what is left,
// or x as it is if no two pieces resemble each other by at least likeness (a normalised
// correlation).
func (s *stretcher) shorten(x []int16, limit int, likeness float64) []int16 {
	period := s.period(x, limit, likeness) * s.channels
	if period == 0 {
		return x
	}
	glide := fadeLength * s.channels
	for i := range glide {
		x[i] = blend(x[i], x[i+period], i/s.channels)
	}
	n := glide + copy(x[glide:], x[glide+period:])
	return x[:n]
}

// lengthen repeats at most limit samples a channel of x, whose memory has room for them.
func (s *stretcher) lengthen(x []int16, limit int, likeness float64) []int16 {
	limit = min(limit, (cap(x)-len(x))/s.channels)
	period := s.period(x, limit, likeness) * s.channels
	if period == 0 {
		return x
	}
	n, glide := len(x), fadeLength*s.channels
	x = x[:n+period]
	// The sound glides from where it is to where it was one period ago, and goes on from
	// there; what is glided to may lie under what is glided from.
	var before [fadeLength * media.SpeakerChannels]int16
	copy(before[:], x[:glide])
	copy(x[period+glide:], x[glide:n])
	for i, v := range before[:glide] {
		x[period+i] = blend(x[period+i], v, i/s.channels)
	}
	return x
}

// blend goes from a to b while i goes through the cross-fade. The pieces are alike, so
// their amplitudes add.
func blend(a, b int16, i int) int16 {
	w := int32(2*i + 1) // of 2*fadeLength
	return int16((int32(a)*(2*fadeLength-w) + int32(b)*w) / (2 * fadeLength))
}

// period is the distance between the start of x and the piece most like it, 0 if none is.
func (s *stretcher) period(x []int16, limit int, likeness float64) int {
	if len(x) > media.PacketSamples*s.channels {
		return 0
	}
	if s.channels > 1 {
		mid := s.mid[:len(x)/s.channels]
		mix(mid, 1, x, s.channels)
		x = mid
	}
	limit = min(limit, maxPeriod, len(x)-fadeLength)
	if limit < minPeriod {
		return 0
	}
	if media.Level(x) < quiet {
		return limit
	}
	thin := s.thin[:len(x)/coarse]
	for i := range thin {
		sum := 0
		for _, v := range x[i*coarse : (i+1)*coarse] {
			sum += int(v)
		}
		thin[i] = float32(sum)
	}
	best, lag := -1.0, 0
	for l := minPeriod / coarse; l <= limit/coarse; l++ {
		var cross, energy float32
		a, b := thin[:fadeLength/coarse], thin[l:l+fadeLength/coarse]
		for i, v := range a {
			cross += v * b[i]
			energy += b[i] * b[i]
		}
		if c := float64(cross) / math.Sqrt(float64(energy)+1); c > best {
			best, lag = c, l*coarse
		}
	}
	best, period := -1.0, 0
	for l := max(lag-coarse, minPeriod); l <= min(lag+coarse, limit); l++ {
		if c := correlation(x[:fadeLength], x[l:l+fadeLength]); c > best {
			best, period = c, l
		}
	}
	if best < likeness {
		return 0
	}
	return period
}

// correlation is 1 for pieces of the same shape, whatever their volume.
func correlation(a, b []int16) float64 {
	var cross, ea, eb float64
	for i, v := range a {
		va, vb := float64(v), float64(b[i])
		cross += va * vb
		ea += va * va
		eb += vb * vb
	}
	return cross / math.Sqrt(ea*eb+1)
}
