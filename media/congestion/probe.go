package congestion

import "time"

// Probe is a short burst at a higher rate than the estimate. How fast it arrives shows
// whether the path carries that.
type Probe struct {
	ID      uint32
	Rate    int // bit/s
	Bytes   int // to send at least
	Packets int // to send at least
	Long    bool
}

// Constants of probing, after libwebrtc's ProbeController and ProbeBitrateEstimator where
// nothing else is said.
const (
	probeFirst    = 3   // times the start rate
	probeNext     = 2   // times the estimate
	probeCautious = 1.3 // the same after a false one: a token bucket lets the next through as well
	probeSpan     = 25 * time.Millisecond
	probeBytes    = 4800 // at least: fewer packets measure nothing
	probeCount    = 5    // packets, at least
	probeMargin   = 1.3  // of what is wanted: more need not be known

	// If at least probeClear of a probe's rate arrives, the path did not limit it. Otherwise the
	// arrival rate is the limit, and probeFull of it becomes the estimate.
	probeClear = 0.9
	probeFull  = 0.95
	probeKept  = 0.85 // of its packets: when more are lost, so is the rest of the rate

	probeWait = 400 * time.Millisecond // for the rest of a probe's packets
	probeCalm = time.Second            // without overuse before a probe
	probeIdle = 25 * time.Millisecond  // a longer queue is not probed into

	// A token bucket lets a short burst through at any rate. Once the path was seen to have a limit, a
	// short probe that arrives unhindered only leads to a long one, at probeLongStep times the estimate,
	// where only packets after the first probeLongHead bytes count. A bucket of 8 kB is empty by then.
	probeLongBytes = 24_000
	probeLongHead  = 16_000
	probeLongStep  = 2
	// A long probe that is carried leads to one at what the path carried before, at most probeLeap times
	// its own rate.
	probeLeap = 4
	// probeGrace is for how long a queue that a probe filled is not taken for a limit.
	probeGrace = 250 * time.Millisecond
	// Until that queue is empty, only easeShare of the estimate is sent, for easeLeast to easeMost.
	easeShare = 0.5
	easeLeast = 80 * time.Millisecond
	easeMost  = 1000 * time.Millisecond
	// A longer queue than easeQueue is not only a probe's.
	easeQueue = 120 * time.Millisecond
	// probeSwells is how long the rate that arrives is higher for such a probe.
	probeSwells = rateWindow + probeGrace
	// probeTail is how many of its packets say how fast they arrive once they fill a queue.
	probeTail = 16
	// A long probe ends when its packets wait so much longer than its first.
	probeQueue = 30 * time.Millisecond

	// If the path carried more within probeFresh, it may recover at any moment. Then probeSoon is the
	// pause between probes, else probeLate. A probe was false if the estimate falls within falseTime. Each
	// false probe doubles the pause, but only once within probeTire, up to probeSeldom.
	probeSoon   = 2 * time.Second
	probeLate   = 5 * time.Second
	probeSeldom = 30 * time.Second
	probeTire   = 20 * time.Second
	probeFresh  = 60 * time.Second
	falseTime   = 2 * time.Second
	// A long probe that shows less than refusedGain times the estimate gained nothing. After two in a row the
	// pause is half as long again, from probeHope after the fall on, and later each of them doubles it, once within
	// probeTire.
	refusedGain = 1.15
	probeHope   = 12 * time.Second
	// probeOther is the share of the estimate at the last false probe below which the path is another.
	probeOther = 1.0 / 3
	// probeRefutes is how many times that estimate has to arrive for the path to carry more than it did.
	probeRefutes = 1.4
	// probeLess is by how much less than before is less.
	probeLess = 1 / 1.25
)

// cluster is a probe on its way.
type cluster struct {
	probe                     Probe
	firstSent, lastSent       time.Duration
	bytes, packets, lastBytes int // sent
	ended                     time.Duration
	over                      bool
	stale                     bool          // the estimate fell after it began
	head                      time.Duration // of a long one, when its head had left; 0 for not yet
	delay                     time.Duration // of its first packet
	hindered                  bool          // its packets wait longer and longer
	told                      bool          // that it filled a queue

	// Of the packets that arrived.
	gotPackets, gotBytes int
	small, large         span
	last                 [probeTail]arrival // a ring of the last to arrive
}

// span holds the send and arrival times of the first and last packet of one size. Larger packets take
// longer to transmit. Comparing a large first with a small last packet would make any path look slow.
type span struct {
	packets      int
	sent, left   time.Duration // of the first and the last
	arrived, got time.Duration
}

// probeLarge is the size in bytes from which a packet is large; padding is small.
const probeLarge = 600

func (s *span) add(sent, arrived time.Duration) {
	if s.packets == 0 {
		*s = span{sent: sent, left: sent, arrived: arrived, got: arrived}
	}
	s.packets++
	s.sent, s.left = min(s.sent, sent), max(s.left, sent)
	s.arrived, s.got = min(s.arrived, arrived), max(s.got, arrived)
}

// prober decides when to probe at what rate, and what came of it.
type prober struct {
	cfg     Config
	count   uint64
	current cluster // its probe's ID is 0 while there is none
	begun   bool

	chain       float64       // rate of the next step, 0 for none
	lastAt      time.Duration // of a probe
	since       time.Duration // no periodic probe before
	carried     float64       // what the path carried before a fall, the most of late
	carriedAt   time.Duration // when it last did
	fellAt      time.Duration
	fallen      bool
	raisedAt    time.Duration
	raised      bool
	low         float64 // estimate that the last probe raised
	falseProbes int
	refused     int     // long probes in a row that gained nothing
	falseFrom   float64 // the same of the last that was false
	back        bool    // the path was silent and is heard again
	full        bool    // a long probe filled a queue before it could measure anything
	wider       bool    // it carries more than it did when it was last full
}

func newProber(cfg Config) prober { return prober{cfg: cfg} }

// probeState is what a prober needs to know of the controller.
type probeState struct {
	target, want                float64
	overused, appLimited, lossy bool
}

// next returns a probe if it is time for one.
func (p *prober) next(now time.Duration, s probeState) (Probe, bool) {
	if p.current.probe.ID != 0 {
		if p.current.over && now-p.current.ended < 2*probeWait || !p.current.over {
			return Probe{}, false
		}
		p.current = cluster{} // nobody told us of it
	}
	if s.overused || s.lossy || p.fallen && now-p.fellAt < probeCalm && !p.back {
		return Probe{}, false
	}
	if p.raised && now-p.raisedAt > falseTime {
		p.falseProbes, p.raised = 0, false // the last one was true
	}
	if s.target < probeOther*p.falseFrom {
		p.falseProbes = 0 // they were of another path
	}
	rate := p.due(now, s)
	rate = min(rate, float64(p.cfg.Max), probeMargin*s.want)
	if rate < 1.1*s.target {
		return Probe{}, false
	}
	chained := p.chain > 0
	p.chain, p.back, p.wider = 0, false, false
	p.lastAt = now
	p.count++
	probe := Probe{
		ID: uint32(p.count), Rate: int(rate), Packets: probeCount, Long: p.fallen && chained,
		Bytes: max(int(rate/8*probeSpan.Seconds()), probeBytes),
	}
	if probe.Long {
		probe.Bytes = max(probe.Bytes, probeLongBytes)
	}
	p.current = cluster{probe: probe}
	return probe, true
}

// due is the rate of the probe that is due now, 0 for none.
func (p *prober) due(now time.Duration, s probeState) float64 {
	switch {
	case !p.begun:
		p.begun = true
		return probeFirst * float64(p.cfg.Start)
	case p.chain > 0:
		return p.chain
	case p.back:
		return max(probeNext*s.target, p.carried/2)
	case p.wider:
		return probeNext * s.target
	case now < p.since || now < p.lastAt+p.pause(now, s.target):
		return 0
	case p.missing(now, s.target):
		return min(p.step()*s.target, probeMargin*p.carried)
	case s.target < s.want && (s.appLimited || !p.fallen || now-p.fellAt > probeLate):
		return p.step() * s.target
	}
	return 0
}

// step is by how much a probe is above the estimate that it starts from.
func (p *prober) step() float64 {
	if p.falseProbes > 0 {
		return probeCautious
	}
	return probeNext
}

func (p *prober) fresh(now time.Duration) bool { return p.fallen && now-p.fellAt < probeFresh }

// missing says whether the path carried more than the estimate not long ago.
func (p *prober) missing(now time.Duration, target float64) bool {
	return p.fresh(now) && target < probeLess*p.carried
}

func (p *prober) pause(now time.Duration, target float64) time.Duration {
	if p.missing(now, target) {
		tired := int((now - p.carriedAt) / probeTire)
		soon := probeSoon
		if p.refused > 1 && now-p.carriedAt > probeHope {
			soon += probeSoon / 2
		}
		return min(soon<<max(min(p.falseProbes, 1+tired), min(p.refused, tired)), probeSeldom)
	}
	return min(probeLate<<min(max(p.falseProbes, p.refused), 3), probeSeldom)
}

// sent takes a packet of the probe with the given ID.
func (p *prober) sent(id uint32, size int, now time.Duration) {
	c := &p.current
	if c.probe.ID != id {
		return
	}
	if c.packets == 0 {
		c.firstSent = now
	}
	c.packets++
	c.bytes += size
	c.lastSent, c.lastBytes = now, size
	if c.head == 0 && c.bytes > probeLongHead {
		c.head = now
	}
}

func (p *prober) end(now time.Duration, id uint32) {
	c := &p.current
	if c.probe.ID != id {
		return
	}
	if c.packets < probeCount || c.bytes < c.probe.Bytes/2 {
		p.full = p.full || p.hindered() && !c.told
		p.current = cluster{} // too few to measure a rate
		return
	}
	c.over, c.ended = true, now
}

// arrived takes a packet of a probe that arrived.
func (p *prober) arrived(s *sentPacket, at time.Duration) {
	c := &p.current
	if c.probe.ID != s.probe {
		return
	}
	c.last[c.gotPackets%len(c.last)] = arrival{s.at, at, int(s.size)}
	if c.gotPackets == 0 {
		c.delay = at - s.at
	}
	c.hindered = c.hindered || at-s.at-c.delay > probeQueue
	switch {
	case c.probe.Long && (c.head == 0 || s.at < c.head):
		// A token bucket may have let it through.
	case s.size < probeLarge:
		c.small.add(s.at, at)
	default:
		c.large.add(s.at, at)
	}
	c.gotPackets++
	c.gotBytes += int(s.size)
}

// result returns the rate in bit/s that the probe on its way has shown, once it has, and whether that is all that
// the path carries. If the path carried the probe, or much more than the estimate, another step follows.
func (p *prober) result(now time.Duration, target, inherent float64) (bits float64, full, ok bool) {
	c := &p.current
	if c.probe.ID == 0 || !c.over || c.gotPackets < c.packets && now-c.ended < probeWait {
		return 0, false, false
	}
	done := *c
	p.current = cluster{}
	rate, clear, ok := done.measure(inherent)
	if !ok || done.stale {
		return 0, false, false
	}
	if done.probe.Long {
		p.refused++
		if clear || rate > refusedGain*target {
			p.refused = 0
		}
	}
	further := clear || rate > probeCautious*target && done.kept(inherent) >= probeKept
	if further && p.fallen && !done.probe.Long {
		p.chain = max(rate, probeLongStep*target)
		if p.falseProbes > 0 {
			p.chain = rate
		}
		return 0, false, false
	}
	if rate > target && clear {
		p.raised, p.raisedAt, p.low = true, now, target
	}
	switch {
	case clear && done.probe.Long && p.missing(now, rate):
		p.chain = min(probeLeap*rate, probeMargin*p.carried)
	case further && !done.probe.Long || clear:
		p.chain = probeNext * rate
	}
	return rate, done.probe.Long && done.hindered, true
}

// filled says, once for a probe, whether it was a long one that filled a queue, and has been sent.
func (p *prober) filled() bool {
	if full := p.full; full {
		p.full = false
		return true
	}
	if p.current.told || !p.current.over || !p.hindered() {
		return false
	}
	p.current.told = true
	return true
}

// hindered says whether the long probe that is being sent has shown enough: it fills a queue.
func (p *prober) hindered() bool { return p.current.probe.Long && p.current.hindered }

// measure compares how fast a probe left with how fast it arrived, and says whether it
// arrived unhindered.
func (c *cluster) measure(inherent float64) (rate float64, clear, ok bool) {
	if c.probe.Long && c.hindered {
		rate, ok = c.tail()
		return probeFull * rate, false, ok
	}
	sent, got := c.small.left-c.small.sent, c.small.got-c.small.arrived
	if d := c.large.left - c.large.sent; d > sent {
		sent, got = d, c.large.got-c.large.arrived
	}
	if c.gotPackets < 4 || c.gotBytes < c.bytes*2/5 || sent <= 0 || got <= 0 || c.lastSent <= c.firstSent {
		return 0, false, false
	}
	if sent > 2*got {
		return 0, false, false // bunched on the way: says nothing of the path
	}
	rate = float64(c.bytes-c.lastBytes) * 8 / (c.lastSent - c.firstSent).Seconds()
	part := min(float64(sent)/float64(got), 1)
	if kept := c.kept(inherent); kept < probeKept {
		part *= kept
	}
	if part >= probeClear {
		return min(rate, 1.1*float64(c.probe.Rate)), true, true
	}
	return probeFull * rate * part, false, true
}

// tail is how fast the last packets arrived, in bit/s.
func (c *cluster) tail() (rate float64, ok bool) {
	if c.gotPackets < len(c.last) {
		return 0, false
	}
	first, bits := c.last[c.gotPackets%len(c.last)], 0
	end := first.at
	for i := 1; i < len(c.last); i++ {
		p := c.last[(c.gotPackets+i)%len(c.last)]
		bits += 8 * p.size
		end = max(end, p.at)
	}
	if end <= first.at {
		return 0, false
	}
	return float64(bits) / (end - first.at).Seconds(), true
}

// kept is the share of a probe's packets that arrived, of those that the path does not lose at any rate.
func (c *cluster) kept(inherent float64) float64 {
	return float64(c.gotPackets) / float64(c.packets) / (1 - inherent)
}

// fell records that the estimate is about to be lowered, and the rate until now, in bit/s.
func (p *prober) fell(now time.Duration, was float64) {
	if p.raised && now-p.raisedAt < falseTime {
		p.falseProbes++
		p.falseFrom = p.low
	} else if was > p.carried || !p.fresh(now) {
		p.carried = was
	}
	if !p.missing(now, was) {
		p.carriedAt = now
	}
	p.raised, p.chain, p.wider = false, 0, false
	p.current.stale = true
	p.fallen, p.fellAt = true, now
	p.since = now + probeSoon<<min(p.falseProbes, 1)/2
}

// refuted reports whether far more arrives, in bit/s, than the estimate at the last false probe.
func (p *prober) refuted(carried float64) bool {
	return p.falseProbes > 0 && carried > probeRefutes*p.falseFrom
}

// widened records that the path carries more than when it was last full.
func (p *prober) widened(now time.Duration) {
	if p.fallen && now-p.lastAt < probeCalm {
		return // a token bucket let the probe through
	}
	p.wider, p.falseProbes = true, 0
}

// silent records that feedback has stopped.
func (p *prober) silent() { p.current = cluster{} }

// returned records that feedback has resumed.
func (p *prober) returned() { p.back = true }
