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

// hum is a room's noise, steady at that level in dBFS.
func hum(seconds, level float64) []int16 {
	pcm := make([]int16, int(seconds*media.SampleRate))
	rng := rand.New(rand.NewPCG(5, 6))
	loud := 32768 * math.Pow(10, level/20)
	low := 0.0
	for i := range pcm {
		low += 0.2 * (rng.NormFloat64() - low)
		pcm[i] = int16(math.Round(3 * loud * low)) // the low-pass leaves a third
	}
	return pcm
}

// TestAudioComfortNoise: while nobody speaks, the room's hum goes on, hardly louder or quieter
// from one moment to the next, with loss too; and nothing is heard of who is muted.
func TestAudioComfortNoise(t *testing.T) {
	for _, loss := range []float64{0, 0.2} {
		room := hum(20, -60)
		copy(room, voice(3))
		packets := repeat(encode(t, room, media.AudioConfig{BitRate: 40000, DTX: true}), 2)
		if len(packets) > 600 {
			t.Fatalf("%d packets for 17 s of hum: this is no DTX", len(packets))
		}
		rng := rand.New(rand.NewPCG(3, 4))
		h := simulate(redReceiver(t), packets, func(i int) (time.Duration, bool) { return 0, i < 150 || rng.Float64() >= loss })
		var least, most float64 = 0, media.LevelFloor
		for at := 5 * media.SampleRate; at+media.SampleRate/5 < len(h.pcm); at += media.SampleRate / 5 {
			l := media.Level(h.pcm[at : at+media.SampleRate/5])
			least, most = min(least, l), max(most, l)
		}
		t.Logf("%.0f%% loss: %.1f to %.1f dBFS in the silence, of a room of %.1f", 100*loss, least, most, media.Level(room[5*media.SampleRate:]))
		if least < -72 || most > -54 {
			t.Errorf("%.0f%% loss: the silence has %.0f to %.0f dBFS", 100*loss, least, most)
		}
	}
}

// TestAudioClicksOfSpeech: under jitter that comes and goes, the delay follows it and no step
// between samples is greater than speech has of its own.
func TestAudioClicksOfSpeech(t *testing.T) {
	speech := voice(40)
	packets := repeat(encode(t, speech, media.AudioConfig{BitRate: 64000}), 2)
	rng := rand.New(rand.NewPCG(3, 4))
	h := simulate(redReceiver(t), packets, func(i int) (time.Duration, bool) {
		if i/250%2 == 1 {
			return time.Duration(rng.Float64() * float64(100*ms)), rng.Float64() > 0.05
		}
		return 0, true
	})
	own, got := jump(speech), jump(h.pcm)
	t.Logf("greatest step %d, of the speech itself %d; shrunk %d, stretched %d, concealed %d samples",
		got, own, h.stats.Shrunk, h.stats.Stretched, h.stats.Concealed)
	if got > own*3/2 {
		t.Errorf("greatest step %d, of the speech itself %d", got, own)
	}
	if h.stats.Shrunk == 0 || h.stats.Stretched == 0 {
		t.Error("the delay did not follow")
	}
}
