package congestion

import (
	"math"
	"time"
)

// A flow that yields to loss alone, such as a download by TCP, keeps the queue of a shared
// link from running empty. Whoever yields to delay beside it starves. So where the queue does
// not run empty for a while, although we have given way, we compete as it does: delay counts
// for less, and loss for more.
const (
	// rivalQueue is less than a queue that runs empty, with the noise of measuring.
	rivalQueue = 15 * time.Millisecond
	// rivalEnter is how long the queue must not run empty.
	rivalEnter = 1500 * time.Millisecond
	// rivalDrain is what our own queue needs to run empty once we have given way.
	rivalDrain = time.Second
	// rivalThreshold multiplies the threshold of the trend: the queue's ups and downs are
	// the other's.
	rivalThreshold = 4
	// rivalCut and rivalStep share with one TCP flow: falling to 0.8 asks for steps of a
	// third of a packet a round trip, 3b/(2-b) with b = 0.2 (Yang and Lam, General AIMD, 2000).
	rivalCut    = 0.8
	rivalStep   = 1.0 / 3
	rivalPacket = 1200 * 8 // bits
	// rivalFall is to what share a sudden fall of the path brings what arrives, see bigFall.
	rivalFall = 0.4
	// rivalLoss is the loss beyond the usual that is a sign to give way.
	rivalLoss = 0.01
	// rivalPause is between two times of giving way.
	rivalPause = 200 * time.Millisecond
	// A queue that a download fills grows by more than flatNoise in flatSpan: by a packet
	// each round trip, up to 20 Mbit/s or so.
	flatSpan  = 2 * time.Second
	flatStep  = 250 * time.Millisecond
	flatNoise = 8 * time.Millisecond
	// baseSpan is how long the least delay is remembered: clocks that differ by 100 ppm
	// drift 6 ms apart in it.
	baseSpan = 60 * time.Second
)

// baseDelay knows by how much delay exceeds the least seen in the last two spans; the clocks
// of the two ends need not agree.
type baseDelay struct {
	least   [2]time.Duration
	since   time.Duration
	now     time.Duration // smoothed
	begun   bool
	emptyAt time.Duration // when the queue was last seen empty
	wayAt   time.Duration // when we first gave way since; 0 for not yet
	peak    time.Duration // of the queue since it was empty
	rival   bool
	flat    flatness
}

func (b *baseDelay) add(at, delay time.Duration) {
	if !b.begun || (delay-b.now).Abs() > time.Minute { // a clock was set
		*b = baseDelay{least: [2]time.Duration{delay, delay}, since: at, now: delay, begun: true, emptyAt: at}
		return
	}
	if at-b.since > baseSpan {
		b.least = [2]time.Duration{b.least[1], delay}
		b.since = at
	}
	b.least[1] = min(b.least[1], delay)
	b.now += (delay - b.now) / 4
	if delay-min(b.least[0], b.least[1]) < rivalQueue {
		b.emptyAt, b.wayAt, b.peak = at, 0, 0
	}
	b.peak = max(b.peak, b.queue())
	// A queue that stays without our having given way may well be our own, and so may one that
	// becomes shorter since.
	b.rival = b.wayAt > 0 && at-b.emptyAt > rivalEnter && at-b.wayAt > rivalDrain &&
		(b.rival || b.queue() > b.peak/2)
	if floor, ok := b.flat.add(at, delay); ok && b.rival {
		// It does run empty; the route has become longer.
		b.least = [2]time.Duration{floor, floor}
		b.since, b.emptyAt, b.wayAt, b.rival = at, at, 0, false
	}
}

// gaveWay records that we send less from now on.
func (b *baseDelay) gaveWay(at time.Duration) {
	if b.wayAt == 0 {
		b.wayAt = at
	}
}

// flatness finds delay that stays as it is, as it does on a path whose queue is empty. A
// rival's never does: it grows until packets are lost.
type flatness struct {
	since, stepAt        time.Duration
	step, lowest, utmost time.Duration
	begun                bool
}

// add returns the least delay when for flatSpan the least of every flatStep was about that.
func (f *flatness) add(at, delay time.Duration) (floor time.Duration, ok bool) {
	if !f.begun {
		*f = flatness{since: at, stepAt: at, step: delay, lowest: math.MaxInt64, utmost: math.MinInt64, begun: true}
	}
	f.step = min(f.step, delay)
	if at-f.stepAt < flatStep {
		return 0, false
	}
	f.lowest, f.utmost = min(f.lowest, f.step), max(f.utmost, f.step)
	if f.utmost-f.lowest > flatNoise {
		*f = flatness{}
		return 0, false
	}
	f.stepAt, f.step = at, delay
	if at-f.since < flatSpan {
		return 0, false
	}
	floor = f.lowest
	*f = flatness{}
	return floor, true
}

// queue is how long packets wait in the path's queues.
func (b *baseDelay) queue() time.Duration { return max(b.now-min(b.least[0], b.least[1]), 0) }
