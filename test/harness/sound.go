package harness

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"slices"
	"testing"

	"parley/media"
)

// SoundRate is the sample rate for comparisons. The energy of speech is below 4 kHz.
const SoundRate = 8000

// preEmphasis lifts frequencies above a voice's pitch, which carry speech. The high-pass of the sound processing shifts
// the phase of those below.
const preEmphasis = 0.95

// Mono8k turns 16-bit PCM into one channel at SoundRate, by averaging, with pre-emphasis.
func Mono8k(pcm []byte, channels int) []float32 {
	const step = media.SampleRate / SoundRate
	n := len(pcm) / 2 / channels / step
	out := make([]float32, n)
	var before float32
	for i := range out {
		var sum float32
		for j := range step * channels {
			sum += float32(int16(binary.LittleEndian.Uint16(pcm[2*(i*step*channels+j):])))
		}
		mean := sum / step / float32(channels)
		out[i], before = mean-preEmphasis*before, mean
	}
	return out
}

// ReadVoice reads a .wav file of 48 kHz and 16 bit written by scripts/material or Parley.
func ReadVoice(t testing.TB, path string, channels int) []float32 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(b, []byte("data"))
	if i < 0 {
		t.Fatalf("%s has no sound", path)
	}
	return Mono8k(b[i+8:], channels)
}

func Energy(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum
}

// Peak returns the lag of whole within from..to at which part fits best, and the normalized cross-correlation there, from
// 0 to 1. It interpolates between samples: half a sample off, a voice correlates with itself by only 0.8.
func Peak(part, whole []float32, from, to int) (lag int, correlation float64) {
	from, to = max(from, 0), min(to, len(whole)-len(part))
	if from > to {
		return 0, 0
	}
	own, there := Energy(part), Energy(whole[from:from+len(part)])
	dots, best := make([]float64, to-from+1), 0.0
	for i := from; i <= to; i++ {
		var dot float32
		for j, w := range whole[i : i+len(part)] {
			dot += part[j] * w
		}
		dots[i-from] = float64(dot)
		// Below -70 dBFS there is only silence.
		if floor := 10.0 * 10 * float64(len(part)); there > floor && own > floor {
			if c := math.Abs(float64(dot)) / math.Sqrt(own*there); c > correlation {
				lag, correlation, best = i, c, math.Abs(float64(dot))
			}
		}
		if i < to {
			there += float64(whole[i+len(part)])*float64(whole[i+len(part)]) - float64(whole[i])*float64(whole[i])
		}
	}
	if best == 0 {
		return lag, 0
	}
	finest := best
	for _, f := range []float64{-0.75, -0.5, -0.25, 0.25, 0.5, 0.75} {
		finest = max(finest, math.Abs(between(dots, float64(lag-from)+f)))
	}
	return lag, min(correlation*finest/best, 1)
}

// between interpolates the samples v at x (Whittaker-Shannon, under a Hann window).
func between(v []float64, x float64) float64 {
	const reach = 16.0
	var sum float64
	for i := max(int(x-reach)+1, 0); i < min(int(x+reach), len(v)); i++ {
		d := math.Pi * (x - float64(i))
		sum += v[i] * math.Sin(d) / d * (1 + math.Cos(d/reach)) / 2
	}
	return sum
}

// Heard searches for a voice in a recording, half a second at a time. It returns the upper quartile of the best
// correlations, each within a quarter of a second of the lag of the loudest part. So it tolerates gaps from a busy machine
// and time-stretched sound.
func Heard(voice, recording []float32) float64 {
	const window = SoundRate / 2
	loudest := 0
	for i := 0; i+window <= len(voice); i += window / 2 {
		if Energy(voice[i:i+window]) > Energy(voice[loudest:loudest+window]) {
			loudest = i
		}
	}
	at, _ := Peak(voice[loudest:loudest+window], recording, 0, len(recording))
	var all []float64
	for i := 0; i+window <= len(voice); i += window {
		part := voice[i : i+window]
		want := at + i - loudest
		// Skip pauses and parts beyond the recording.
		if Energy(part) < Energy(voice)/float64(len(voice))*window/8 || want < 0 || want+window > len(recording) {
			continue
		}
		_, c := Peak(part, recording, want-SoundRate/4, want+SoundRate/4)
		all = append(all, c)
	}
	if len(all) < 3 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)*3/4]
}

// Whole is the best correlation of a whole voice with a recording, at any lag. It also finds a voice partly masked by
// another.
func Whole(voice, recording []float32) float64 {
	voice = voice[:6*SoundRate]
	_, c := Peak(voice, recording, 0, len(recording))
	return c
}

func Voice(t testing.TB, path string) []float32 { return ReadVoice(t, path, 1) }
