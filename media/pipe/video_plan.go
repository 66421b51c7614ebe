package pipe

import "parley/media"

// layerCount is how many sizes of one camera are coded at the most, each of them once however
// many see it.
const layerCount = 3

// VideoWant is what one subscriber can take.
type VideoWant struct {
	BitRate  int  // bit/s that its path has for this picture
	Max      Size // how large it is shown, in pixels; zero for no bound
	HalfRate bool // every second frame is enough, where there are more than minHalvedRate

	lately int // BitRate before a short dip
}

// deciding is the bit rate that chooses the layer. A short dip does not change it.
func (w VideoWant) deciding() int { return max(w.BitRate, w.lately, minBitRate) }

// minHalvedRate is the frame rate, per second, up to which nothing is halved: half of it is no longer
// motion.
const minHalvedRate = 20

// VideoLimits bounds what a sender spends, for all subscribers together.
type VideoLimits struct {
	FrameRate float64 // frames a second
	MaxHeight int     // of the picture's shorter side, in pixels; 0 for no bound
	Screen    bool    // keep every pixel, give up frame rate first; one layer
}

// Limit says what keeps a picture from being as good as its source and its tile, in the terms of
// W3C webrtc-stats, qualityLimitationReason.
type Limit string

// The limits.
const (
	Unlimited      Limit = "none"
	BandwidthLimit Limit = "bandwidth"
	CPULimit       Limit = "cpu"
)

// place is where one subscriber stands: its layer, and whether it is spared every second frame.
type place struct {
	layer int // -1 before the first plan
	half  bool
	limit Limit
}

// layer is how one size is coded. A layer without subscribers is off.
type layer struct {
	on  bool
	cfg media.VideoConfig
}

// Temporal layers: the base has every second frame and this share of the bits, as in libwebrtc
// (vp8_temporal_layers, two layers).
const baseShare = 0.6

// Who shares a layer with richer subscribers. A layer's bit rate is the least of those who have at
// least nearlyAll of the most; who has enough for its base gets that; who has less goes one layer
// down. The two thresholds for that leave room, so that an estimate that wanders does not move
// anybody, which costs a keyframe.
const (
	nearlyAll  = 0.75
	baseEnough = 0.65
	baseLeast  = 0.5
)

// plan places every subscriber, starting from where it is, and says how each layer of a w by h
// source is to be coded. It is pure: places[i] belongs to wants[i].
func plan(w, h int, limits VideoLimits, wants []VideoWant, places []place) (layers [layerCount]layer) {
	if limits.Screen {
		return planScreen(w, h, limits, wants, places)
	}
	short := min(w, h)
	now := make([]int, len(places))
	for i, want := range wants {
		now[i] = places[i].layer
		places[i] = choose(w, h, short, limits, want, now[i])
	}
	for l := layerCount - 1; l >= 0; l-- {
		rate := share(l, wants, places, now)
		if rate == 0 {
			continue
		}
		members, half := 0, false
		for _, p := range places {
			if p.layer == l {
				members++
				half = half || p.half
			}
		}
		size := rungSize(w, h, l)
		layers[l] = layer{true, media.VideoConfig{
			Codec: media.VP8, Width: size.W, Height: size.H, BitRate: rate, FrameRate: limits.FrameRate,
			Temporal: half || members > 1,
		}}
	}
	return layers
}

// choose is the layer that one subscriber would have for itself.
func choose(w, h, short int, limits VideoLimits, want VideoWant, now int) place {
	bound := topRung(short)
	p := place{half: want.HalfRate && limits.FrameRate > minHalvedRate, limit: Unlimited}
	if want.Max.H > 0 {
		// The side that needs more pixels decides where the picture fills the tile, and the side
		// that needs fewer where it is shown whole.
		shown := max(want.Max.H, want.Max.W*h/w)
		if !media.Fills(w, h, want.Max.W, want.Max.H) {
			shown = min(want.Max.H, want.Max.W*h/w)
		}
		bound = min(bound, rungAbove(shown*short/h))
	}
	if limits.MaxHeight > 0 {
		if r := topRung(limits.MaxHeight); r < bound {
			bound, p.limit = r, CPULimit
		}
	}
	p.layer = min(affordable(want.deciding(), now), bound)
	if p.layer < bound {
		p.limit = BandwidthLimit
	}
	return p
}

// share decides which subscribers stay in layer l and returns its bit rate, 0 if none do.
func share(l int, wants []VideoWant, places []place, now []int) int {
	most := 0
	for i, p := range places {
		if p.layer == l {
			most = max(most, min(max(wants[i].BitRate, minBitRate), ladder[l].maxRate))
		}
	}
	rate := most
	for i, p := range places {
		if r := max(wants[i].BitRate, minBitRate); p.layer == l && float64(r) >= nearlyAll*float64(most) {
			rate = min(rate, r)
		}
	}
	for i := range places {
		p, r := &places[i], max(wants[i].BitRate, minBitRate)
		if p.layer != l || r >= rate {
			continue
		}
		p.limit = BandwidthLimit
		need := baseEnough
		if now[i] == l {
			need = baseLeast
		}
		switch {
		case l > 0 && float64(wants[i].deciding()) < need*float64(rate):
			p.layer = l - 1
		case l == 0:
			p.half = true
			rate = min(rate, int(float64(r)/baseShare))
		default:
			p.half = true
		}
	}
	return rate
}

// planScreen codes a screen once, at its own size, as fine as all but the poorest can take.
func planScreen(w, h int, limits VideoLimits, wants []VideoWant, places []place) (layers [layerCount]layer) {
	if len(wants) == 0 {
		return layers
	}
	most := 0
	for _, want := range wants {
		most = max(most, min(max(want.BitRate, minBitRate), screenBitRate))
	}
	rate := most
	for _, want := range wants {
		if r := max(want.BitRate, minBitRate); float64(r) >= nearlyAll*float64(most) {
			rate = min(rate, r)
		} else {
			rate = min(rate, int(float64(r)/baseShare))
		}
	}
	half := false
	for i, want := range wants {
		p := place{limit: Unlimited}
		if max(want.BitRate, minBitRate) < rate {
			p.half, p.limit = true, BandwidthLimit
		}
		half = half || p.half
		places[i] = p
	}
	size := screenSize(w, h)
	layers[0] = layer{true, media.VideoConfig{
		Codec: media.VP8, Width: size.W, Height: size.H, BitRate: rate, FrameRate: limits.FrameRate,
		Screen: true, Temporal: half,
	}}
	return layers
}
