package pipe

import "math"

// Rests between two changes of the delay, in samples. A change is hardly heard once and
// a nuisance often; how far off the delay is decides.
const (
	restSmall  = 500 * samplesPerMs // to shorten a delay just above its band: drifting clocks
	restMedium = 200 * samplesPerMs
	restLarge  = 60 * samplesPerMs
)

// fit makes a decoded packet longer or shorter when the delay is off its target. Drift
// between the two clocks, changes of the network and lip-sync all end here.
func (o *voicePlayout) fit(frame []int16) []int16 {
	if o.rest -= int64(len(frame) / o.channels); o.rest > 0 || !o.steady {
		return frame
	}
	before := len(frame)
	switch {
	case o.excess > delayBand:
		frame = o.stretch.shorten(frame, int(o.excess), shortenLikeness(o.excess))
	case o.excess < -delayDead:
		frame = o.stretch.lengthen(frame, int(delayBand-o.excess), lengthenLikeness(o.urgency))
	}
	if change := int64(len(frame)-before) / int64(o.channels); change != 0 {
		o.delay.shift(change)
		o.rest = restAfter(o.excess)
	}
	return frame
}

// shortenLikeness is how alike two pieces must be to be merged: the later sound is, the less.
func shortenLikeness(excess int64) float64 {
	switch {
	case excess < 100*samplesPerMs:
		return 0.9
	case excess < 300*samplesPerMs:
		return 0.5
	}
	return math.Inf(-1)
}

// lengthenLikeness is the same for repeating a piece: the nearer the queue is to running
// empty, which would be heard more, the less.
func lengthenLikeness(urgency int64) float64 {
	switch {
	case urgency > -10*samplesPerMs:
		return 0.9
	case urgency > -20*samplesPerMs:
		return 0.6
	}
	return 0.3
}

func restAfter(excess int64) int64 {
	switch {
	case excess > 120*samplesPerMs:
		return 0
	case excess > 60*samplesPerMs, excess < -20*samplesPerMs:
		return restLarge
	case excess > 20*samplesPerMs, excess < 0:
		return restMedium
	}
	return restSmall
}
