package pipe

import (
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
)

// assemblerSize is how many packets an assembler holds, a power of two: ten keyframes of
// 1280x720 or three seconds at 2.5 Mbit/s. What does not fit pushes the oldest out.
const assemblerSize = 1024

// assembler puts RTP packets of one VP8 stream (RFC 7741) back into order and into frames.
// It is pure: time comes in, frames and the numbers of missing packets come out.
type assembler struct {
	ring    [assemblerSize]slot
	started bool
	next    int64 // extended number of the first packet of the next frame
	newest  int64 // highest extended number seen
	missing map[int64]*miss
	broken  bool // a frame was lost: only a keyframe helps
	stats   assemblerStats
}

type assemblerStats struct {
	duplicates, late, rubbish, lost, repaired, nacks uint64
}

type slot struct {
	seq     int64
	full    bool
	at      time.Time
	packet  *rtp.Packet
	payload []byte // without the VP8 payload descriptor
	begin   bool   // first packet of a frame
}

// miss is one packet that has not come.
type miss struct {
	since time.Time
	asked time.Time
	count int
}

// frame is one complete coded picture.
type frame struct {
	data      []byte
	timestamp uint32
	key       bool
	arrived   time.Time // of its last packet
}

// resetGap is a jump of sequence numbers that no loss explains: the sender began anew.
const resetGap = 3000

// push takes one packet that arrived at the given time.
func (a *assembler) push(p *rtp.Packet, at time.Time) {
	if len(p.Payload) == 0 {
		// Padding keeps its number but carries nothing; probing uses it.
		a.insert(p, nil, false, at)
		return
	}
	var vp8 codecs.VP8Packet
	payload, err := vp8.Unmarshal(p.Payload)
	if err != nil || len(payload) == 0 {
		a.stats.rubbish++
		return
	}
	a.insert(p, payload, vp8.S == 1 && vp8.PID == 0, at)
}

func (a *assembler) insert(p *rtp.Packet, payload []byte, begin bool, at time.Time) {
	if !a.started {
		// Counting starts at a frame's first packet; without one there is nothing to show.
		if !begin {
			return
		}
		a.started, a.broken = true, true
		a.next = int64(p.SequenceNumber) + 1<<16 // room for a little reordering below
		a.newest = a.next - 1
		a.missing = make(map[int64]*miss)
	}
	seq := a.extend(p.SequenceNumber)
	if gap := seq - a.newest; gap > resetGap || gap < -resetGap {
		*a = assembler{stats: a.stats}
		a.insert(p, payload, begin, at)
		return
	}
	if seq < a.next {
		a.stats.late++
		return
	}
	s := &a.ring[seq&(assemblerSize-1)]
	if s.full && s.seq == seq {
		a.stats.duplicates++
		return
	}
	if seq-a.next >= assemblerSize {
		a.skipTo(seq - assemblerSize/2)
	}
	if m, ok := a.missing[seq]; ok {
		if m.count > 0 {
			a.stats.repaired++
		}
		delete(a.missing, seq)
	}
	for n := max(a.newest+1, a.next); n < seq; n++ {
		a.missing[n] = &miss{since: at}
	}
	a.newest = max(a.newest, seq)
	*s = slot{seq: seq, full: true, at: at, packet: p, payload: payload, begin: begin}
}

// extend unwraps a sequence number around the newest one (RFC 3711 appendix A).
func (a *assembler) extend(seq uint16) int64 {
	return a.newest + int64(int16(seq-uint16(a.newest)))
}

// pop returns the next frame if it is complete, or else a complete keyframe further on: nothing after
// it needs what is missing before it. While a.broken, frames that lean on lost ones are skipped.
func (a *assembler) pop() (frame, bool) {
	for a.started {
		end, ok := a.complete(a.next)
		if !ok && len(a.missing) > 0 && a.keyframeAhead() {
			continue
		}
		if !ok {
			return frame{}, false
		}
		f := a.join(a.next, end)
		a.advance(end + 1)
		if len(f.data) == 0 {
			continue // padding
		}
		if a.broken && !f.key {
			continue
		}
		a.broken = false
		return f, true
	}
	return frame{}, false
}

// complete finds the last packet of the frame that starts at from, if all of it is there.
func (a *assembler) complete(from int64) (end int64, ok bool) {
	first := a.at(from)
	if first == nil {
		return 0, false
	}
	if len(first.payload) == 0 {
		return from, true
	}
	for n := from; ; n++ {
		s := a.at(n)
		if s == nil || s.packet.Timestamp != first.packet.Timestamp {
			return n - 1, s != nil
		}
		if s.packet.Marker {
			return n, true
		}
	}
}

func (a *assembler) at(seq int64) *slot {
	s := &a.ring[seq&(assemblerSize-1)]
	if !s.full || s.seq != seq {
		return nil
	}
	return s
}

func (a *assembler) join(from, to int64) frame {
	first := a.at(from)
	f := frame{timestamp: first.packet.Timestamp}
	size := 0
	for n := from; n <= to; n++ {
		size += len(a.at(n).payload)
	}
	f.data = make([]byte, 0, size)
	for n := from; n <= to; n++ {
		s := a.at(n)
		f.data = append(f.data, s.payload...)
		if s.at.After(f.arrived) {
			f.arrived = s.at
		}
	}
	if !first.begin && len(first.payload) > 0 {
		// The tail of a frame whose head is gone: nothing to decode.
		a.broken = true
		f.data = nil
	}
	f.key = len(f.data) > 0 && f.data[0]&1 == 0 // RFC 6386 section 9.1
	return f
}

// advance forgets everything below next.
func (a *assembler) advance(next int64) {
	for ; a.next < next; a.next++ {
		s := &a.ring[a.next&(assemblerSize-1)]
		if s.seq == a.next {
			*s = slot{}
		}
		if _, ok := a.missing[a.next]; ok {
			delete(a.missing, a.next)
			a.stats.lost++
		}
	}
}

func (a *assembler) skipTo(next int64) {
	a.advance(next)
	a.broken = true
}

// flush drops all packets received or missing so far; came is false if there were none.
func (a *assembler) flush() (came bool) {
	if !a.started || a.next > a.newest {
		return false
	}
	a.skipTo(a.newest + 1)
	return true
}

// giveUp drops frames that have waited for a packet since before the deadline and goes to
// the next frame's beginning behind it, if one is there.
func (a *assembler) giveUp(deadline time.Time) (dropped bool) {
	for a.started {
		stuck := int64(-1)
		for n, m := range a.missing {
			if m.since.Before(deadline) && n > stuck {
				stuck = n
			}
		}
		if stuck < 0 {
			return dropped
		}
		next := stuck + 1
		for next <= a.newest {
			if s := a.at(next); s != nil && s.begin {
				break
			}
			next++
		}
		a.skipTo(next)
		dropped = true
	}
	return dropped
}

// keyframeAhead skips to a complete keyframe further on, if there is one: no need to wait
// for what came before it.
func (a *assembler) keyframeAhead() bool {
	for n := a.next + 1; n <= a.newest; n++ {
		s := a.at(n)
		if s == nil || !s.begin || len(s.payload) == 0 || s.payload[0]&1 != 0 {
			continue
		}
		if _, ok := a.complete(n); ok {
			a.advance(n)
			return true
		}
	}
	return false
}

const (
	// nackLimit is how often one packet is requested. On a short path that lasts as long as its frame is
	// waited for. When a third of requests and repairs are lost, half as many requests lose one packet in
	// two hundred, and with it a frame every second or two.
	nackLimit = 16
	// farAway is the round-trip time from which each packet is requested twice, nackPair apart. If a
	// request or its repair is lost there, the next one comes too late.
	farAway  = 60 * time.Millisecond
	nackPair = 20 * time.Millisecond
)

// nacks lists the packets to ask for now: each as soon as it is missed and again whenever
// an answer is overdue by the round-trip time.
func (a *assembler) nacks(now time.Time, rtt time.Duration) []uint16 {
	var out []uint16
	again := max(rtt*5/4, 20*time.Millisecond)
	for seq, m := range a.missing {
		wait := again
		if m.count%2 == 1 && rtt >= farAway {
			wait = nackPair
		}
		if m.count >= nackLimit || m.count > 0 && now.Sub(m.asked) < wait {
			continue
		}
		m.asked = now
		m.count++
		a.stats.nacks++
		out = append(out, uint16(seq))
	}
	return out
}
