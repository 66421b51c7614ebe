package pipe

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"parley/media"
)

const (
	// limitAbove is the level up to which sound passes unchanged: -1.9 dBFS.
	limitAbove = 0.8 * math.MaxInt16
	// limitAttack is how fast, in samples, the limiter gives way to a peak: 1 ms.
	limitAttack = samplesPerMs
	// limitRelease is how much of the way back to full volume it goes in 10 ms: half of
	// it in 140 ms.
	limitRelease = 0.05
)

// Mixer adds up all remote voices into what the speaker plays. Our own voice is never added.
// Its methods may be called from any goroutine.
type Mixer struct {
	changeMu sync.Mutex
	sources  atomic.Pointer[[]*AudioReceiver] // copied on change

	fillMu sync.Mutex                                        // while speakers change, two may ask
	voice  [media.BlockSamples * media.SpeakerChannels]int16 // of one source
	sum    [media.BlockSamples * media.SpeakerChannels]float32
	limit  float32 // gain of the limiter at the end of the last block
}

// NewMixer returns a mixer without sources.
func NewMixer() *Mixer {
	m := &Mixer{limit: 1}
	m.sources.Store(new([]*AudioReceiver))
	return m
}

// Add has r heard, once however often it is added.
func (m *Mixer) Add(r *AudioReceiver) {
	m.change(func(all []*AudioReceiver) []*AudioReceiver {
		return append(slices.DeleteFunc(all, func(o *AudioReceiver) bool { return o == r }), r)
	})
}

// Remove has r heard no more. A Fill that is under way may still read from it.
func (m *Mixer) Remove(r *AudioReceiver) {
	m.change(func(all []*AudioReceiver) []*AudioReceiver {
		return slices.DeleteFunc(all, func(o *AudioReceiver) bool { return o == r })
	})
}

// Fill writes the next sound for the speaker; it is the callback of media.AudioSink.Run.
// What of pcm is no whole block of 10 ms is silence.
func (m *Mixer) Fill(pcm []int16) {
	m.fillMu.Lock()
	defer m.fillMu.Unlock()
	at := time.Now()
	for len(pcm) >= len(m.sum) {
		m.fillBlock(pcm[:len(m.sum)], at)
		pcm = pcm[len(m.sum):]
		at = at.Add(media.BlockDuration)
	}
	clear(pcm)
}

func (m *Mixer) fillBlock(pcm []int16, at time.Time) {
	clear(m.sum[:])
	for _, s := range *m.sources.Load() {
		m.addVoice(s, at)
	}
	m.limitTo(pcm)
}

// addVoice adds a source's next block to the sum.
func (m *Mixer) addVoice(r *AudioReceiver, at time.Time) {
	channels := r.Channels()
	pcm := m.voice[:media.BlockSamples*channels]
	if !r.Read(pcm, at) {
		return
	}
	for i := range media.BlockSamples {
		m.sum[2*i] += float32(pcm[i*channels])
		m.sum[2*i+1] += float32(pcm[(i+1)*channels-1])
	}
}

// limitTo writes the sum to pcm. Volume goes down within 1 ms where voices add up to more
// than fits, and comes back slowly; what peaks during that millisecond is bent, not cut.
func (m *Mixer) limitTo(pcm []int16) {
	var peak float32
	for _, v := range m.sum {
		peak = max(peak, v, -v)
	}
	gain := min(m.limit+(1-m.limit)*limitRelease, 1)
	if gain > 0.999 {
		gain = 1
	}
	if peak*gain > limitAbove {
		gain = limitAbove / peak
	}
	from, length := m.limit, media.BlockSamples
	if gain < from {
		length = limitAttack
	}
	m.limit = gain
	step := (gain - from) / float32(length)
	for i := range media.BlockSamples {
		if from = gain; i < length {
			from = gain - step*float32(length-1-i)
		}
		pcm[2*i] = bend(m.sum[2*i] * from)
		pcm[2*i+1] = bend(m.sum[2*i+1] * from)
	}
}

// bend is the identity up to limitAbove and stays below full scale from there.
func bend(v float32) int16 {
	const room = math.MaxInt16 - limitAbove
	switch {
	case v > limitAbove:
		over := v - limitAbove
		return int16(limitAbove + room*over/(room+over))
	case v < -limitAbove:
		over := -v - limitAbove
		return int16(-limitAbove - room*over/(room+over))
	}
	return int16(v)
}

func (m *Mixer) change(f func([]*AudioReceiver) []*AudioReceiver) {
	m.changeMu.Lock()
	defer m.changeMu.Unlock()
	all := f(slices.Clone(*m.sources.Load()))
	m.sources.Store(&all)
}
