package pipe

import (
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"parley/media"
)

const (
	// dtxSize is the size up to which an Opus packet only says that there is nothing to
	// hear (RFC 6716, section 2.1.9).
	dtxSize = 2
	// dtxRepeats is how many such packets open a silence before nothing more is sent:
	// two, so that a single loss does not make the silence look like an outage.
	dtxRepeats = 2
	// captureGap is the hole in the capture times from which a microphone counts as
	// having paused, and the media clock jumps with it. Shorter ones are late blocks
	// that will be made up for.
	captureGap = 500 * time.Millisecond
	// opusBuffer holds any Opus packet of 20 ms (RFC 6716, section 3.4: 1275 a frame).
	opusBuffer = 1500
)

// AudioPacket is 20 ms of Opus, the same for every peer.
type AudioPacket struct {
	Data      []byte    // valid until the subscriber returns
	Timestamp uint32    // 48 kHz media clock; it goes on through silence
	Marker    bool      // first after a silence (RFC 7587, section 4.2)
	Captured  time.Time // when its first sample was heard by the microphone
	Level     float64   // dBFS
	Voice     bool      // somebody speaks
}

// AudioSender turns one microphone, or what a machine plays, into Opus packets of 20 ms,
// encoding once for all subscribed peers.
type AudioSender struct {
	// Process, if set before the first Write, works in place on every block of 10 ms (the
	// sender's channels) before it is measured and encoded, and says whether it heard a voice. A
	// block that is muted is measured as it came, and Skip is called in its place.
	Process func(pcm []int16) media.Voice
	Skip    func()

	channels int
	enc      media.AudioEncoder
	log      *slog.Logger
	config   atomic.Pointer[media.AudioConfig] // holds 1; an older one is replaced
	muted    atomic.Bool
	failed   atomic.Uint64
	meter    voiceMeter
	nothing  atomic.Int64 // blocks since the last with anything in it

	subMu       sync.Mutex
	subscribers atomic.Pointer[[]*audioSubscriber] // copied on change

	mu        sync.Mutex // held by Write: while microphones change, two may write
	block     media.Audio
	filled    int // samples of block a channel
	next      time.Time
	frame     []int16 // up to PacketSamples a channel
	captured  time.Time
	timestamp uint32
	zeros     int               // blocks since the last with anything in it
	gain      float32           // of the last sample: 0 muted, 1 not
	live      bool              // some of frame is to be heard
	fading    bool              // one packet of silence is still due: decoders carry on what they heard last
	silent    bool              // nothing was sent before this packet
	opening   int               // packets that still have to announce the silence
	toc       byte              // of the last packet
	cfg       media.AudioConfig // as asked for
	dtx       bool              // as the encoder has it
	quiet     int               // packets since the last that was not
	buf       []byte
}

type audioSubscriber struct{ f func(AudioPacket) }

// NewAudioSender returns a sender for a voice: a stereo microphone is mixed down. It encodes
// with enc, an encoder for one channel, which stays the caller's to close once nobody writes
// any more. Configure says how.
func NewAudioSender(enc media.AudioEncoder, log *slog.Logger) *AudioSender {
	return newAudioSender(enc, 1, log)
}

// NewStereoSender is NewAudioSender for two channels, and an encoder for two.
func NewStereoSender(enc media.AudioEncoder, log *slog.Logger) *AudioSender {
	return newAudioSender(enc, 2, log)
}

func newAudioSender(enc media.AudioEncoder, channels int, log *slog.Logger) *AudioSender {
	s := &AudioSender{
		channels: channels, enc: enc, log: log,
		block:     media.Audio{PCM: make([]int16, media.BlockSamples*channels), Channels: channels},
		frame:     make([]int16, 0, media.PacketSamples*channels),
		timestamp: rand.Uint32(), // RFC 3550, section 5.1
		gain:      1,
		silent:    true,
		buf:       make([]byte, 0, opusBuffer),
	}
	s.meter.init()
	s.subscribers.Store(new([]*audioSubscriber))
	return s
}

// Subscribe has f called with every packet, from the goroutine that calls Write, so it must
// not block. After cancel has returned, a call that was under way may still finish.
func (s *AudioSender) Subscribe(f func(AudioPacket)) (cancel func()) {
	sub := &audioSubscriber{f}
	s.subMu.Lock()
	defer s.subMu.Unlock()
	subs := append(slices.Clone(*s.subscribers.Load()), sub)
	s.subscribers.Store(&subs)
	return func() {
		s.subMu.Lock()
		defer s.subMu.Unlock()
		subs := slices.DeleteFunc(slices.Clone(*s.subscribers.Load()), func(o *audioSubscriber) bool { return o == sub })
		s.subscribers.Store(&subs)
	}
}

// SetMuted stops or resumes sending. The sound fades within 10 ms, then a marker of silence
// goes out, then nothing; Level goes on.
func (s *AudioSender) SetMuted(muted bool) { s.muted.Store(muted) }

// Configure changes the encoder before its next packet. The number of channels
// stays as it is.
func (s *AudioSender) Configure(c media.AudioConfig) {
	c.Channels = s.channels
	s.config.Store(&c)
}

// Level is what the microphone hears, muted or not, in dBFS.
func (s *AudioSender) Level() float64 { return s.meter.level() }

// Nothing is for how long the microphone has brought exact zeros only: not even noise.
func (s *AudioSender) Nothing() time.Duration {
	return time.Duration(s.nothing.Load()) * media.BlockDuration
}

// Speaking says whether somebody speaks into the microphone, muted or not.
func (s *AudioSender) Speaking() bool { return s.meter.speaking() }

// Failed counts packets that the encoder refused.
func (s *AudioSender) Failed() uint64 { return s.failed.Load() }

// Stopped tells that the microphone has ended: peers hear silence rather than a loss, and
// the level falls. The next Write starts anew.
func (s *AudioSender) Stopped() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pause()
	s.announceSilence()
	s.meter.stop()
	s.zeros = 0
	s.nothing.Store(0)
	s.gain, s.fading = 0, false
}

// Write takes the next block of a microphone, of any length, encodes what is complete and
// calls the subscribers. It keeps nothing of a.
func (s *AudioSender) Write(a media.Audio) {
	if a.Channels < 1 || len(a.PCM)%a.Channels != 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.follow(a)
	captured := a.Captured
	for pcm := a.PCM; len(pcm) > 0; {
		n := min(len(pcm)/a.Channels, media.BlockSamples-s.filled)
		if s.filled == 0 {
			s.block.Captured = captured
		}
		mix(s.block.PCM[s.filled*s.channels:(s.filled+n)*s.channels], s.channels, pcm, a.Channels)
		pcm = pcm[n*a.Channels:]
		captured = captured.Add(samplesDuration(int64(n)))
		if s.filled += n; s.filled == media.BlockSamples {
			s.filled = 0
			s.writeBlock()
		}
	}
}

// follow moves the media clock on when the microphone has paused.
func (s *AudioSender) follow(a media.Audio) {
	if a.Captured.IsZero() {
		return
	}
	if gap := a.Captured.Sub(s.next); !s.next.IsZero() && gap > captureGap {
		s.pause()
		s.timestamp += uint32(durationSamples(gap))
	}
	s.next = a.Captured.Add(samplesDuration(int64(len(a.PCM) / a.Channels)))
}

// pause gives up the packet begun, and the media clock passes over it.
func (s *AudioSender) pause() {
	if len(s.frame) > 0 || s.filled > 0 {
		s.timestamp += media.PacketSamples
	}
	s.frame, s.filled, s.live = s.frame[:0], 0, false
	s.next = time.Time{}
}

// writeBlock adds the full block to the packet, and sends that when it is full.
func (s *AudioSender) writeBlock() {
	level := media.Level(s.block.PCM) // as it came: what is processed is never quite silent
	gain := float32(1)
	if dead := s.dead(level); dead || s.muted.Load() {
		gain = 0
	}
	s.process(level, gain > 0 || s.gain > 0)
	if len(s.frame) == 0 {
		s.captured, s.live = s.block.Captured, false
	}
	s.live = s.live || s.gain > 0 || gain > 0
	start := len(s.frame)
	s.frame = append(s.frame, s.block.PCM...)
	fade(s.frame[start:], s.channels, s.gain, gain)
	s.gain = gain
	if len(s.frame) < media.PacketSamples*s.channels {
		return
	}
	if len(*s.subscribers.Load()) == 0 {
		s.silent, s.opening, s.fading = true, 0, false
	} else if s.live || s.fading {
		s.fading = s.live
		s.encode()
	} else {
		s.announceSilence()
	}
	s.frame = s.frame[:0]
	s.timestamp += media.PacketSamples
}

// deadBlocks is for how many blocks of 10 ms there must be nothing at all, not even noise,
// before nothing is sent: a machine that plays nothing, a microphone with a switch.
const deadBlocks = 50

// dead says whether the block, of that level, and those before it have nothing in them.
func (s *AudioSender) dead(level float64) bool {
	if level > media.LevelFloor {
		if s.zeros > deadBlocks && !s.muted.Load() {
			s.gain = 1 // it comes out of nothing: there is nothing to be faded
		}
		s.zeros = 0
		s.nothing.Store(0)
		return false
	}
	s.zeros++
	s.nothing.Store(int64(s.zeros))
	return s.zeros > deadBlocks
}

// process improves the block, if any of it is to be heard, and measures it.
func (s *AudioSender) process(level float64, heard bool) {
	voice := media.VoiceUnknown
	switch {
	case s.Process != nil && heard:
		voice = s.Process(s.block.PCM)
		level = media.Level(s.block.PCM)
	case s.Skip != nil && !heard:
		s.Skip()
	}
	s.meter.update(level, voice)
}

// Opus takes whatever is not speech for background noise, and with DTX replaces it: a held
// note would come out as a whisper. So DTX is on only while it is quiet: below quietLevel, in
// dBFS, for quietPackets packets. Rooms and microphones hum at -70 to -50.
const (
	quietLevel   = -50
	quietPackets = 25
)

// configure gives the encoder what was asked for, with DTX as loud as it is.
func (s *AudioSender) configure() {
	if s.quiet++; media.Level(s.frame) > quietLevel {
		s.quiet = 0
	}
	c := s.config.Swap(nil)
	if c != nil {
		s.cfg = *c
	}
	dtx := s.cfg.DTX && s.quiet >= quietPackets
	if c == nil && dtx == s.dtx {
		return
	}
	s.dtx = dtx
	cfg := s.cfg
	cfg.DTX = dtx
	if err := s.enc.Configure(cfg); err != nil {
		s.log.Warn("configure audio encoder", "err", err)
	}
}

// encode sends the packet.
func (s *AudioSender) encode() {
	s.configure()
	data, err := s.enc.Encode(s.buf[:0], s.frame)
	if err != nil {
		if s.failed.Add(1) == 1 {
			s.log.Warn("encode audio", "err", err)
		}
		return
	}
	if len(data) == 0 {
		return
	}
	s.buf = data
	s.toc = data[0]
	if len(data) <= dtxSize {
		s.announceSilence()
		return
	}
	s.send(AudioPacket{Data: data, Marker: s.silent, Level: media.Level(s.frame), Voice: s.meter.speaking()})
	s.silent, s.opening = false, dtxRepeats
}

// announceSilence sends the first packets of a silence: a lone table-of-contents byte, a
// packet with a frame of no bytes (RFC 6716, section 3.2.1), which decoders take for DTX.
func (s *AudioSender) announceSilence() {
	if s.opening == 0 {
		return
	}
	s.opening--
	s.silent = true
	s.send(AudioPacket{Data: append(s.buf[:0], s.toc&^3), Level: media.LevelFloor})
}

func (s *AudioSender) send(p AudioPacket) {
	p.Timestamp, p.Captured = s.timestamp, s.captured
	for _, sub := range *s.subscribers.Load() {
		sub.f(p)
	}
}

// mix fills dst with src: one channel with the mean of all, two with one twice or the first two.
func mix(dst []int16, to int, src []int16, channels int) {
	switch {
	case to == channels:
		copy(dst, src)
		return
	case to == 2:
		for i := range len(dst) / 2 {
			dst[2*i], dst[2*i+1] = src[i*channels], src[i*channels+min(1, channels-1)]
		}
		return
	}
	for i := range dst {
		sum := 0
		for _, v := range src[i*channels : (i+1)*channels] {
			sum += int(v)
		}
		dst[i] = int16(sum / channels)
	}
}
