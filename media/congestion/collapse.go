package congestion

import "time"

// The trend (trend.go) needs half a second to be sure of a growing queue. When the path suddenly
// carries a fraction of what it did, that is too late: a queue of 400 ms is full after 150, and
// everything beyond it is lost. A few packets in a row that arrive much further apart than they left
// are enough to be sure of a fall that large.
const (
	collapsePackets = 6 // that are looked at
	// collapseSpan is the least time between the arrivals of the first and the last.
	collapseSpan = 80 * time.Millisecond
	// collapseRatio is how much longer that has to be than the time in which they left. The pacer
	// sends at twice the estimate, so a ratio of 2 is an everyday keyframe.
	collapseRatio = 2.5
	// collapseGrowth is by how much the queue has to grow in between, the largest step left out: a
	// single step is a stall, as Wi-Fi has, and not a slower path.
	collapseGrowth = 40 * time.Millisecond
	// holdMost is the longest time for which video waits for the queue to empty.
	holdMost = 600 * time.Millisecond
	// holdRecent is how long after its beginning a hold counts as recent.
	holdRecent = 1500 * time.Millisecond
)

// collapse watches for a sudden fall of the rate at which packets arrive.
type collapse struct {
	last [collapsePackets]arrival // a ring
	n    int                      // arrivals so far
	rate float64                  // bit/s at which they arrived, once a fall is found
}

type arrival struct {
	sent, at time.Duration
	size     int
}

func (c *collapse) reset() { *c = collapse{} }

// add records a packet that arrived, by the receiver's clock.
func (c *collapse) add(sent, at time.Duration, size int) {
	c.last[c.n%collapsePackets] = arrival{sent, at, size}
	if c.n++; c.n < collapsePackets {
		return
	}
	first, bits := c.last[c.n%collapsePackets], 0
	before, step := first, time.Duration(0)
	for i := 1; i < collapsePackets; i++ {
		p := c.last[(c.n+i)%collapsePackets]
		if p.sent < before.sent || p.at < before.at {
			return // out of order
		}
		bits += 8 * p.size
		step = max(step, (p.at-before.at)-(p.sent-before.sent))
		before = p
	}
	span, left := at-first.at, sent-first.sent
	if span >= collapseSpan && float64(span) >= collapseRatio*float64(left) && span-left-step >= collapseGrowth {
		c.rate = float64(bits) / span.Seconds()
	}
}

// take returns the rate, in bit/s, of a fall found since the last call.
func (c *collapse) take() (rate float64, ok bool) {
	rate, c.rate = c.rate, 0
	return rate, rate > 0
}

// hold stops video after a sudden fall until the queue in the router is empty. Video would wait in
// that queue for as long; sound is still sent and no longer waits.
type hold struct {
	since time.Duration
	on    bool
}

func (h *hold) begin(now time.Duration) {
	if !h.on {
		h.since, h.on = now, true
	}
}

// arrived records that a packet sent at the given time has arrived. If it was sent after the hold began,
// everything sent before has left the queue.
func (h *hold) arrived(sent time.Duration) {
	if h.on && sent > h.since {
		h.on = false
	}
}

// active says whether video waits now.
func (h *hold) active(now time.Duration) bool {
	if h.on && now-h.since > holdMost {
		h.on = false
	}
	return h.on
}

// recent reports whether there is, or just was, a hold. Packets lost before it are out of date.
func (h *hold) recent(now time.Duration) bool {
	return h.active(now) || h.since > 0 && now-h.since < holdRecent
}
