package pipe_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"parley/media"
)

// TestAudioArrivesAsSent finds the seconds of the speech in what the speaker gets, by
// cross-correlation over the delays it may have.
func TestAudioArrivesAsSent(t *testing.T) {
	speech := voice(12)
	for _, loss := range []float64{0, 0.05} {
		packets := encode(t, speech, media.AudioConfig{BitRate: 32000, Loss: 2 * loss})
		rng := rand.New(rand.NewPCG(8, 9))
		h := simulate(opusReceiver(t), packets, func(int) (time.Duration, bool) {
			return time.Duration(rng.Float64() * float64(10*ms)), rng.Float64() >= loss
		})
		var found []float64
		for s := 1; s < 11; s++ {
			part := speech[s*media.SampleRate : (s+1)*media.SampleRate]
			best := 0.0
			for lag := 0; lag < 100*48; lag += 6 { // the pitch is below 200 Hz
				from := s*media.SampleRate + lag
				best = max(best, likeness(part, h.pcm[from:from+len(part)], 8))
			}
			found = append(found, best)
		}
		slices.Sort(found)
		worst, median := found[0], found[len(found)/2]
		t.Logf("%.0f%% loss: correlation at least %.3f, median %.3f", 100*loss, worst, median)
		// With loss, the delay changes during some seconds, and only a part fits.
		if median < 0.9 || loss == 0 && worst < 0.9 {
			t.Errorf("%.0f%% loss: correlation at least %.3f, median %.3f; want 0.9", 100*loss, worst, median)
		}
	}
}

// likeness is the normalised correlation of every step-th sample.
func likeness(a, b []int16, step int) float64 {
	var cross, ea, eb float64
	for i := 0; i < len(a); i += step {
		cross += float64(a[i]) * float64(b[i])
		ea += float64(a[i]) * float64(a[i])
		eb += float64(b[i]) * float64(b[i])
	}
	return cross / math.Sqrt(ea*eb+1)
}

// TestAudioClicks: the samples of a tone of 300 Hz are at most 10000*2*pi*300/48000 = 393
// apart, and coding noise. Whatever is done to it must leave no greater step.
func TestAudioClicks(t *testing.T) {
	const limit = 393 * 3 / 2
	packets := encode(t, sine(300, 20), media.AudioConfig{BitRate: 64000, Loss: 0.1})
	for _, tt := range []struct {
		name  string
		extra time.Duration
		net   network
	}{
		{"perfect", 0, perfect},
		{"lengthened, then shortened", 200 * ms, perfect},
		{"one lost of 50", 0, func(i int) (time.Duration, bool) { return 0, i%50 != 49 }},
		{"six lost of 100", 0, func(i int) (time.Duration, bool) { return 0, i%100 < 94 }},
		{"thirty lost of 100", 0, func(i int) (time.Duration, bool) { return 0, i%100 < 70 }},
		{"four seconds lost", 0, func(i int) (time.Duration, bool) { return 0, i < 400 || i > 600 }},
		{"held up, then shortened", 0, func(i int) (time.Duration, bool) {
			if i%400 >= 100 && i%400 < 110 {
				return time.Duration(110-i%400) * 20 * ms, true
			}
			return 0, true
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := opusReceiver(t)
			h := simulate(r, packets, tt.net, func(at time.Duration) {
				if at > 2*time.Second && at < 10*time.Second {
					r.SetExtraDelay(tt.extra)
				} else {
					r.SetExtraDelay(0)
				}
			})
			got := jump(h.pcm)
			t.Logf("greatest step %d; shrunk %d, stretched %d, concealed %d samples", got, h.stats.Shrunk, h.stats.Stretched, h.stats.Concealed)
			if got > limit {
				t.Errorf("greatest step between samples %d, want at most %d", got, limit)
			}
		})
	}
}
