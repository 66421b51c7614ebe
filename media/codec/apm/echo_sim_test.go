package apm

import (
	"encoding/binary"
	"math"
	"math/cmplx"
	"math/rand/v2"
	"os/exec"
	"sync"
	"testing"

	"parley/media"
)

var spoken sync.Map // voice and text -> []float64

// speech is text as espeak-ng says it, at 48 kHz and -23 dBFS while it speaks.
func speech(t testing.TB, voice, text string) []float64 {
	t.Helper()
	if s, ok := spoken.Load(voice + text); ok {
		return s.([]float64)
	}
	wav, err := exec.Command("espeak-ng", "-v", voice, "-s", "150", "--stdout", text).Output()
	if err != nil {
		t.Fatalf("espeak-ng, which scripts/setup --test installs: %v", err)
	}
	const header = 44
	rate := float64(binary.LittleEndian.Uint32(wav[24:]))
	in := make([]float64, (len(wav)-header)/2)
	for i := range in {
		in[i] = float64(int16(binary.LittleEndian.Uint16(wav[header+2*i:])))
	}
	out := resampled(in, rate/media.SampleRate)
	gain := math.Pow(10, -23.0/20) * 32768 / activeRMS(out)
	for i := range out {
		out[i] *= gain
	}
	spoken.Store(voice+text, out)
	return out
}

// resampled reads in with the given step, through a windowed sinc of 32 taps.
func resampled(in []float64, step float64) []float64 {
	const half = 16
	out := make([]float64, int(float64(len(in))/step))
	for i := range out {
		pos := float64(i) * step
		n := int(pos)
		var sum float64
		for k := n - half + 1; k <= n+half; k++ {
			if k < 0 || k >= len(in) {
				continue
			}
			x := pos - float64(k)
			w := 0.5 + 0.5*math.Cos(math.Pi*x/half)
			if x != 0 {
				w *= math.Sin(math.Pi*x) / (math.Pi * x)
			}
			sum += in[k] * w
		}
		out[i] = sum
	}
	return out
}

// activeRMS is the level of the blocks within 30 dB of the loudest.
func activeRMS(x []float64) float64 {
	var energies []float64
	top := 0.0
	for i := 0; i+media.BlockSamples <= len(x); i += media.BlockSamples {
		e := energy(x[i : i+media.BlockSamples])
		energies, top = append(energies, e), max(top, e)
	}
	sum, n := 0.0, 0
	for _, e := range energies {
		if e > top/1000 {
			sum, n = sum+e, n+1
		}
	}
	return math.Sqrt(sum / float64(n*media.BlockSamples))
}

func energy(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	return sum
}

// room is the impulse response of a room with a reverberation time of 0.3 s: the direct
// sound and noise that decays by 60 dB in that time. All of it has the given gain.
func room(seed uint64, gain float64) []float64 {
	const rt60 = 0.3
	rng := rand.New(rand.NewPCG(seed, 1))
	h := make([]float64, int(rt60*media.SampleRate))
	for i := range h {
		h[i] = rng.NormFloat64() * math.Pow(10, -3*float64(i)/float64(len(h)))
	}
	h[0] = 0
	scale := 1 / math.Sqrt(energy(h))
	for i := range h {
		h[i] *= scale // reverberation as strong as the direct sound
	}
	h[0] = 1
	// Loudspeakers of this kind begin at 150 Hz.
	scale = gain / math.Sqrt(energy(h))
	for i := range h {
		h[i] *= scale
	}
	return h
}

// convolved is x through h, as long as x.
func convolved(x, h []float64) []float64 {
	n := 1
	for n < 2*len(h) {
		n *= 2
	}
	step := n - len(h) + 1
	fh := make([]complex128, n)
	for i, v := range h {
		fh[i] = complex(v, 0)
	}
	fft(fh, false)
	out := make([]float64, len(x))
	buf := make([]complex128, n)
	for at := 0; at < len(x); at += step {
		clear(buf)
		for i := at; i < min(at+step, len(x)); i++ {
			buf[i-at] = complex(x[i], 0)
		}
		fft(buf, false)
		for i := range buf {
			buf[i] *= fh[i]
		}
		fft(buf, true)
		for i := at; i < min(at+n, len(x)); i++ {
			out[i] += real(buf[i-at]) / float64(n)
		}
	}
	return out
}

// fft transforms in place; the length is a power of two.
func fft(x []complex128, inverse bool) {
	n := len(x)
	for i, j := 1, 0; i < n; i++ {
		bit := n >> 1
		for ; j&bit != 0; bit >>= 1 {
			j ^= bit
		}
		if j ^= bit; i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	for size := 2; size <= n; size *= 2 {
		angle := -2 * math.Pi / float64(size)
		if inverse {
			angle = -angle
		}
		w := cmplx.Rect(1, angle)
		for at := 0; at < n; at += size {
			u := complex(1, 0)
			for i := at; i < at+size/2; i++ {
				a, b := x[i], x[i+size/2]*u
				x[i], x[i+size/2] = a+b, a-b
				u *= w
			}
		}
	}
}

func delayed(x []float64, samples int) []float64 {
	out := make([]float64, len(x))
	if samples < len(x) {
		copy(out[samples:], x)
	}
	return out
}

// looped repeats what is joined with pauses until it is n samples long.
func looped(n int, parts ...[]float64) []float64 {
	out := make([]float64, 0, n)
	for i := 0; len(out) < n; i++ {
		out = append(out, parts[i%len(parts)]...)
		out = append(out, make([]float64, media.SampleRate/5)...)
	}
	return out[:n]
}

func noise(seed uint64, n int, dbfs float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 2))
	out := make([]float64, n)
	for i := range out {
		out[i] = rng.NormFloat64() * math.Pow(10, dbfs/20) * 32768
	}
	return out
}

func added(xs ...[]float64) []float64 {
	out := make([]float64, len(xs[0]))
	for _, x := range xs {
		for i := range out {
			if i < len(x) {
				out[i] += x[i]
			}
		}
	}
	return out
}

func pcm16(x []float64) []int16 {
	out := make([]int16, len(x))
	for i, v := range x {
		out[i] = int16(math.Round(min(max(v, -32768), 32767)))
	}
	return out
}

func floats(x []int16) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

func db(ratio float64) float64 { return 10 * math.Log10(ratio) }

func farSpeech(t testing.TB, n int) []float64 {
	return looped(n,
		speech(t, "en-gb+f3", "Good morning, everyone. Shall we begin? I have read your notes on the harbour, and there are three things to talk about before lunch."),
		speech(t, "en-gb-scotland+m7", "Yes, they called me last night. Seven of them are coming, and they are bringing their own instruments. We should find a larger room for all of us."))
}

func nearSpeech(t testing.TB, n int) []float64 {
	return looped(n,
		speech(t, "en-us+m3", "Thank you. The weather has changed since yesterday, so the boats will leave an hour later. Has anybody heard from the people on the northern island?"))
}
