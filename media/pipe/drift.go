package pipe

import (
	"time"

	"parley/media"
)

// Times of the audio path are counted in samples of 48 kHz, 64 bits wide: sums of them stay
// exact for as long as a meeting may last.
const (
	samplesPerMs = media.SampleRate / 1000
	samplesPerS  = media.SampleRate
)

// durationSamples converts without the overflow that d*SampleRate has after 53 hours.
func durationSamples(d time.Duration) int64 { return int64(d) / 125 * 6 / 1000 }

func samplesDuration(n int64) time.Duration {
	return time.Duration(n/samplesPerMs)*time.Millisecond + time.Duration(n%samplesPerMs)*time.Millisecond/samplesPerMs
}

const (
	// So many buckets back the fastest packet is remembered, of so long each. The shorter, the
	// closer the estimate follows a sender whose clock is slow (300 ppm in 5 s: 1.5 ms);
	// the longer, the surer there was a packet that met no queue.
	transitBuckets = 5
	transitBucket  = samplesPerS
	// transitJump is a delay that no network that still carries a conversation has; the
	// sender's clock was set anew.
	transitJump = samplesPerS
)

// transitTracker compares the sender's media clock with ours: it remembers the fastest
// packet of the last 5 s, so that a packet's delay can be told relative to it. Since it
// forgets, it follows two clocks that drift apart.
type transitTracker struct {
	fastest [transitBuckets]int64
	filled  [transitBuckets]bool
	bucket  int64 // number of the newest, in units of transitBucket
	base    int64 // the least of fastest
	started bool
}

// observe takes a packet's arrival and media time and returns its delay over that of the
// fastest packet. jumped tells that the two clocks have nothing to do with those before.
func (t *transitTracker) observe(arrived, timestamp int64) (delay int64, jumped bool) {
	transit := arrived - timestamp
	t.expire(arrived)
	if delay = transit - t.base; t.started && (delay > transitJump || delay < -transitJump) {
		t.started, jumped = false, true
	}
	if !t.started {
		*t = transitTracker{bucket: arrived / transitBucket, base: transit, started: true}
	}
	i := t.bucket % transitBuckets
	if !t.filled[i] || transit < t.fastest[i] {
		t.filled[i], t.fastest[i] = true, transit
	}
	t.base = min(t.base, transit)
	return transit - t.base, jumped
}

// expire forgets the packets before the window that ends now.
func (t *transitTracker) expire(now int64) {
	bucket := now / transitBucket
	if !t.started || bucket <= t.bucket {
		return // also when the clock went back: time goes on from the newest
	}
	if bucket-t.bucket >= transitBuckets {
		t.started = false
		return
	}
	for t.bucket < bucket {
		t.bucket++
		t.filled[t.bucket%transitBuckets] = false
	}
	found := false
	for i, ok := range t.filled {
		if ok && (!found || t.fastest[i] < t.base) {
			t.base, found = t.fastest[i], true
		}
	}
	t.started = found
}
