package pipe

import (
	"math"
	"testing"

	"parley/media"
)

// TestStretch: a packet grows or shrinks by a period of its own, within the limit, and in the
// middle of the seam the sound is as loud and as smooth as before.
func TestStretch(t *testing.T) {
	for _, hz := range [][]float64{{90}, {150}, {300}, {233, 349.5}, {300, 437}} {
		x := make([]int16, media.PacketSamples, media.PacketSamples+maxPeriod)
		for i := range x {
			for _, f := range hz {
				x[i] += int16(8000 * math.Sin(2*math.Pi*f*float64(i)/media.SampleRate))
			}
		}
		original := append([]int16(nil), x...)
		for _, limit := range []int{130, 500, 720} {
			for name, f := range map[string]func([]int16, int, float64) []int16{
				"shorten":  (&stretcher{channels: 1}).shorten,
				"lengthen": (&stretcher{channels: 1}).lengthen,
			} {
				copy(x, original)
				y := f(x, limit, 0.9)
				change := len(y) - len(x)
				if name == "shorten" {
					change = -change
				}
				if change != 0 && (change < minPeriod || change > limit) {
					t.Fatalf("%s %v by %d samples, limit %d", name, hz, change, limit)
				}
				if limit == maxPeriod && change == 0 {
					t.Errorf("%s %v: found no period", name, hz)
				}
				if was, is := steepest(original), steepest(y); is > was*5/4 {
					t.Errorf("%s %v by %d: step of %d, before %d", name, hz, change, is, was)
				}
				if len(hz) == 1 {
					checkLoudness(t, name, y, media.Level(original))
				}
			}
		}
	}
}

// checkLoudness looks at windows of 11.1 ms: whole periods of 90 Hz, nearly of the others.
func checkLoudness(t *testing.T, name string, y []int16, want float64) {
	t.Helper()
	const window = 533
	for i := 0; i+window <= len(y); i += 60 {
		if got := media.Level(y[i : i+window]); math.Abs(got-want) > 0.8 {
			t.Fatalf("%s: %.1f dBFS at sample %d, %.1f expected", name, got, i, want)
		}
	}
}

func steepest(x []int16) (most int) {
	for i := 1; i < len(x); i++ {
		d := int(x[i]) - int(x[i-1])
		most = max(most, d, -d)
	}
	return most
}

// TestStretchRefuses: what has no period stays as it is, unless nobody would hear the cut.
func TestStretchRefuses(t *testing.T) {
	s := stretcher{channels: 1}
	seed := uint32(1)
	x := make([]int16, media.PacketSamples, media.PacketSamples+maxPeriod)
	noise := func(loud int32) []int16 {
		for i := range x {
			seed = seed*1664525 + 1013904223
			x[i] = int16(int32(seed>>16) % loud)
		}
		return x
	}
	if y := s.shorten(noise(20000), 500, 0.9); len(y) != len(x) {
		t.Errorf("noise was cut by %d samples", len(x)-len(y))
	}
	if y := s.lengthen(noise(50), 500, 0.9); len(y) != len(x)+500 {
		t.Errorf("quiet noise was lengthened by %d samples, want 500", len(y)-len(x))
	}
	for _, short := range []int{0, 10, fadeLength, fadeLength + minPeriod - 1} {
		if y := s.shorten(x[:short], 500, -1); len(y) != short {
			t.Errorf("%d samples were cut to %d", short, len(y))
		}
	}
}
