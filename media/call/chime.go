package call

import (
	"math"
	"sync/atomic"
	"time"

	"parley/media"
)

// The test sound is three struck notes of a C major chord. It ends with a silence longer than a speaker's
// buffer, so that the last note has been heard when it is over.
var chimeNotes = [...]float64{523.25, 659.26, 1046.5} // Hz

const (
	chimeStep   = 180 * time.Millisecond // from one note to the next
	chimeRing   = 900 * time.Millisecond // of a note
	chimeTail   = 400 * time.Millisecond
	chimePeak   = 0.16 // of full scale, for each note
	chimeAttack = 0.006
	chimeDecay  = 0.22 // seconds until a note has fallen to 1/e
)

// chimeLength is in samples of each channel.
var chimeLength = int64((chimeStep*time.Duration(len(chimeNotes)-1) + chimeRing + chimeTail) * media.SampleRate / time.Second)

// chime mixes the test sound into what a speaker plays. Call stop or start before use.
type chime struct{ at atomic.Int64 } // samples played; chimeLength when it is over

func (c *chime) start() { c.at.Store(0) }
func (c *chime) stop()  { c.at.Store(chimeLength) }

// mix adds the sound to interleaved stereo and reports whether it has just ended.
func (c *chime) mix(pcm []int16) (over bool) {
	at := c.at.Load()
	if at >= chimeLength {
		return false
	}
	n := int64(len(pcm) / media.SpeakerChannels)
	for i := range n {
		v := chimeAt(float64(at+i) / media.SampleRate)
		for ch := range int64(media.SpeakerChannels) {
			s := &pcm[i*media.SpeakerChannels+ch]
			*s = int16(max(min(float64(*s)+v, math.MaxInt16), math.MinInt16))
		}
	}
	// If start was called meanwhile, it plays again from there.
	return c.at.CompareAndSwap(at, min(at+n, chimeLength)) && at+n >= chimeLength
}

// chimeAt is the sound t seconds after its start.
func chimeAt(t float64) float64 {
	sum := 0.0
	for i, hz := range chimeNotes {
		since := t - float64(i)*chimeStep.Seconds()
		if since < 0 || since > chimeRing.Seconds() {
			continue
		}
		envelope := min(since/chimeAttack, 1) * math.Exp(-since/chimeDecay)
		// Fade out, to end without a click.
		envelope *= min((chimeRing.Seconds()-since)/0.05, 1)
		phase := 2 * math.Pi * hz * since
		sum += envelope * (math.Sin(phase) + 0.25*math.Sin(2*phase))
	}
	return sum * chimePeak * math.MaxInt16
}
