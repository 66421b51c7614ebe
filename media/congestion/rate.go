package congestion

import (
	"math"
	"time"
)

// Constants of the rate that follows the delay, draft-ietf-rmcat-gcc-02 section 5.5 where
// nothing else is said.
const (
	beta       = 0.85 // of what arrived, after overuse
	growth     = 1.08 // a second, far from what the path is known to carry
	headroom   = 1.5  // the estimate grows no further above what arrives
	headroomBy = 10_000
	// cutPauseMin and cutPauseMax are the least and most time between two cuts; in between, the round-trip time:
	// before that the last one cannot show (libwebrtc's AimdRateControl).
	cutPauseMin, cutPauseMax = 10 * time.Millisecond, 200 * time.Millisecond
)

// A fall to less than bigFall of the estimate leaves a queue behind that would take long to
// empty at beta, so that we go lower for a while, the lower the longer packets wait, but not
// below drainMin of what the path carries. Smaller falls are everyday competition for a
// path; giving way there would starve us beside a flow that fills the queue.
const (
	bigFall    = 0.7
	drainMin   = 0.5
	drainAllow = 50 * time.Millisecond // a longer queue stands
	// drainBy is the share we go lower by for each second of queue beyond that: one of 300 ms halves
	// the rate, and is empty in 0.6 s.
	drainBy = 2
	// drainDeeper is for how long after a fall the queue may be found to be longer than at first.
	drainDeeper = 500 * time.Millisecond
	// drainLong is how long the queue may take to empty: what stands longer is not ours, or no queue.
	drainLong = 3 * time.Second
)

// delayRate is the estimate by delay: it grows while delay does not, multiplicatively as
// long as the limit of the path is unknown, by about a packet a round trip near it, and falls
// below what arrived when delay grows.
type delayRate struct {
	target, min, max float64 // bit/s
	capacity         capacity
	cutAt, grownAt   time.Duration
	begun, wasCut    bool
	growing          bool
	bounce           float64       // rate to return to after draining, 0 for none
	bounceAt         time.Duration // when, once the queue is empty
	fellAt           time.Duration // when draining began
}

func (r *delayRate) set(bits float64) { r.target = min(max(bits, r.min), r.max) }

// mayCut says whether the last cut had the time to show.
func (r *delayRate) mayCut(now, rtt time.Duration) bool {
	return !r.wasCut || now-r.cutAt >= min(max(rtt, cutPauseMin), cutPauseMax)
}

// overuse records that delay grows while packets arrive at the given rate, in bit/s.
func (r *delayRate) overuse(now time.Duration, carried float64, queue time.Duration) {
	next := beta * carried
	fell := r.bounce > 0 && now-r.fellAt < drainDeeper // the queue was still growing then
	if (carried < bigFall*r.target || fell) && queue > drainAllow {
		share := 1 - drainBy*(queue-drainAllow).Seconds()
		if r.bounce == 0 {
			r.fellAt = now
		}
		r.bounce = next
		r.bounceAt = now + min(2*queue, time.Second)
		next *= max(share, drainMin)
	}
	if carried > r.capacity.high() {
		r.capacity = capacity{}
	}
	r.capacity.add(carried)
	if next < r.target {
		r.cut(now, next)
	} else {
		r.cut(now, r.target)
	}
}

// collapse records that the path suddenly carries only this rate, in bit/s. Less is sent until its
// queue is empty.
func (r *delayRate) collapse(now time.Duration, carried float64) {
	r.capacity = capacity{}
	r.capacity.add(carried)
	if r.bounce == 0 {
		r.fellAt = now
	}
	r.bounce, r.bounceAt = beta*carried, now
	r.cut(now, drainMin*r.bounce)
}

// drained records at what rate, in bit/s, the queue of a collapse became empty: the path was full all the time.
func (r *delayRate) drained(carried float64) {
	if r.bounce > 0 {
		r.bounce = max(r.bounce, beta*carried)
	}
}

// cut lowers the estimate.
func (r *delayRate) cut(now time.Duration, bits float64) {
	r.set(min(bits, r.target))
	r.cutAt, r.grownAt, r.wasCut, r.growing = now, now, true, false
}

// raise lifts the estimate to what a probe has shown.
func (r *delayRate) raise(now time.Duration, bits float64) {
	if bits > r.target {
		r.set(bits)
		r.grownAt = now
		if r.target > r.capacity.high() {
			r.capacity = capacity{}
		}
	}
}

// advance lets time pass without overuse.
func (r *delayRate) advance(now time.Duration, u usage, carried float64, rtt, queue time.Duration, rival bool) {
	if r.bounce > 0 && now >= r.bounceAt {
		if queue > drainAllow && now-r.fellAt < drainLong && !rival {
			r.grownAt, r.growing = now, false
			return
		}
		r.set(max(r.target, r.bounce))
		r.bounce = 0
	}
	if !r.begun {
		r.begun, r.grownAt = true, now
	}
	if u == underuse && !rival {
		// A queue empties: growing now would keep it from that.
		r.grownAt, r.growing = now, false
		return
	}
	if !r.growing {
		r.growing, r.grownAt = true, now
		return
	}
	dt := min((now - r.grownAt).Seconds(), 1)
	r.grownAt = now
	if carried > r.capacity.high() {
		r.capacity = capacity{}
	}
	next := r.target + additive(r.target, rtt)*dt
	if !r.capacity.near(r.target) {
		next = max(next, r.target*math.Pow(growth, dt))
	}
	if rival {
		next = r.target + rivalStep*rivalPacket/(rtt.Seconds()*rtt.Seconds())*dt
	}
	limit := headroom*carried + headroomBy
	if next > limit {
		next = max(r.target, min(next, limit)) // limited by the application: neither up nor down
	}
	r.set(next)
}

// additive is one packet of an average frame each response time, in bit/s a second, and at
// least 4 kbit/s (libwebrtc's AimdRateControl::GetNearMaxIncreaseRateBpsPerSecond).
//
// It is at most slowly of the estimate a second: on a path of 300 kbit/s, a packet a response time would fill the
// queue every two seconds.
func additive(target float64, rtt time.Duration) float64 {
	const frames, packet, slowly = 30, 1200 * 8, 0.08
	frame := target / frames
	size := frame / math.Ceil(frame/packet)
	return max(4000, min(size/(rtt+100*time.Millisecond).Seconds(), slowly*target))
}

// capacity is what the path was seen to carry when it was full: an average with a deviation
// (draft-ietf-rmcat-gcc-02 section 5.5, libwebrtc's LinkCapacityEstimator).
type capacity struct {
	mean, variance float64 // kbit/s, and its square over mean
	known          bool
}

func (c *capacity) add(bits float64) {
	const smoothing = 0.05
	kbits := bits / 1000
	if !c.known {
		c.mean, c.variance, c.known = kbits, 0.4, true
		return
	}
	c.mean += smoothing * (kbits - c.mean)
	e := c.mean - kbits
	c.variance += smoothing * (e*e/max(c.mean, 1) - c.variance)
	c.variance = min(max(c.variance, 0.4), 2.5)
}

// high is three deviations above the average, in bit/s; more than that is another path.
func (c *capacity) high() float64 {
	if !c.known {
		return math.Inf(1)
	}
	return 1000 * (c.mean + 3*math.Sqrt(c.variance*c.mean))
}

// near says whether a rate is so close to the capacity that care is needed.
func (c *capacity) near(bits float64) bool {
	return c.known && (bits/1000-c.mean) > -3*math.Sqrt(c.variance*c.mean)
}

// Feedback that does not come although packets were sent is a path that is broken or full.
const (
	silenceAfter = 800 * time.Millisecond // several reports, of whatever stack
	silenceAgain = 500 * time.Millisecond // until the next cut
	silenceCut   = 0.5
)

// silence watches for feedback that does not come.
type silence struct {
	since   time.Duration // first packet sent since the last feedback
	cut     time.Duration // last cut
	waiting bool
	broken  bool
}

func (s *silence) sent(now time.Duration) {
	if !s.waiting {
		s.waiting, s.since, s.cut = true, now, now
	}
}

// heard records that feedback came, and reports whether it had been missing.
func (s *silence) heard(now time.Duration) (returned bool) {
	returned = s.broken
	s.waiting, s.broken, s.since = false, false, now
	return returned
}

// due says whether it is time for a cut.
func (s *silence) due(now, rtt time.Duration) bool {
	wait := silenceAgain
	if !s.broken {
		wait = max(silenceAfter, 3*rtt)
	}
	if !s.waiting || now-s.cut < wait {
		return false
	}
	s.cut, s.broken = now, true
	return true
}
