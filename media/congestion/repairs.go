package congestion

import (
	"encoding/binary"
	"time"

	"github.com/pion/rtp"
)

// A receiver asks for a missing packet once per round trip. When a queue has just grown, the repair is
// delayed by more than the round trip that the receiver knows, so it asks many times. Answering every
// request would keep the queue full.
const (
	// repairMemory is how many packets of a stream are remembered, a power of two: those of the last
	// second at 10 Mbit/s.
	repairMemory = 1024
	// repairCopies is how often a packet may be retransmitted per round trip while there is no queue.
	// Far away, receivers ask twice on purpose (see farAway in media/pipe).
	repairCopies = 2
	// repairRecent is for how many packets a keyframe is remembered. Sequence numbers wrap.
	repairRecent = 1 << 14
)

// repairs remembers the recent retransmissions of one stream. It allocates with the first.
type repairs struct {
	sent []resent
	// next is the sequence number of the next packet of the repair stream (RFC 4588 section 4). Pion's
	// own number is assigned when the packet is stored and shared by all its copies. A receiver would
	// drop such copies as replayed, and SRTP must not use a number twice (RFC 3711 section 9.1).
	next    uint16
	renewed bool
	from    uint16 // first packet of the last keyframe; nothing later depends on earlier packets
}

type resent struct {
	seq    uint16
	copies uint8 // since at; 0 for an empty place
	at     time.Duration
}

// allowed reports whether the packet with this sequence number may be retransmitted now, and records it.
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

// advance records a packet that is sent for the first time.
func (r *repairs) advance(seq uint16) {
	if r.renewed && int16(seq-r.from) > repairRecent {
		r.renewed = false
	}
}

// Renew announces a keyframe that begins at a sequence number. While there is a queue, older packets
// are not retransmitted: after a fall of the path they would be all that it carries for a second. Video
// that still waits in the pacer during a hold is dropped.
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

// original returns the original sequence number of a retransmission. In a repair stream it is in the
// first two octets of the payload (RFC 4588 section 4).
func original(t *stream, h *rtp.Header, payload []byte) uint16 {
	if h.SSRC != t.ssrc && len(payload) >= 2 {
		return binary.BigEndian.Uint16(payload)
	}
	return h.SequenceNumber
}
