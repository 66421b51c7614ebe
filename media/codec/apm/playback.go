package apm

import (
	"sync"

	"parley/media"
)

const (
	// playbackSize is the size of the queue in samples, 320 ms. When it is full the oldest block is
	// dropped and counted.
	playbackSize = 32 * media.BlockSamples
	// playbackCheck is how many blocks a surplus must persist before it is dropped: 2 s.
	playbackCheck = 200
)

// playback queues what the speaker plays until the microphone's side takes it, block for block. The two
// run on clocks of their own. When the queue is empty, take returns silence, and all later sound is a block
// later; when a surplus persists it is dropped, and all later sound is earlier. take returns that shift, so
// that the canceller can move its filter.
type playback struct {
	mu      sync.Mutex
	ring    [playbackSize]int16
	start   int // of what waits
	length  int
	playing bool // the speaker runs: take has not found the queue empty playbackCheck times in a row
	missed  int  // blocks in a row
	least   int  // samples left by take since checked
	checked int  // blocks
	shift   int  // dropped blocks that take has not reported
	late    uint64
	dropped uint64
}

// put takes a block of the speaker, mixed down.
func (r *playback) put(pcm []int16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.playing, r.missed = true, 0
	if r.length+media.BlockSamples > playbackSize {
		r.drop(1)
	}
	for i := range media.BlockSamples {
		sum := 0
		for _, v := range pcm[i*media.SpeakerChannels : (i+1)*media.SpeakerChannels] {
			sum += int(v)
		}
		r.ring[(r.start+r.length+i)%playbackSize] = int16(sum / media.SpeakerChannels)
	}
	r.length += media.BlockSamples
}

func (r *playback) drop(blocks int) {
	n := blocks * media.BlockSamples
	r.start, r.length = (r.start+n)%playbackSize, r.length-n
	r.shift += blocks
	r.dropped += uint64(blocks)
}

// take writes the next samples to dst, at most a block and a few. heard is false, and dst silence, while
// the speaker is off. From this block on, sound is shift blocks earlier than before.
func (r *playback) take(dst []int16) (shift int, heard bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	shift, r.shift = r.shift, 0
	if r.length < len(dst) {
		clear(dst)
		if r.missed++; r.missed > playbackCheck {
			r.playing = false
		}
		if r.playing {
			r.late++
			shift--
		}
		return shift, r.playing
	}
	n := copy(dst, r.ring[r.start:min(r.start+len(dst), playbackSize)])
	copy(dst[n:], r.ring[:])
	r.start, r.length = (r.start+len(dst))%playbackSize, r.length-len(dst)
	r.least = min(r.least, r.length)
	if r.checked++; r.checked >= playbackCheck {
		if spare := r.least / media.BlockSamples; spare > 0 {
			r.drop(spare)
		}
		r.least, r.checked = r.length, 0
	}
	return shift, true
}

func (r *playback) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.start, r.length, r.playing, r.missed = 0, 0, false, 0
	r.least, r.checked, r.shift = 0, 0, 0
}
