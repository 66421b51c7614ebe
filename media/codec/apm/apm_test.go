//go:build !noapm

package apm

import (
	"math"
	"testing"

	"parley/media"
)

// TestNoise: hiss goes down by 12 dB, and speech keeps its level.
func TestNoise(t *testing.T) {
	skipShort(t)
	const n = 12 * second
	hiss, talk := noise(5, n, -45), make([]float64, n)
	copy(talk[6*second:], nearSpeech(t, n)[6*second:])
	in := added(hiss, talk)
	out := process(t, openProcessor(t, media.AudioProcessing{Noise: true}), nil, in, 0)
	less := db(energy(hiss[3*second:6*second]) / energy(out[3*second:6*second]))
	kept := 20 * math.Log10(activeRMS(out[7*second:])/activeRMS(talk[7*second:]))
	t.Logf("noise %.1f dB quieter, speech %+.1f dB", less, kept)
	if less < 12 || math.Abs(kept) > 3 {
		t.Errorf("noise %.1f dB quieter, speech %+.1f dB; want 12 and within 3", less, kept)
	}
}

// TestGain: a voice of -40 dBFS comes up, and the hiss of an empty room does not.
func TestGain(t *testing.T) {
	skipShort(t)
	const n = 20 * second
	talk := nearSpeech(t, n)
	scale := math.Pow(10, -40.0/20) * 32768 / activeRMS(talk)
	for i := range talk {
		talk[i] *= scale
	}
	out := process(t, openProcessor(t, everything), nil, added(talk, noise(6, n, -75)), 0)
	level := 20 * math.Log10(activeRMS(out[10*second:])/32768)
	hiss := noise(7, n, -70)
	quiet := process(t, openProcessor(t, everything), nil, hiss, 0)
	blown := db(energy(quiet[10*second:]) / energy(hiss[10*second:]))
	t.Logf("a voice of -40 dBFS comes at %.1f, a silent room %+.1f dB", level, blown)
	if level < -30 || level > -12 {
		t.Errorf("a voice of -40 dBFS comes at %.1f", level)
	}
	if blown > 3 {
		t.Errorf("a silent room comes %+.1f dB louder", blown)
	}
}

func TestVoiceActivity(t *testing.T) {
	p := openProcessor(t, everything)
	share := func(in []float64) float64 {
		present, all := 0, 0
		for m := pcm16(in); len(m) >= media.BlockSamples; m = m[media.BlockSamples:] {
			v, err := p.Process(m[:media.BlockSamples])
			if err != nil {
				t.Fatal(err)
			}
			if all++; v == media.VoicePresent {
				present++
			}
		}
		return float64(present) / float64(all)
	}
	quiet, talk := share(noise(3, 3*second, -60)), share(nearSpeech(t, 4*second))
	t.Logf("%.0f%% of noise and %.0f%% of speech are voice", 100*quiet, 100*talk)
	if quiet > 0.2 || talk < 0.6 {
		t.Errorf("%.0f%% of noise and %.0f%% of speech are voice", 100*quiet, 100*talk)
	}
}
