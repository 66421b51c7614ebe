package congestion

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
)

// transportCC names the header extension with the transport-wide sequence number
// (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 2).
const transportCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"

const (
	// probeCheck is how often we look whether a probe is due: as often as there is news.
	probeCheck = 20 * time.Millisecond
	// probeGiveUp is how long sending a probe may take.
	probeGiveUp = 200 * time.Millisecond
)

// Sender is the interceptor of one connection that gives outgoing packets their transport-wide
// sequence numbers, paces them, and takes the feedback. It must be the one nearest to the
// network, so that retransmissions pass through it. One goroutine sends what had to wait; it
// begins when the connection binds its RTCP writer and ends with Close.
//
// What may leave at once leaves in the caller's goroutine, uncopied. Sound always may; video
// waits behind sound, retransmissions and the video that is preferred.
type Sender struct {
	interceptor.NoOp
	start   time.Time
	pad     func(bytes int) int
	packets sync.Pool
	wake    chan struct{} // holds 1; there is news for the goroutine
	done    chan struct{}
	running sync.WaitGroup

	mu       sync.Mutex
	control  *Controller
	pace     pacer
	reader   reader
	seq      uint16
	streams  map[uint32]*stream
	prefer   uint32 // SSRC of the video that goes first; 0 for the first one bound
	checked  time.Duration
	feedback uint64
	again    meter // of what is sent again
	closed   bool
}

// NewSender returns a Sender. Pad is called to send about so many bytes of padding, in
// packets that pass through the Sender, and returns how many it sent; it may be nil.
func NewSender(cfg Config, pad func(bytes int) int) *Sender {
	if pad == nil {
		pad = func(int) int { return 0 }
	}
	return &Sender{
		start: time.Now(), pad: pad, control: New(cfg), pace: pacer{target: float64(cfg.Start)},
		packets: sync.Pool{New: func() any { return new(packet) }},
		wake:    make(chan struct{}, 1), done: make(chan struct{}),
		streams: make(map[uint32]*stream),
	}
}

// NewInterceptor implements interceptor.Factory; a Sender serves one connection.
func (s *Sender) NewInterceptor(string) (interceptor.Interceptor, error) { return s, nil }

// Stats is how sending does.
type Stats struct {
	Estimate  int           // what the path carries, bit/s
	Delivered int           // what arrived lately, bit/s
	Loss      float64       // share of packets lost lately, 0 to 1
	Limited   bool          // the path carries less than the application wants to send
	Wait      time.Duration // of packets before they leave
	Dropped   uint64        // packets that found the queue full, or became out of date in it
	Probes    uint64
	Reports   uint64 // of feedback
}

// Stats returns the figures as they are now.
func (s *Sender) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{
		Estimate: s.control.Estimate(), Delivered: s.control.Delivered(), Loss: s.control.Loss(),
		Limited: s.control.Limited(), Wait: s.pace.wait, Dropped: s.pace.drops + s.pace.purged,
		Probes: s.control.Probes(), Reports: s.feedback,
	}
}

// Estimate is what the path carries for everything we send on it, in bit/s.
func (s *Sender) Estimate() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.control.Estimate()
}

// Allowed is what new media may take now, in bit/s: less than the estimate while a queue has to become empty,
// the path's or our own.
func (s *Sender) Allowed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steer(time.Since(s.start))
	return int(s.pace.media())
}

// Repairs is what sending again costs now, in bit/s. What is new has to make room for it: else more
// leaves than the path carries, and what is lost of that has to be sent again too.
func (s *Sender) Repairs() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.again.move(time.Since(s.start))
	return int(s.again.rate(rateWindow))
}

// Want tells how much would be sent if the path carried it, in bit/s.
func (s *Sender) Want(bits int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.control.Want(bits)
}

// Prefer lets the video with this SSRC go before the other.
func (s *Sender) Prefer(ssrc uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prefer = ssrc
}

// stream is one track's way out.
type stream struct {
	sender    *Sender
	ssrc      uint32
	extension uint8
	sound     bool
	out       interceptor.RTPWriter
	last      uint16 // sequence number
	begun     bool
	repairs   repairs
	copies    copies
}

// BindLocalStream implements interceptor.Interceptor. A stream without the extension, which
// the other side then does not know, is sent as it comes.
func (s *Sender) BindLocalStream(info *interceptor.StreamInfo, out interceptor.RTPWriter) interceptor.RTPWriter {
	t := &stream{sender: s, ssrc: info.SSRC, out: out, sound: strings.HasPrefix(strings.ToLower(info.MimeType), "audio/")}
	t.repairs.next = uint16(rand.Uint32())
	if info.SSRCRetransmission == 0 || info.PayloadTypeRetransmission == 0 {
		t.copies.remember(t.sound)
	}
	for _, e := range info.RTPHeaderExtensions {
		if e.URI == transportCC && e.ID > 0 && e.ID < 15 {
			t.extension = uint8(e.ID)
		}
	}
	if t.extension == 0 {
		return out
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.prefer == 0 && !t.sound {
		s.prefer = info.SSRC
	}
	s.streams[info.SSRC] = t
	return t
}

// UnbindLocalStream implements interceptor.Interceptor.
func (s *Sender) UnbindLocalStream(info *interceptor.StreamInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, info.SSRC)
}

// class says what goes before what, and whether a packet has left in this very stream before.
func (t *stream) class(h *rtp.Header) (c class, again bool) {
	own := h.SSRC == t.ssrc
	again = own && t.begun && int16(h.SequenceNumber-t.last) <= 0
	if own && !again {
		t.begun, t.last = true, h.SequenceNumber
		t.repairs.advance(t.last)
	}
	switch {
	case t.sound:
		return urgent, again
	case again || !own:
		return repair, again
	case t.sender.prefer == t.ssrc:
		return first, false
	}
	return second, false
}

// Write implements interceptor.RTPWriter. It does not keep payload.
func (t *stream) Write(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
	s := t.sender
	k := s.packets.Get().(*packet)
	k.fill(t, h, payload)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.free(k)
		return 0, io.ErrClosedPipe
	}
	now := time.Since(s.start)
	c, again := t.class(h)
	if c == repair && !t.repairs.allowed(original(t, h, payload), now, s.control) {
		s.mu.Unlock()
		s.free(k)
		return len(payload), nil
	}
	if again {
		number, ok := t.copies.of(h.SequenceNumber)
		if !ok {
			s.mu.Unlock()
			s.free(k)
			return len(payload), nil
		}
		k.again = true
		binary.BigEndian.PutUint16(k.number[:], number)
	}
	if again || c == repair {
		s.again.add(now, k.size)
	}
	if (c == first || c == second) && !h.Padding {
		s.check(now)
	}
	if s.pace.direct(c, now) {
		s.stamp(k, now)
		s.mu.Unlock()
		n, err := t.out.Write(&k.header, payload, a)
		s.free(k)
		return n, err
	}
	alone := s.pace.count == 0
	k.keep(payload)
	size := k.size
	ok := s.pace.push(c, k, now)
	s.mu.Unlock()
	if !ok {
		s.free(k)
		return 0, errFull
	}
	if alone {
		s.nudge()
	}
	return size, nil
}
