package congestion

import "time"

// historySize is how many packets are remembered, a power of two: more than three seconds
// of 1200 bytes each at 12 Mbit/s. An older one is forgotten; what feedback says of it later
// is ignored.
const historySize = 4096

// sentState is what is known of a packet that was sent.
type sentState uint8

const (
	inFlight sentState = iota + 1
	acked
	lost
)

// sentPacket is one packet that was sent.
type sentPacket struct {
	at    time.Duration
	size  int32 // bytes
	probe uint32
	seq   uint16
	state sentState
	again bool // it left a second time by the same number: when it arrives tells nothing
}

// history remembers packets by their transport-wide sequence numbers, which wrap.
type history struct {
	ring [historySize]sentPacket
	any  bool
}

func (h *history) add(seq uint16, size int, at time.Duration, probe uint32) {
	h.ring[seq%historySize] = sentPacket{at: at, size: int32(size), probe: probe, seq: seq, state: inFlight}
	h.any = true
}

// find returns the packet of that number, nil if it was never sent or is forgotten.
func (h *history) find(seq uint16) *sentPacket {
	p := &h.ring[seq%historySize]
	if p.state == 0 || p.seq != seq {
		return nil
	}
	return p
}

func (h *history) empty() bool { return !h.any }
