package congestion

import (
	"encoding/binary"
	"time"

	"github.com/pion/rtp"
)

// Whoever misses a packet asks for it again each round trip that they know of. When a queue has just
// grown, the answer stands in it for longer than that, and is asked for, and sent, many times: the
// queue stays full, and what is sent stays above what the path carries.
const (
	// repairMemory is how many packets of a stream are remembered, a power of two: those of the last
	// second at 10 Mbit/s.
	repairMemory = 1024
	// repairCopies is how often a packet is sent again within a round trip while no queue stands: two
	// questions in a row are meant to have two answers (see farAway in media/pipe).
	repairCopies = 2
	// repairRecent is how many packets after a keyframe it is forgotten: nobody asks for what came
	// before, and sequence numbers come round.
	repairRecent = 1 << 14
)

// repairs remembers what one stream has sent again lately. Its memory comes with the first.
type repairs struct {
	sent []resent
	// next is the sequence number of the next packet in the stream of repairs: one more than that of the
	// last that left (RFC 4588 section 4). Pion numbers a repair when it keeps the packet, for all its
	// copies: whoever has had one of later packets throws away those of 64 packets and more before it as
	// replayed, and a number that is used twice is one that SRTP encrypts by twice (RFC 3711 section 9.1).
	next    uint16
	renewed bool
	from    uint16 // of the last keyframe: nothing after it leans on what came before
}

type resent struct {
	seq    uint16
	copies uint8 // since at; 0 for an empty place
	at     time.Duration
}

// allowed says whether the packet with this sequence number is to be sent again now, and takes note.
func (r *repairs) allowed(seq uint16, now time.Duration, c *Controller) bool {
	if r.sent == nil {
		r.sent = make([]resent, repairMemory)
	}
	p := &r.sent[seq&(repairMemory-1)]
	queue := c.base.queue()
	if (queue > drainAllow || c.hold.recent(now)) && r.renewed && int16(seq-r.from) < 0 {
		return false
	}
	if p.copies == 0 || p.seq != seq || now-p.at >= max(c.rtt, queue) {
		*p = resent{seq: seq, copies: 1, at: now}
		return true
	}
	if p.copies >= repairCopies || queue > drainAllow {
		return false
	}
	p.copies++
	return true
}

// advance takes that a packet leaves for the first time.
func (r *repairs) advance(seq uint16) {
	if r.renewed && int16(seq-r.from) > repairRecent {
		r.renewed = false
	}
}

// Renew tells that a stream's packets begin anew at a sequence number, with a keyframe. While a queue
// stands, older ones are not sent again: after a fall of the path, which loses most of a second of the
// old rate, they would be all that it carries for longer than that.
func (s *Sender) Renew(ssrc uint32, seq uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.streams[ssrc]
	if t == nil {
		return
	}
	t.repairs.renewed, t.repairs.from = true, seq
	if s.control.Hold(time.Since(s.start)) {
		s.pace.purge(func(k *packet) bool { return k.stream == t }, s.free)
	}
}

// original is the sequence number of a packet that is sent again: in a stream of repairs the first
// two octets of the payload (RFC 4588 section 4).
func original(t *stream, h *rtp.Header, payload []byte) uint16 {
	if h.SSRC != t.ssrc && len(payload) >= 2 {
		return binary.BigEndian.Uint16(payload)
	}
	return h.SequenceNumber
}
