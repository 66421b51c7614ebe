package pipe

import (
	"time"

	"github.com/pion/rtp"

	"parley/media"
)

// open takes a packet apart if it carries others; false means that it makes no sense.
func (r *AudioReceiver) open(p *rtp.Packet) bool {
	if r.RedType == 0 || p.PayloadType != r.RedType {
		r.red.count, r.red.primary = 0, p.Payload
	} else if !r.red.parse(p.Payload) {
		return false
	}
	r.stats.RedDepth = r.red.count
	return true
}

// insertCopy queues the copy of an earlier packet that came with the packet seq, if it is
// missing. Which one it is follows from its time: whoever sends copies sends them of packets
// that follow each other.
func (r *AudioReceiver) insertCopy(seq, timestamp int64, b redBlock, arrived int64) {
	if b.offset%media.PacketSamples != 0 {
		return
	}
	p := jitterPacket{
		seq: seq - int64(b.offset/media.PacketSamples), timestamp: timestamp - int64(b.offset),
		arrived: arrived, data: b.data, redundant: true,
	}
	if p.seq < r.queue.next && r.fresh || p.seq > r.highest && p.timestamp <= r.newest {
		return // from before we came, or from before a silence
	}
	if r.enqueue(p) == insertDuplicate {
		return
	}
	// Too late or not, it tells how long copies are in coming.
	if r.transit.started {
		r.delay.observe(p.arrived-p.timestamp-r.transit.base, asCopy, false)
	}
}

// skipCopies passes over copies that come too late to be where sound begins again: whoever
// hears nothing anyway would pay for them with delay. mu is held.
func (r *AudioReceiver) skipCopies(p *jitterPacket, now int64) *jitterPacket {
	o := &r.out
	for r.queue.count > 1 && p.redundant && r.delayOf(p.timestamp, now) > r.delay.target()+r.extra+delayBand {
		missed := p.seq - r.queue.next + 1
		r.stats.Lost += uint64(missed)
		r.skipped += missed
		o.data = r.queue.take(p, o.data)
		p = r.queue.first()
	}
	return p
}

// countRepair notes how p came to be here although it was lost. mu is held.
func (r *AudioReceiver) countRepair(p *jitterPacket) {
	switch {
	case p.redundant:
		r.stats.RepairedRED++
	case p.asked:
		r.stats.RepairedNACK++
	default:
		return
	}
	r.stats.Lost++
	r.stats.Repaired++
}

const (
	// nackTries is how often a packet is asked for again: an answer to a third request would
	// come after its time even over a short path.
	nackTries = 2
	// nackRTT is the round trip up to which packets are asked for even if the present delay
	// does not cover it: where they are worth it, the delay grows to what their answers take.
	nackRTT = 60 * samplesPerMs
	// nackSlack is what an answer takes beyond the round trip.
	nackSlack = 5 * samplesPerMs
	// Where packets overtake each other, one counts as missing only when that many have
	// come after it as have lately overtaken one, but no more than nackReorder; an order
	// kept for nackForget packets forgives.
	nackReorder = 3
	nackForget  = 500
)

// nackTracker remembers which packets were asked for again.
type nackTracker struct {
	rtt     int64 // samples; 0 while unknown
	slots   [jitterSlots]struct{ seq, at, tries int64 }
	reorder int64 // how far packets lately came behind those sent after them
	ordered int   // packets since
}

func (t *nackTracker) reset() { *t = nackTracker{rtt: t.rtt} }

// asked says whether the packet was asked for.
func (t *nackTracker) asked(seq int64) bool {
	s := &t.slots[uint64(seq)%jitterSlots]
	return s.seq == seq && s.tries > 0
}

// disordered notes a packet that came behind one sent after it.
func (t *nackTracker) disordered(by int64, asked bool) {
	if !asked {
		t.reorder, t.ordered = min(max(t.reorder, by), nackReorder), 0
	}
}

// missing is what to ask for when a packet has come: whatever is missing before it, and no
// packet to come will bring a copy of, for a sender's copies reach back equally far.
func (r *AudioReceiver) missing(now int64) (ask []uint16) {
	t := &r.nack
	if t.ordered++; t.ordered > nackForget {
		t.reorder = 0
	}
	if t.rtt == 0 || r.resync || r.highest-r.queue.next+1 <= int64(r.queue.count) {
		return nil
	}
	for seq := r.queue.next; seq < r.highest-t.reorder; seq++ {
		if q := &r.queue.slots[uint64(seq)%jitterSlots]; q.full {
			continue
		}
		s := &t.slots[uint64(seq)%jitterSlots]
		if s.seq != seq {
			s.seq, s.at, s.tries = seq, 0, 0
		}
		due := r.newest - (r.highest-seq)*media.PacketSamples + r.offsetNow
		inTime := r.offsetGood && now+t.rtt+nackSlack <= due
		if s.tries == nackTries || s.tries > 0 && now < s.at+t.rtt+nackSlack || !inTime && t.rtt > nackRTT {
			continue
		}
		s.at = now
		s.tries++
		r.stats.Asked++
		ask = append(ask, uint16(seq))
	}
	return ask
}

// SetRTT tells the round-trip time of the path, which decides what is worth asking for again.
func (r *AudioReceiver) SetRTT(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nack.rtt = max(durationSamples(d), 1)
}
