package pipe

import (
	"math"
	"time"

	"parley/media"
)

const (
	// Made-up sound in place of lost packets is believable for 100 ms, then fades.
	concealFor  = 100 * samplesPerMs
	concealFade = 100 * samplesPerMs
	// Encoders refresh the noise of a silence every 400 ms, and two refreshes in a row may
	// be lost; when they stay away for longer, the microphone is muted, and the noise fades.
	noiseFor  = 1300 * samplesPerMs
	noiseFade = 200 * samplesPerMs
	// resumeFade is how fast sound comes back after it had faded.
	resumeFade = 5 * samplesPerMs
	// catchUp is how far above its target the delay may be for stretching to bring it
	// down; beyond, packets are dropped, and counted.
	catchUp = 500 * samplesPerMs
	// implausible is a delay that comes from a clock that was set anew.
	implausible = 2 * samplesPerS
)

// playMode is what the receiver hands out.
type playMode uint8

const (
	playIdle  playMode = iota // digital silence
	playVoice                 // packets, or what stands in for them
	playNoise                 // the sender is silent: comfort noise
)

// playStep is what comes next when the decoded sound has run out.
type playStep uint8

const (
	stepSilence playStep = iota
	stepDecode
	stepRecover
	stepConceal
	stepNoise
)

// voicePlayout is the part of an AudioReceiver that belongs to Read.
type voicePlayout struct {
	channels  int     // interleaved in fifo and frame
	fifo      []int16 // decoded, not handed out yet: less than 10 ms between two Reads
	frame     []int16
	data      []byte // the packet to decode
	timestamp int64  // of the sample after fifo
	mode      playMode
	made      int64   // samples made up since the last packet
	counted   int64   // those of them counted as concealed
	credit    int64   // those of them made while the queue was empty
	gain      float32 // of the last sample
	level     float64 // of the last 10 ms that were decoded, dBFS
	stretch   stretcher
	delay     playoutMeter
	excess    int64 // of the delay over its target
	urgency   int64 // the same without the extra delay
	steady    bool  // excess was measured
	rest      int64 // samples until the delay may be changed again
}

func (o *voicePlayout) init(channels int) {
	o.channels, o.stretch.channels = channels, channels
	o.fifo = make([]int16, 0, 4*media.PacketSamples*channels)
	o.frame = make([]int16, 0, (media.PacketSamples+maxPeriod)*channels)
	o.data = make([]byte, 0, jitterPayload)
}

// waiting is how many samples were decoded and not handed out yet.
func (o *voicePlayout) waiting() int64 { return int64(len(o.fifo) / o.channels) }

// read is Read under readMu.
func (r *AudioReceiver) read(pcm []int16, at time.Time) (heard bool) {
	o := &r.out
	heard = o.mode != playIdle
	for len(o.fifo) < len(pcm) {
		r.step(at)
		heard = heard || o.mode != playIdle
	}
	copy(pcm, o.fifo)
	playing := o.timestamp - o.waiting()
	o.fifo = o.fifo[:copy(o.fifo, o.fifo[len(pcm):])]

	r.mu.Lock()
	defer r.mu.Unlock()
	r.playing, r.audible = playing, o.mode == playVoice
	if r.started {
		r.stats.Total += uint64(len(pcm) / o.channels)
	}
	return heard
}

// step adds 10 or 20 ms to the decoded sound.
func (r *AudioReceiver) step(at time.Time) {
	o := &r.out
	r.mu.Lock()
	step := r.plan(max(durationSamples(at.Sub(r.epoch)), 0))
	r.mu.Unlock()

	frame := o.frame[:media.PacketSamples*o.channels]
	var err error
	switch step {
	case stepSilence:
		frame = frame[:media.BlockSamples*o.channels]
		clear(frame)
		o.made += media.BlockSamples
	case stepDecode:
		err = r.dec.Decode(frame, o.data)
	case stepRecover:
		err = r.dec.Recover(frame, o.data)
	case stepConceal:
		r.makeUp(frame, concealFor, concealFade)
	case stepNoise:
		r.makeNoise(frame)
	}
	if step == stepDecode || step == stepRecover {
		r.finish(frame, step, err)
		return
	}
	o.fifo = append(o.fifo, frame...)
}

// finish counts what came of a packet, fits its length to the delay and queues it.
func (r *AudioReceiver) finish(frame []int16, step playStep, err error) {
	o := &r.out
	if err != nil {
		r.makeUp(frame, concealFor, concealFade)
	} else {
		if o.gain < 1 {
			fade(frame[:resumeFade*o.channels], o.channels, o.gain, 1)
			o.gain = 1
		}
		o.made, o.counted, o.credit = 0, 0, 0
		o.level = media.Level(frame[len(frame)-media.BlockSamples*o.channels:])
	}
	before := len(frame)
	if err == nil {
		frame = o.fit(frame)
	}
	o.fifo = append(o.fifo, frame...)

	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil:
		r.stats.Discarded++
		r.stats.Concealed += media.PacketSamples
		o.counted += media.PacketSamples
	case step == stepRecover:
		r.stats.Repaired++
		r.stats.RepairedFEC++
	}
	switch change := (len(frame) - before) / o.channels; {
	case change > 0:
		r.stats.Stretched += uint64(change)
	case change < 0:
		r.stats.Shrunk += uint64(-change)
	}
}

// makeUp has the decoder invent 20 ms, which fade once hold samples of them were heard.
func (r *AudioReceiver) makeUp(frame []int16, hold, length int64) {
	if r.dec.Conceal(frame) != nil {
		clear(frame)
	}
	r.fadeOut(frame, hold, length)
}

// makeNoise has the decoder invent 20 ms of the sender's silence. They are no louder than
// the last that was heard of it: a codec without a noise of its own repeats what came before.
func (r *AudioReceiver) makeNoise(frame []int16) {
	o := &r.out
	if r.dec.Conceal(frame) != nil {
		clear(frame)
	}
	if over := media.Level(frame) - o.level; over > 0 {
		o.gain = min(o.gain, float32(math.Pow(10, -over/20)))
	}
	r.fadeOut(frame, noiseFor, noiseFade)
}

// fadeOut makes invented sound quieter the longer it lasts, until there is none.
func (r *AudioReceiver) fadeOut(frame []int16, hold, length int64) {
	o := &r.out
	o.made += int64(len(frame) / o.channels)
	gain := min(o.gain, max(0, 1-float32(o.made-hold)/float32(length)))
	fade(frame, o.channels, o.gain, gain)
	o.gain = gain
	if gain == 0 {
		o.mode = playIdle
		r.mu.Lock()
		r.resync = true
		r.mu.Unlock()
	}
}

// plan decides the next step, and takes its packet out of the queue. mu is held.
func (r *AudioReceiver) plan(now int64) playStep {
	o := &r.out
	if r.remeasure {
		r.remeasure, r.offsetGood = false, false
		o.delay.reset()
	}
	p := r.queue.first()
	if p == nil {
		return r.planEmpty()
	}
	if r.resync {
		p = r.skipCopies(p, now)
	}
	missing := p.seq - r.queue.next
	// More time than packets between here and p: the sender was silent.
	silence := p.timestamp-o.timestamp > missing*media.PacketSamples+media.BlockSamples
	if r.resync || silence {
		if !r.due(p, now) {
			return o.planWait()
		}
		r.resume(p)
		return r.take(p, now)
	}
	for ; missing > 0 && o.credit >= media.PacketSamples; missing-- {
		o.credit -= media.PacketSamples // was made up for already
		r.lose()
	}
	switch {
	case missing == 0:
		return r.take(p, now)
	case missing == 1 && opusHasFEC(p.data):
		o.data = append(o.data[:0], p.data...)
		r.measure(o.timestamp, now)
		r.lose()
		return stepRecover
	}
	r.lose()
	r.conceal()
	return stepConceal
}

// planEmpty is plan for an empty queue.
func (r *AudioReceiver) planEmpty() playStep {
	o := &r.out
	switch o.mode {
	case playNoise:
		return stepNoise
	case playVoice:
		if o.credit == 0 {
			r.stats.Underruns++
			o.delay.reset()
		}
		o.credit += media.PacketSamples
		r.conceal()
		return stepConceal
	}
	return stepSilence
}

// planWait is plan for a packet whose time has not come.
func (o *voicePlayout) planWait() playStep {
	if o.mode == playIdle {
		return stepSilence
	}
	o.mode = playNoise
	return stepNoise
}

// delayOf is the delay that sound with that timestamp has if it is decoded now.
func (r *AudioReceiver) delayOf(timestamp, now int64) int64 {
	return now + r.out.waiting() - timestamp - r.transit.base
}

// due says whether the first packet after a silence has waited long enough. It waits no
// longer than the target even if the clocks have drifted apart since the last one.
func (r *AudioReceiver) due(p *jitterPacket, now int64) bool {
	target := r.delay.target() + r.extra
	return r.delayOf(p.timestamp, now) >= target || now-p.arrived >= target
}

// resume goes on with p after a silence or an outage, and settles which of both it was.
func (r *AudioReceiver) resume(p *jitterPacket) {
	o := &r.out
	missing := p.seq - r.queue.next
	if !r.fresh {
		concealed := min((missing+r.skipped)*media.PacketSamples, o.made)
		r.stats.Concealed += uint64(concealed - o.counted) // wraps back if negative
	}
	r.stats.Lost += uint64(missing)
	r.queue.advance(p.seq)
	r.resync, r.fresh, r.skipped = false, false, 0
	o.made, o.counted, o.credit = 0, 0, 0
	o.delay.reset()
}

// lose passes over the next packet, which is not here.
func (r *AudioReceiver) lose() {
	r.stats.Lost++
	r.delay.played(false)
	r.queue.advance(r.queue.next + 1)
	r.out.timestamp += media.PacketSamples
}

// conceal counts a packet that is made up.
func (r *AudioReceiver) conceal() {
	r.stats.Concealed += media.PacketSamples
	r.out.counted += media.PacketSamples
}

// take takes p, or a later packet if sound has fallen far behind, to be decoded.
func (r *AudioReceiver) take(p *jitterPacket, now int64) playStep {
	o := &r.out
	for r.queue.count > 1 && r.delayOf(p.timestamp, now) > r.delay.target()+r.extra+catchUp {
		o.data = r.queue.take(p, o.data)
		r.stats.Dropped++
		p = r.queue.first()
		r.stats.Lost += uint64(p.seq - r.queue.next)
		r.queue.advance(p.seq)
		o.gain = 0
		o.delay.reset()
	}
	r.measure(p.timestamp, now)
	r.delay.played(true)
	r.countRepair(p)
	o.timestamp = p.timestamp + media.PacketSamples
	o.data = r.queue.take(p, o.data)
	if len(o.data) <= dtxSize {
		o.mode, r.resync = playNoise, true
		o.made, o.counted, o.credit = 0, 0, 0
		return stepNoise
	}
	o.mode = playVoice
	return stepDecode
}

// measure notes the delay of the packet that is decoded now.
func (r *AudioReceiver) measure(timestamp, now int64) {
	o := &r.out
	o.steady = false
	delay := r.delayOf(timestamp, now)
	if delay > implausible || delay < -implausible {
		return
	}
	o.delay.add(delay + r.transit.base)
	offset, ok := o.delay.least()
	if !ok {
		return
	}
	r.offsetNow, r.offsetGood = offset, true
	o.steady = true
	o.urgency = offset - r.transit.base - r.delay.target()
	o.excess = o.urgency - r.extra
}

// opusHasFEC says whether an Opus packet of 20 ms carries its predecessor: the LBRR flag of
// its SILK layer (RFC 6716, sections 3.1 and 4.2.3).
func opusHasFEC(data []byte) bool {
	const celtOnly, stereo, frames = 0x80, 0x04, 0x03
	if len(data) <= dtxSize || data[0]&celtOnly != 0 || data[0]&frames != 0 {
		return false
	}
	// One bit of voice activity a channel and frame, followed by one of LBRR a channel.
	return data[1]&0x40 != 0 || data[0]&stereo != 0 && data[1]&0x10 != 0
}
