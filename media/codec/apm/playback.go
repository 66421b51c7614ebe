package apm

import (
	"sync"

	"parley/media"
)

const (
	// playbackSize is how many samples of the speaker wait for the microphone: 320 ms. When
	// one more block comes, the oldest goes, and is counted.
	playbackSize = 32 * media.BlockSamples
	// playbackCheck, in blocks, is how long more than needed has to wait before it goes: 2 s.
	playbackCheck = 200
)

// playback hands what the speaker plays to the microphone's side, a block for a block. The
// two ask in their own rhythm: what is not there yet is silence, and from then on everything
// comes a block later; what always waits goes, and everything comes earlier again. take says
// how many blocks that makes, for the echo is found where it was before.
type playback struct {
	mu      sync.Mutex
	ring    [playbackSize]int16
	start   int // of what waits
	length  int
	playing bool // a block came, and since then take found none fewer than playbackCheck times
	missed  int  // blocks in a row
	least   int  // samples left by take since checked
	checked int  // blocks
	shift   int  // blocks that were dropped and take has not told
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

// take writes the next samples to dst, at most a block and a few. heard is false when the
// speaker is off or has been forgotten; dst is silence then. shift is positive when from this
// block on everything comes earlier than before, by so many blocks.
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
