package pipe

const (
	// jitterSlots is the size of the jitter buffer in packets: 1.28 s of 20 ms each, above
	// the longest delay (500 ms of jitter and as much of lip-sync). When a packet comes
	// that does not fit, the oldest are dropped and counted.
	jitterSlots = 64
	// jitterPayload bounds a packet, so that the buffer holds at most 96 KB; Opus itself
	// ends at 1275 bytes a frame (RFC 6716, section 3.4).
	jitterPayload = 1500
	// A packet this much ahead or behind is of another stream (RFC 3550, appendix A.1).
	maxDropout  = 3000
	maxMisorder = 100
)

// jitterPacket is a packet that waits for its time. Times are in samples.
type jitterPacket struct {
	seq       int64 // unwrapped
	timestamp int64 // unwrapped, media clock
	arrived   int64
	data      []byte
	full      bool
	redundant bool // a copy that came with a later packet
	asked     bool // for again, because it was missing
}

// jitterQueue sorts packets. next is the sequence number that is to be played next; every
// packet in the queue is in [next, next+jitterSlots).
type jitterQueue struct {
	slots [jitterSlots]jitterPacket
	next  int64
	count int
	seen  uint64 // bit i: packet next-1-i was played, or came too late for it
}

// inserted says what became of a packet.
type inserted uint8

const (
	insertStored   inserted = iota
	insertReplaced          // a copy of it was here
	insertLate              // its time is over
	insertDuplicate
)

// reset empties the queue, whose next packet is seq.
func (q *jitterQueue) reset(seq int64) {
	for i := range q.slots {
		q.slots[i].full = false
	}
	q.next, q.count, q.seen = seq, 0, 0
}

// insert copies a packet into the queue; dropped is the number of older ones that had to go
// for it, lost that of the holes among them.
func (q *jitterQueue) insert(p jitterPacket) (result inserted, dropped, lost int64) {
	if back := q.next - p.seq; back > 0 {
		if back > 64 {
			return insertLate, 0, 0
		}
		if q.seen>>(back-1)&1 == 1 {
			return insertDuplicate, 0, 0
		}
		q.seen |= 1 << (back - 1)
		return insertLate, 0, 0
	}
	if first := p.seq - jitterSlots + 1; first > q.next {
		dropped = int64(q.dropBefore(first))
		// What was neither here nor dropped is lost, and was to be played before.
		lost = first - q.next - dropped
		q.advance(first)
	}
	s := &q.slots[uint64(p.seq)%jitterSlots]
	result = insertStored
	switch {
	case s.full && (p.redundant || !s.redundant):
		return insertDuplicate, dropped, lost
	case s.full:
		result = insertReplaced
		q.count--
	}
	data := append(s.data[:0], p.data...)
	*s = p
	s.data, s.full = data, true
	q.count++
	return result, dropped, lost
}

// dropBefore removes the packets before seq and returns how many there were.
func (q *jitterQueue) dropBefore(seq int64) int {
	n := 0
	for i := range q.slots {
		if s := &q.slots[i]; s.full && s.seq < seq {
			s.full = false
			n++
		}
	}
	q.count -= n
	return n
}

// advance makes seq the next to be played; what lies before was not.
func (q *jitterQueue) advance(seq int64) {
	if n := seq - q.next; n < 64 {
		q.seen <<= n
	} else {
		q.seen = 0
	}
	q.next = seq
}

// first is the oldest packet in the queue, nil if there is none.
func (q *jitterQueue) first() *jitterPacket {
	if q.count == 0 {
		return nil
	}
	for i := range int64(jitterSlots) {
		if s := &q.slots[uint64(q.next+i)%jitterSlots]; s.full {
			return s
		}
	}
	return nil
}

// take removes p, which is next, and swaps its data with buf: memory changes hands instead
// of being copied.
func (q *jitterQueue) take(p *jitterPacket, buf []byte) []byte {
	data := p.data
	p.data, p.full = buf[:0], false
	q.count--
	q.next = p.seq + 1
	q.seen = q.seen<<1 | 1
	return data
}

// rewind makes an earlier packet the next; nothing was played yet.
func (q *jitterQueue) rewind(seq int64) {
	if q.count > 0 && q.last()-seq >= jitterSlots {
		return
	}
	q.next, q.seen = seq, 0
}

// last is the greatest sequence number in the queue.
func (q *jitterQueue) last() int64 {
	last := q.next
	for i := range q.slots {
		if s := &q.slots[i]; s.full {
			last = max(last, s.seq)
		}
	}
	return last
}
