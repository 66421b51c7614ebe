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
	// maxVolume is how much a voice can be amplified: 12 dB.
	maxVolume = 4
	// mixerSounds is how many short sounds play at a time; when one more comes, the
	// oldest ends, and is counted.
	mixerSounds = 4
	// limitAbove is the level up to which sound passes unchanged: -1.9 dBFS.
	limitAbove = 0.8 * math.MaxInt16
	// limitAttack is how fast, in samples, the limiter gives way to a peak: 1 ms.
	limitAttack = samplesPerMs
	// limitRelease is how much of the way back to full volume it goes in 10 ms: half of
	// it in 140 ms.
	limitRelease = 0.05
)

// Mixer adds up all remote voices and the window's short sounds into what the speaker
// plays. Our own voice is never added. Its methods may be called from any goroutine.
type Mixer struct {
	changeMu sync.Mutex
	sources  atomic.Pointer[[]*mixerSource] // copied on change
	replaced atomic.Uint64

	soundMu sync.Mutex
	sounds  [][]int16 // what is left of each

	fillMu sync.Mutex                                        // while speakers change, two may ask
	voice  [media.BlockSamples * media.SpeakerChannels]int16 // of one source
	sum    [media.BlockSamples * media.SpeakerChannels]float32
	limit  float32 // gain of the limiter at the end of the last block
}

// mixerSource is one voice with its volume.
type mixerSource struct {
	id       string
	receiver *AudioReceiver
	volume   atomic.Uint32 // math.Float32bits
	muted    atomic.Bool
	gain     float32 // at the end of the last block; belongs to Fill
}

// NewMixer returns a mixer without sources.
func NewMixer() *Mixer {
	m := &Mixer{limit: 1, sounds: make([][]int16, 0, mixerSounds)}
	m.sources.Store(new([]*mixerSource))
	return m
}

// Add has r heard, at full volume. It replaces a source with the same id.
func (m *Mixer) Add(id string, r *AudioReceiver) {
	s := &mixerSource{id: id, receiver: r, gain: 1}
	s.volume.Store(math.Float32bits(1))
	m.change(func(all []*mixerSource) []*mixerSource {
		return append(slices.DeleteFunc(all, func(o *mixerSource) bool { return o.id == id }), s)
	})
}

// Remove ends a source. A Fill that is under way may still read from its receiver.
func (m *Mixer) Remove(id string) {
	m.change(func(all []*mixerSource) []*mixerSource {
		return slices.DeleteFunc(all, func(o *mixerSource) bool { return o.id == id })
	})
}

// SetVolume amplifies a source by v, 0 to 4; 1 is as it comes.
func (m *Mixer) SetVolume(id string, v float64) {
	if s := m.find(id); s != nil && !math.IsNaN(v) {
		s.volume.Store(math.Float32bits(float32(min(max(v, 0), maxVolume))))
	}
}

// SetMuted silences a source for us alone; it goes on being received.
func (m *Mixer) SetMuted(id string, muted bool) {
	if s := m.find(id); s != nil {
		s.muted.Store(muted)
	}
}

// Play mixes in a short sound of SpeakerChannels interleaved channels, which must not be
// written to any more.
func (m *Mixer) Play(pcm []int16) {
	m.soundMu.Lock()
	defer m.soundMu.Unlock()
	if len(m.sounds) == mixerSounds {
		m.sounds = slices.Delete(m.sounds, 0, 1)
		m.replaced.Add(1)
	}
	m.sounds = append(m.sounds, pcm[:len(pcm)/media.SpeakerChannels*media.SpeakerChannels])
}

// Replaced counts the sounds that ended early because too many played.
func (m *Mixer) Replaced() uint64 { return m.replaced.Load() }

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
	m.addSounds()
	m.limitTo(pcm)
}

// addVoice adds a source's next block to the sum, the volume gliding to what was asked for.
func (m *Mixer) addVoice(s *mixerSource, at time.Time) {
	gain := math.Float32frombits(s.volume.Load())
	if s.muted.Load() {
		gain = 0
	}
	from := s.gain
	s.gain = gain
	// A source that is not heard is read all the same: its queue must move on.
	channels := s.receiver.Channels()
	pcm := m.voice[:media.BlockSamples*channels]
	if !s.receiver.Read(pcm, at) || from == 0 && gain == 0 {
		return
	}
	step := (gain - from) / media.BlockSamples
	for i := range media.BlockSamples {
		from += step
		m.sum[2*i] += float32(pcm[i*channels]) * from
		m.sum[2*i+1] += float32(pcm[(i+1)*channels-1]) * from
	}
}

func (m *Mixer) addSounds() {
	m.soundMu.Lock()
	defer m.soundMu.Unlock()
	for i, sound := range m.sounds {
		n := min(len(sound), len(m.sum))
		for j, v := range sound[:n] {
			m.sum[j] += float32(v)
		}
		m.sounds[i] = sound[n:]
	}
	m.sounds = slices.DeleteFunc(m.sounds, func(s []int16) bool { return len(s) == 0 })
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

func (m *Mixer) change(f func([]*mixerSource) []*mixerSource) {
	m.changeMu.Lock()
	defer m.changeMu.Unlock()
	all := f(slices.Clone(*m.sources.Load()))
	m.sources.Store(&all)
}

func (m *Mixer) find(id string) *mixerSource {
	for _, s := range *m.sources.Load() {
		if s.id == id {
			return s
		}
	}
	return nil
}
