package pulse

import (
	"math/rand/v2"
	"testing"
	"time"

	"parley/media"
)

// TestAudioClock has callbacks that are up to 30 ms late, a sound card whose clock is 100 ppm slow, and a gap of a
// second.
func TestAudioClock(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var c audioClock
	heard := time.Unix(1000, 0)
	var last time.Time
	for i := range 20000 {
		heard = heard.Add(media.BlockDuration + time.Microsecond)
		if i == 10000 {
			heard = heard.Add(time.Second)
		}
		late := time.Duration(r.ExpFloat64() * float64(3*time.Millisecond))
		got := c.block(heard.Add(min(late, 30*time.Millisecond)))
		if err := got.Sub(heard); i > 500 && (err < 0 || err > 5*time.Millisecond) && (i < 10000 || i > 10500) {
			t.Fatalf("block %d: %v off", i, err)
		}
		if step := got.Sub(last); i > 500 && i != 10000 && (step < 0 || step > 15*time.Millisecond) {
			t.Fatalf("block %d comes %v after the one before", i, step)
		}
		last = got
	}
}
