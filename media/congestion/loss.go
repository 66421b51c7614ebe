package congestion

import (
	"math"
	"time"
)

// Constants of the bound by loss. Loss by itself is not congestion: radio loses packets at
// any rate. Where loss does come from sending too much, sending less ends it. So when more is
// lost than usual, we try: send as much as arrives, and look.
const (
	lossWindow  = 400 * time.Millisecond // of one measurement, and
	lossPackets = 20                     // packets in it, so that one more or less does not matter
	lossWait    = 2 * time.Second        // is enough with fewer
	lossFew     = 5
	trialWindow = 600 * time.Millisecond // of a trial, in which chance must not decide, and
	trialCount  = 60                     // packets

	// lossExcess is what may be lost beyond the usual without being looked at; libwebrtc
	// too lets rates grow below 2% and holds them below 10%.
	lossExcess = 0.05
	// lossSigma is how many standard deviations of chance come on top.
	lossSigma = 1.5
	// lossSure is how many of them are no chance.
	lossSure = 2
	// lossSudden needs no second window to confirm it.
	lossSudden = 0.4
	// lossMargin is how far below what arrives a trial goes.
	lossMargin = 0.95
	// lossCured is the share of the excess that may stay in a trial that shows a limit.
	lossCured = 0.35
	// lossGrowth is how much a window without excess lifts the bound, divided by how often
	// the same limit was met.
	lossGrowth  = 0.15
	lossMeetMax = 14
	// lossRaise is how much a probe may lift the bound: policers let bursts through.
	lossRaise = 1.5
	// inherentDown and inherentUp follow the usual loss, quicker down, for little loss at
	// this rate proves that no more is usual.
	inherentDown, inherentUp = 0.3, 0.03
	// lossUsual is a usual loss so high that it is tried again from time to time, after
	// retryMin at first and retryMax at last.
	lossUsual          = 0.1
	retryMin, retryMax = 15 * time.Second, 4 * time.Minute
	// inherentMax keeps a liar from making us believe that all is lost everywhere.
	inherentMax = 0.5
)

// lossBound limits the rate where packets are lost without a queue growing: by a policer, or
// a queue too short to be seen.
type lossBound struct {
	bound    float64 // bit/s, 0 for none
	inherent float64 // share of packets lost whatever the rate
	recent   float64 // share lost lately
	over     float64 // share lost in the last window beyond inherent, until it is seen

	window lossCount
	excess int // windows in a row
	trial  struct {
		on   bool
		loss float64 // before,
		of   float64 // of that many packets
	}
	met   int     // times that trials confirmed the limit
	limit float64 // what arrived then, bit/s
	known bool

	retryWait time.Duration // until the usual loss is tried again
	retryAt   time.Duration
}

// lossCount counts the packets of one window.
type lossCount struct {
	since       time.Duration
	from        time.Duration // packets sent before do not count
	first, last time.Duration // sent
	lost, total int
	bytes       int
	open        bool
}

// testing says whether a trial is under way.
func (b *lossBound) testing() bool { return b.trial.on }

// count records a packet that is known to be received or lost.
func (b *lossBound) count(p *sentPacket, now time.Duration) {
	w := &b.window
	if p.at < w.from || p.probe != 0 { // probes overfill the path on purpose
		return
	}
	if !w.open {
		w.open, w.since, w.first, w.last = true, now, p.at, p.at
	}
	w.first, w.last = min(w.first, p.at), max(w.last, p.at)
	w.total++
	w.bytes += int(p.size)
	if p.state == lost {
		w.lost++
	}
}

// found corrects the count: a packet assumed lost was only late.
func (b *lossBound) found() {
	b.window.lost = max(b.window.lost-1, 0)
}

// decide looks at the window if it is full and returns whether it lowered the bound. The
// estimate by delay is given in bit/s.
func (b *lossBound) decide(now time.Duration, target, carried float64) (cut bool) {
	w := &b.window
	age := now - w.since
	least, packets := lossWindow, lossPackets
	if b.trial.on {
		least, packets = trialWindow, trialCount
	}
	if !w.open || (age < least || w.total < packets) && (age < lossWait || w.total < lossFew) {
		return false
	}
	share := float64(w.lost) / float64(w.total)
	rate := float64(w.bytes) * 8 / max(w.last-w.first, lossWindow/2).Seconds()
	n := float64(w.total)
	*w = lossCount{from: w.from}
	if !b.known {
		b.known, b.recent = true, share
	}
	b.recent += 0.3 * (share - b.recent)

	sigma := deviation(max(share, b.inherent, 0.02), n)
	over := share - b.inherent
	b.over = max(over, 0)
	switch {
	case b.trial.on:
		b.judge(now, share, n)
		return false
	case b.inherent > lossUsual && now > b.retryAt:
		// What we believe may have changed, or never have been true.
		b.try(now, share, n, max(rate*(1-share), carried*(1-b.inherent)))
		b.inherent = 0
		return true
	case over > lossExcess+lossSigma*sigma:
		b.excess++
		if b.excess >= 2 || over > lossSudden {
			b.try(now, share, n, max(rate*(1-share)/(1-b.inherent), carried))
			return true
		}
		return false
	}
	b.excess = 0
	k := inherentUp
	switch {
	case over < 0:
		k = inherentDown
	case b.bound > 0:
		k = 0 // what is lost at a limit is not usual
	}
	b.inherent = min(b.inherent+k*over, inherentMax)
	b.grow(target)
	return false
}

// deviation is the standard one of the share that is lost of n packets, each with the chance q.
func deviation(q, n float64) float64 { return math.Sqrt(q * (1 - q) / n) }

// try begins a trial: send what arrives, so that a limited path would lose no more.
func (b *lossBound) try(now time.Duration, share, packets, carried float64) {
	b.limit = carried
	b.trial.on, b.trial.loss, b.trial.of = true, share, packets
	b.bound = lossMargin * b.limit
	b.excess = 0
	b.window = lossCount{from: now}
}

// judge ends a trial with the share of so many packets that was lost in it.
func (b *lossBound) judge(now time.Duration, share, packets float64) {
	b.trial.on = false
	before, of := b.trial.loss, b.trial.of
	chance := lossSure * deviation(max((before*of+share*packets)/(of+packets), 0.02), 1/(1/of+1/packets))
	if share-b.inherent > lossCured*(before-b.inherent) || before-share < chance {
		// Sending less did not help: that much is lost at any rate.
		b.inherent = min(share, inherentMax)
		b.retryWait = min(max(2*b.retryWait, retryMin), retryMax)
		b.retryAt = now + b.retryWait
		b.bound, b.met = 0, 0
		return
	}
	b.met = min(b.met+1, lossMeetMax)
	b.retryWait = 0
}

// grow lifts the bound, and forgets it when it binds no more.
func (b *lossBound) grow(target float64) {
	if b.bound == 0 {
		return
	}
	b.bound *= 1 + lossGrowth/float64(1+b.met)
	if b.bound > 1.3*b.limit {
		b.met = 0
	}
	if b.bound >= target {
		b.bound = 0
	}
}

// raise lifts the bound to what a probe has shown.
func (b *lossBound) raise(bits float64) {
	if !b.trial.on && b.bound > 0 && bits > b.bound {
		b.bound = min(bits, lossRaise*b.bound)
	}
}
