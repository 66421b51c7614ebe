//go:build !noapm

package apm

import (
	"fmt"
	"math"
	"testing"

	"parley/media"
)

// aec3 is WebRTC's canceller alone, as a media.AudioProcessor.
type aec3 struct {
	media.AudioProcessor
	apm *apm
}

func openAEC3(t testing.TB) media.AudioProcessor {
	t.Helper()
	a, err := newAPM()
	if err == nil {
		err = a.cancelEcho()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.close)
	return aec3{apm: a}
}

func (p aec3) Played(pcm []int16) error {
	mono := make([]int16, len(pcm)/media.SpeakerChannels)
	for i := range mono {
		mono[i] = pcm[media.SpeakerChannels*i]
	}
	return p.apm.far(mono)
}

func (p aec3) Process(pcm []int16) (media.Voice, error) { return p.apm.process(pcm) }

// cancellers are those that are in this build.
func cancellers() map[string]func(testing.TB) media.AudioProcessor {
	all := map[string]func(testing.TB) media.AudioProcessor{
		"ours": func(t testing.TB) media.AudioProcessor {
			return openProcessor(t, media.AudioProcessing{Echo: true})
		},
	}
	if hasAEC3 {
		all["AEC3"] = openAEC3
	}
	return all
}

// smallSpeaker is x through a loudspeaker of a laptop that is turned up: nothing below 400 Hz, and peaks
// that are rounded at the given level, of full scale.
func smallSpeaker(x []float64, peak float64) []float64 {
	out := make([]float64, len(x))
	a := math.Exp(-2 * math.Pi * 400 / media.SampleRate)
	var low, low2 float64
	for i, v := range x {
		low = a*low + (1-a)*v
		v -= low
		low2 = a*low2 + (1-a)*v
		v -= low2
		out[i] = peak * 32768 * math.Tanh(v/(peak*32768))
	}
	return out
}

// scene is somebody far away who speaks for 14 s, and somebody here who speaks from the eighth second on.
type scene struct {
	name       string
	ms         int
	drift      float64
	distortion float64 // where the loudspeaker's peaks are rounded, of full scale; 0 is a perfect one
	moved      bool    // after 5 s the echo takes another way
	quieter    float64 // how much less loud the echo is than the voices, in dB
}

func scenes() []scene {
	var all []scene
	for _, ms := range []int{20, 60, 120, 200} {
		all = append(all, scene{name: fmt.Sprintf("%d ms", ms), ms: ms})
	}
	for _, drift := range []float64{100e-6, -100e-6} {
		all = append(all, scene{name: fmt.Sprintf("60 ms, %+.0f ppm", drift*1e6), ms: 60, drift: drift})
	}
	return append(all,
		scene{name: "60 ms, some distortion", ms: 60, distortion: 0.2},
		scene{name: "60 ms, much distortion", ms: 60, distortion: 0.07},
		scene{name: "120 ms, much distortion, +100 ppm", ms: 120, distortion: 0.07, drift: 100e-6},
		scene{name: "40 ms, then another way", ms: 40, moved: true},
		scene{name: "60 ms, 12 dB quieter", ms: 60, quieter: 12},
		scene{name: "60 ms, much distortion, 12 dB quieter", ms: 60, distortion: 0.07, quieter: 12},
		scene{name: "40 ms, then another way, 12 dB quieter", ms: 40, moved: true, quieter: 12},
	)
}

// sounds is what is played, and what of it the microphone hears.
func (s scene) sounds(t testing.TB, n int) (far, echo []float64) {
	far = farSpeech(t, n)
	played := far
	if s.distortion > 0 {
		played = smallSpeaker(far, s.distortion)
	}
	echo = echoOf(played, s.ms, s.drift)
	if s.moved {
		after := convolved(delayed(far, (s.ms+30)*media.SampleRate/1000), room(4, 1))
		echo = append(echo[:5*second:5*second], after[5*second:]...)
	}
	for i := range echo {
		echo[i] *= math.Pow(10, -s.quieter/20)
	}
	return far, echo
}

// TestEchoCancellersCompared prints docs/decisions/echo.md's table, of the cancellers that are in this
// build: how much quieter the echo is from the eighth second on, and in the worst of these seconds; then,
// with somebody speaking here, how much their voice is changed. Any of them that does not cancel at all is
// not used as it should be.
func TestEchoCancellersCompared(t *testing.T) {
	skipShort(t)
	const n = 14 * second
	talk := make([]float64, n)
	copy(talk[8*second:], nearSpeech(t, n)[8*second:])
	hiss := noise(9, n, -70)
	for name, open := range cancellers() {
		for _, s := range scenes() {
			t.Run(name+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				far, echo := s.sounds(t, n)
				out := process(t, open(t), far, added(echo, hiss), s.drift)
				whole, least := suppressed(echo, out, 8*second)
				early, _ := suppressed(echo[:3*second], out[:3*second], second)
				both := process(t, open(t), far, added(echo, hiss, talk), s.drift)
				kept := db(energy(both[9*second:]) / energy(talk[9*second:]))
				same := 0.0
				for lag := 0; lag < 1000; lag += 4 {
					same = max(same, likeness(talk[9*second:n-second], both[9*second+lag:]))
				}
				t.Logf("RESULT | %s | %s | %.1f | %.1f | %.1f | %+.1f | %.3f |", s.name, name, early, whole, least, kept, same)
				if whole < 5 {
					t.Errorf("echo %.1f dB quieter, want 5", whole)
				}
			})
		}
	}
}

// TestVoiceAlone: while nothing is played, a voice passes as it is.
func TestVoiceAlone(t *testing.T) {
	skipShort(t)
	for name, open := range cancellers() {
		talk := nearSpeech(t, 4*second)
		out := process(t, open(t), make([]float64, len(talk)), added(talk, noise(9, len(talk), -70)), 0)
		same := 0.0
		for lag := range 1000 {
			same = max(same, likeness(talk[second:3*second], out[second+lag:]))
		}
		kept := db(energy(out[second:]) / energy(talk[second:]))
		t.Logf("%s: %+.1f dB, correlation %.3f", name, kept, same)
		if math.Abs(kept) > 1 || same < 0.9 {
			t.Errorf("%s: a voice alone becomes %+.1f dB, correlation %.3f; want 1 and 0.9", name, kept, same)
		}
	}
}

// BenchmarkEchoCancellers prints what 10 ms of sound cost.
func BenchmarkEchoCancellers(b *testing.B) {
	far, near := farSpeech(b, 4*second), nearSpeech(b, 4*second)
	f, m := stereo(pcm16(far)), pcm16(added(echoOf(far, 60, 0), near))
	for name, open := range cancellers() {
		b.Run(name, func(b *testing.B) {
			p := open(b)
			block := make([]int16, media.BlockSamples)
			for i := 0; b.Loop(); i++ {
				at := i % (len(m) / media.BlockSamples) * media.BlockSamples
				_ = p.Played(f[2*at : 2*at+2*media.BlockSamples])
				copy(block, m[at:])
				if _, err := p.Process(block); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
