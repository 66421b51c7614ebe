package pipe

import (
	"slices"

	"parley/media"
)

const (
	// The playout delay lies between these: one packet, and what a conversation bears.
	minDelay = 20 * samplesPerMs
	maxDelay = 500 * samplesPerMs
	// startDelay is the delay of a new stream.
	startDelay = 30 * samplesPerMs
	// delayQuantile is the share of packets that are to arrive in time; in-band FEC and
	// concealment are for the rest.
	delayQuantile = 0.97
	// delayForget is the weight that a packet loses with each that follows: the
	// histogram's memory is about 600 packets, 12 s.
	delayForget = 0.9983
	// delayStep is the width of a bucket of the histogram.
	delayStep    = 5 * samplesPerMs
	delayBuckets = maxDelay/delayStep + 1
	// readSlack covers that the speaker asks for 10 ms at a time: a packet must be here
	// up to one such step before its first sample is heard.
	readSlack = 10 * samplesPerMs
	// delayWarmUp is how many packets make the histogram worth believing.
	delayWarmUp = 5
	// latePerCent and latePerCentFEC are what one per cent of packets that come out of
	// order, and too late, is worth in delay: these are packets of a network that
	// reorders, or retransmissions over a long path. To wait for them costs every
	// packet; with in-band FEC most of them are not needed.
	latePerCent    = 20 * samplesPerMs
	latePerCentFEC = 8 * samplesPerMs
	// copyPerCent is the same for lost packets of which a copy comes with a later one (RED):
	// without it they are made up, and it is never longer in coming than the sender
	// thought worth its bits. 20 ms are waited for a third of a per cent.
	copyPerCent = 60 * samplesPerMs
	// Above the first rate of loss, the delay has room for one packet more, so that the
	// packet after a lost one, which carries its FEC, is here in time; below the second
	// no longer.
	lossHigh, lossLow = 0.02, 0.01
	// A stall is packets, close together, that come later than all others: a machine or a network
	// that was busy with something else. stallEnough of them within stallMemory packets, half a
	// minute, and the delay bears the worst as long as it is remembered, if that is no more than
	// stallMost above what the others need. Packets less than stallApart from each other are of one.
	stallEnough = 2
	stallMemory = 1500
	stallApart  = 25
	stallMost   = 60 * samplesPerMs
	// A queue that fills when the path becomes slower, and empties again, delays all packets for a second
	// or so. That is no jitter: it counts as episodePackets packets, however long it lasts, unless it
	// lasts longer than episodeMostPackets packets. While it lasts, the delay follows the packets.
	episodePackets     = 5
	episodeMostPackets = 125
	episodeRecent      = 3
	// lossForget makes the loss rate's memory 250 packets, 5 s.
	lossForget = 1.0 / 250
)

// delayEstimator chooses the playout delay from histograms of relative packet delays that
// forget exponentially.
type delayEstimator struct {
	ordered [delayBuckets]float32 // share of packets that came in their order
	worth   [delayBuckets]float32 // share of the others, times what they are worth in samples
	n       int
	loss    float64 // share of packets not there when due
	fec     float64 // share of packets that carry FEC
	repair  bool    // leave room for FEC
	stalls  [8]stall
	last    int // of stalls, the newest
	desired int64
	usual   int64                // delay that packets need, episodes apart
	run     int                  // packets in a row that came later than that
	recent  [episodeRecent]int64 // their last delays
}

// stall is when packets came late, in packets since the stream began, and by how much.
type stall struct {
	at    int
	delay int64
}

func (d *delayEstimator) reset() { *d = delayEstimator{desired: startDelay} }

// played takes whether a packet was there when it was due.
func (d *delayEstimator) played(there bool) {
	d.loss *= 1 - lossForget
	if !there {
		d.loss += lossForget
	}
}

// arrival is how a packet came.
type arrival uint8

const (
	inOrder arrival = iota
	outOfOrder
	asCopy // with a later packet, and not by itself
)

// observe takes a packet's delay over the fastest one, in samples, how it came, and whether
// it carries its predecessor.
func (d *delayEstimator) observe(delay int64, how arrival, fec bool) {
	d.n++
	if how == inOrder && d.episode(delay) {
		d.desired = min(max(d.usual, slices.Min(d.recent[:])+delayStep)+readSlack, maxDelay)
		return
	}
	keep := min(float32(delayForget), 1-1/float32(d.n))
	for i := range d.ordered {
		d.ordered[i] *= keep
		d.worth[i] *= keep
	}
	bucket := min(max(delay, 0)/delayStep, delayBuckets-1)
	switch perCent := float32(latePerCent); {
	case how == inOrder:
		d.ordered[bucket] += 1 - keep
	case how == asCopy:
		d.worth[bucket] += (1 - keep) * 100 * copyPerCent
	default:
		if d.fec > lossHigh {
			perCent = latePerCentFEC
		}
		d.worth[bucket] += (1 - keep) * 100 * perCent
	}
	d.fec *= 1 - lossForget
	if fec {
		d.fec += lossForget
	}
	if d.n < delayWarmUp {
		return
	}
	usual := d.choose()
	if needs := delay + delayStep; how == inOrder && needs+readSlack > d.desired && needs <= usual+stallMost {
		d.stalled(needs)
	}
	d.usual = d.bear(usual)
	d.desired = min(max(d.usual+readSlack, minDelay), maxDelay)
}

// episode says whether a packet in its order is one of a queue that comes and goes.
func (d *delayEstimator) episode(delay int64) bool {
	if delay <= d.usual || d.n < 2*delayWarmUp {
		d.run = 0
		return false
	}
	d.recent[d.run%episodeRecent] = delay
	d.run++
	return d.run > episodePackets && d.run <= episodeMostPackets
}

// stalled remembers that a packet needed more than the present delay.
func (d *delayEstimator) stalled(needs int64) {
	s := &d.stalls[d.last]
	if s.delay > 0 && d.n-s.at < stallApart {
		s.at, s.delay = d.n, max(s.delay, needs)
		return
	}
	d.last = (d.last + 1) % len(d.stalls)
	d.stalls[d.last] = stall{d.n, needs}
}

// bear is the usual delay, or what recent stalls need if that is more.
func (d *delayEstimator) bear(usual int64) int64 {
	recent, worst := 0, int64(0)
	for _, s := range d.stalls {
		if s.delay > 0 && d.n-s.at < stallMemory {
			recent++
			worst = max(worst, s.delay)
		}
	}
	if recent < stallEnough {
		return usual
	}
	return max(usual, min(worst, usual+stallMost))
}

// choose is the delay that packets need.
func (d *delayEstimator) choose() int64 {
	var total, late float32
	for i := range d.ordered {
		total += d.ordered[i]
		late += d.worth[i]
	}
	var sum float32
	best, cost := 0, float32(0)
	for i := range d.ordered {
		in := sum >= delayQuantile*total
		sum += d.ordered[i]
		late -= d.worth[i]
		if in || sum >= delayQuantile*total {
			// In order, enough packets come within bucket i; is it worth waiting longer?
			if c := float32(i*delayStep) + late; !in || c < cost {
				best, cost = i, c
			}
		}
	}
	if d.loss > lossHigh && d.fec > lossHigh {
		d.repair = true
	} else if d.loss < lossLow {
		d.repair = false
	}
	// One step to the end of the bucket, and one for what the histogram has not seen yet: without it
	// three bots on a machine of two cores ran dry every few seconds.
	delay := int64(best+2) * delayStep
	if d.repair {
		delay += media.PacketSamples
	}
	return delay
}

// target is the delay from the fastest packet's arrival to its first sample being heard.
func (d *delayEstimator) target() int64 { return d.desired }

const (
	// delayBand is how far above its target the delay may be before it is shortened.
	delayBand = 10 * samplesPerMs
	// delayDead is how far below before it is lengthened.
	delayDead = 2 * samplesPerMs
	// meterWindow is how many packets the present delay is measured over: the least of
	// them counts, because a speaker that takes several blocks at a time makes some
	// packets wait longer than they need to.
	meterWindow = 8
	meterEnough = 4
)

// playoutMeter measures the delay that packets actually have when they are decoded.
type playoutMeter struct {
	offset [meterWindow]int64 // playout time less media time
	n      int
}

func (m *playoutMeter) reset() { m.n = 0 }

func (m *playoutMeter) add(offset int64) {
	m.offset[m.n%meterWindow] = offset
	m.n++
	if m.n >= 2*meterWindow {
		m.n -= meterWindow // stay full, and small for ever
	}
}

// shift follows a change of the delay by stretching.
func (m *playoutMeter) shift(by int64) {
	for i := range min(m.n, meterWindow) {
		m.offset[i] += by
	}
}

// least is the smallest offset of the window; ok tells that there were enough.
func (m *playoutMeter) least() (offset int64, ok bool) {
	n := min(m.n, meterWindow)
	if n < meterEnough {
		return 0, false
	}
	offset = m.offset[0]
	for _, o := range m.offset[1:n] {
		offset = min(offset, o)
	}
	return offset, true
}
