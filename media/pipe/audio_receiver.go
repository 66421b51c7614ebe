package pipe

import (
	"sync"
	"time"

	"github.com/pion/rtp"

	"parley/media"
)

// maxExtraDelay bounds what lip-sync may ask for.
const maxExtraDelay = 500 * time.Millisecond

// AudioReceiver is one remote microphone, or what a remote machine plays: RTP packets go in as they arrive, 10 ms of sound
// come out whenever the speaker asks. Decoding happens when sound is asked for, so that
// what is missing by then is decided as late as possible. It starts no goroutine; all
// methods may be called from any.
type AudioReceiver struct {
	// RedType is the RTP payload type of packets that carry earlier ones too (RFC 2198), 0
	// for none. Set before the first Push.
	RedType uint8
	// Nack, if set before the first Push, is told which packets to ask for again. It is
	// called by the goroutine that pushes.
	Nack func(seqs []uint16)

	meter voiceMeter

	// mu guards what packets and sound share. It is held for microseconds.
	mu         sync.Mutex
	queue      jitterQueue
	red        redPacket // of the packet that is pushed now
	nack       nackTracker
	transit    transitTracker
	delay      delayEstimator
	stats      AudioStats
	started    bool
	epoch      time.Time // arrival of the first packet: sample 0 of our clock
	ssrc       uint32
	highest    int64 // greatest sequence number, unwrapped
	newest     int64 // its timestamp, unwrapped
	bad        int   // sequence number after one that was out of bounds, -1 if there is none
	jitter     float64
	lastGap    int64 // arrival less timestamp of the packet before, for the jitter
	resync     bool  // the next packet's time is chosen anew
	fresh      bool  // nothing of this stream was played yet
	skipped    int64 // packets lost since the last one played and passed over in the queue
	remeasure  bool  // delays measured before mean nothing any more
	extra      int64 // samples
	report     senderReport
	playing    int64 // timestamp of the sample handed out last
	audible    bool  // playing means something
	offsetNow  int64 // playout time less media time
	offsetGood bool

	// readMu is held for a whole Read, decoding included. Never taken after mu.
	readMu sync.Mutex
	dec    media.AudioDecoder
	closed bool
	out    voicePlayout
}

// senderReport ties the sender's media clock to its wall clock (RFC 3550, section 6.4.1).
type senderReport struct {
	ntp       time.Time
	timestamp uint32
}

// NewAudioReceiver returns a receiver that decodes with dec, a decoder for one channel, which
// it closes at the end.
func NewAudioReceiver(dec media.AudioDecoder) *AudioReceiver { return newAudioReceiver(dec, 1) }

// NewStereoReceiver is NewAudioReceiver for two channels, and a decoder for two.
func NewStereoReceiver(dec media.AudioDecoder) *AudioReceiver { return newAudioReceiver(dec, 2) }

func newAudioReceiver(dec media.AudioDecoder, channels int) *AudioReceiver {
	r := &AudioReceiver{dec: dec, bad: -1}
	r.delay.reset()
	r.meter.init()
	r.out.init(channels)
	return r
}

// Channels is how many channels Read delivers, 1 or 2.
func (r *AudioReceiver) Channels() int { return r.out.channels }

// Push takes a packet that arrived at the given time. It copies what it keeps. Invalid packets are
// counted and ignored.
func (r *AudioReceiver) Push(p *rtp.Packet, at time.Time) {
	r.mu.Lock()
	ask := r.push(p, at)
	r.mu.Unlock()
	if len(ask) > 0 {
		r.Nack(ask)
	}
}

// push is Push under mu. It returns the packets to ask for again.
func (r *AudioReceiver) push(p *rtp.Packet, at time.Time) (ask []uint16) {
	if p == nil || len(p.Payload) == 0 || len(p.Payload) > jitterPayload || !r.open(p) {
		r.stats.Discarded++
		return nil
	}
	if !r.started {
		r.epoch = at
	}
	arrived := max(durationSamples(at.Sub(r.epoch)), 0)
	if !r.started || p.SSRC != r.ssrc {
		r.restart(p, arrived)
	}
	seq := r.highest + int64(int16(p.SequenceNumber-uint16(r.highest)))
	if seq > r.highest+maxDropout || seq < r.highest-maxMisorder {
		// A new stream or an invalid packet: accept it when the next packet follows it.
		if int(p.SequenceNumber) != r.bad {
			r.bad = int(p.SequenceNumber + 1)
			r.stats.Discarded++
			return nil
		}
		r.restart(p, arrived)
		seq = r.highest
	}
	r.bad = -1
	timestamp := r.newest + int64(int32(p.Timestamp-uint32(r.newest)))
	r.stats.Bytes += uint64(len(p.Payload))
	for _, b := range r.red.earlier[:r.red.count] {
		r.insertCopy(seq, timestamp, b, arrived)
	}
	r.insert(jitterPacket{seq: seq, timestamp: timestamp, arrived: arrived, data: r.red.primary})
	if r.Nack == nil {
		return nil
	}
	return r.missing(arrived)
}

// restart forgets a stream's numbers and times, for those of p.
func (r *AudioReceiver) restart(p *rtp.Packet, arrived int64) {
	if r.started {
		r.stats.Resets++
		r.stats.Dropped += uint64(r.queue.count)
	}
	r.started, r.ssrc, r.bad = true, p.SSRC, -1
	// One turn of the counters up, so that packets from before do not go below zero.
	r.highest = 1<<16 + int64(p.SequenceNumber)
	r.newest = 1<<32 + int64(p.Timestamp)
	r.queue.reset(r.highest)
	r.transit = transitTracker{}
	r.delay.reset()
	r.nack.reset()
	r.jitter, r.lastGap = 0, arrived-r.newest
	r.report = senderReport{}
	r.resync, r.fresh, r.remeasure = true, true, true
}

// insert queues a packet and learns from its time.
func (r *AudioReceiver) insert(p jitterPacket) {
	if p.seq < r.queue.next && r.resync && r.queue.seen == 0 {
		// A stream's first packets came in the wrong order, and none was played yet.
		r.queue.rewind(p.seq)
	}
	p.asked = r.nack.asked(p.seq)
	result := r.enqueue(p)
	switch result {
	case insertDuplicate:
		r.stats.Duplicated++
		return
	case insertLate:
		r.stats.Late++
	default:
		r.stats.Packets++
	}
	how := inOrder
	if p.seq < r.highest {
		how = outOfOrder
		r.nack.disordered(r.highest-p.seq, p.asked)
	} else {
		r.highest, r.newest = p.seq, p.timestamp
		gap := p.arrived - p.timestamp
		if d := max(gap-r.lastGap, r.lastGap-gap); d < transitJump {
			r.jitter += (float64(d) - r.jitter) / 16
		}
		r.lastGap = gap
	}
	delay, jumped := r.transit.observe(p.arrived, p.timestamp)
	if jumped {
		r.stats.Resets++
		r.remeasure = true
		return
	}
	if result != insertReplaced { // what a copy stood in for need not be waited for
		r.delay.observe(delay, how, opusHasFEC(p.data))
	}
}

// enqueue puts a packet into the queue and counts what had to go for it.
func (r *AudioReceiver) enqueue(p jitterPacket) inserted {
	result, dropped, lost := r.queue.insert(p)
	r.stats.Dropped += uint64(dropped)
	r.stats.Lost += uint64(lost)
	r.skipped += lost
	if dropped+lost > 0 {
		r.resync = true
	}
	return result
}

// Read fills pcm with the next BlockSamples samples, to be heard from the time at on. It
// returns false, and silence, when there is nothing to hear. It never waits for a packet.
func (r *AudioReceiver) Read(pcm []int16, at time.Time) bool {
	r.readMu.Lock()
	defer r.readMu.Unlock()
	heard := false
	if !r.closed {
		heard = r.read(pcm, at)
	}
	if !heard {
		clear(pcm)
		r.meter.update(media.LevelFloor, media.VoiceUnknown)
		return false
	}
	r.meter.update(media.Level(pcm), media.VoiceUnknown)
	return true
}

// SenderReport takes what an RTCP sender report says: the sender's wall clock ntp is
// rtpTime on its media clock.
func (r *AudioReceiver) SenderReport(ntp time.Time, rtpTime uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report = senderReport{ntp, rtpTime}
}

// SetExtraDelay holds sound back by d, 0 to 500 ms, more than the network asks for. The
// delay changes gradually, by stretching.
func (r *AudioReceiver) SetExtraDelay(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.extra = durationSamples(min(max(d, 0), maxExtraDelay))
}

// Playing is the time, by the sender's clock, at which the sound handed out by the last Read
// was captured; ok is false before the first sender report and in silence.
func (r *AudioReceiver) Playing() (captured time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.audible || r.report.ntp.IsZero() {
		return time.Time{}, false
	}
	since := int32(uint32(r.playing) - r.report.timestamp)
	return r.report.ntp.Add(samplesDuration(int64(since))), true
}

// Level is how loud the voice is now, in dBFS.
func (r *AudioReceiver) Level() float64 { return r.meter.level() }

// Speaking says whether somebody speaks, or did within the last 400 ms.
func (r *AudioReceiver) Speaking() bool { return r.meter.speaking() }

// Stats returns the counts so far.
func (r *AudioReceiver) Stats() AudioStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Jitter = samplesDuration(int64(r.jitter))
	s.TargetDelay = samplesDuration(r.delay.target() + r.extra)
	if r.offsetGood {
		s.Delay = samplesDuration(max(r.offsetNow-r.transit.base, 0))
	}
	return s
}

// Close ends the receiver; Read is silent from then on.
func (r *AudioReceiver) Close() error {
	r.readMu.Lock()
	defer r.readMu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	r.meter.stop()
	return r.dec.Close()
}
