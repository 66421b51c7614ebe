package congestion

import "time"

// Probe is a short burst at a higher rate than the estimate. How fast it arrives shows
// whether the path carries that.
type Probe struct {
	ID      uint32
	Rate    int // bit/s
	Bytes   int // to send at least
	Packets int // to send at least
}

// Constants of probing, after libwebrtc's ProbeController and ProbeBitrateEstimator where
// nothing else is said.
const (
	probeFirst  = 3   // times the start rate
	probeNext   = 2   // times the estimate
	probeShy    = 1.3 // the same after one that lied: a token bucket lets the next through as well
	probeSpan   = 25 * time.Millisecond
	probeBytes  = 4800 // at least: fewer packets measure nothing
	probeCount  = 5    // packets, at least
	probeMargin = 1.3  // of what is wanted: more need not be known

	// probeClear is the part of a probe's rate that has to arrive for the path to be
	// unlimited by it; below, what arrives is the limit, of which probeFull is taken.
	probeClear = 0.9
	probeFull  = 0.95
	probeKept  = 0.85 // of its packets: when more are lost, so is the rest of the rate

	probeWait  = 400 * time.Millisecond // for the rest of a probe's packets
	probeCalm  = time.Second            // without overuse before a probe
	probeProof = 500 * time.Millisecond // of media at the new rate before the next step,
	// once the path was seen to have a limit: a token bucket lets a short burst through. Half
	// as long again after a lie.

	// While the path carries less than it did within probeFresh, it may be free again at any moment:
	// probeSoon between probes then, else probeLate. A probe that was followed by a fall within lieTime
	// lied: the pause doubles, once while less than probeTire has passed, to probeSeldom at most.
	probeSoon   = 2500 * time.Millisecond
	probeLate   = 5 * time.Second
	probeSeldom = 30 * time.Second
	probeTire   = 20 * time.Second
	probeFresh  = 60 * time.Second
	lieTime     = 2 * time.Second
	// probeOther is the share of the estimate at the last lie below which the path is another.
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
	stale                     bool // the estimate fell after it began

	// Of the packets that arrived.
	gotPackets, gotBytes int
	small, large         span
}

// span is how far apart the first and the last of a probe's packets of one size left and arrived.
// A packet that takes its time on the path arrives the later the larger it is: had the ends not one
// size, a probe that begins with a frame and ends with padding would seem to be hindered by any path.
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

	chain    float64 // rate of the next step, 0 for none
	chainAt  time.Duration
	lastAt   time.Duration // of a probe
	since    time.Duration // no periodic probe before
	former   float64       // what the path carried before a fall, the most of late
	formerAt time.Duration // when it last did
	fellAt   time.Duration
	fallen   bool
	raisedAt time.Duration
	raised   bool
	low      float64 // estimate that the last probe raised
	lies     int
	liedOf   float64 // the same of the last that lied
	back     bool    // the path was silent and is heard again
	wider    bool    // it carries more than it did when it was last full
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
	if p.raised && now-p.raisedAt > lieTime {
		p.lies, p.raised = 0, false // the last one was true
	}
	if s.target < probeOther*p.liedOf {
		p.lies = 0 // they were of another path
	}
	rate := p.due(now, s)
	rate = min(rate, float64(p.cfg.Max), probeMargin*s.want)
	if rate < 1.1*s.target {
		return Probe{}, false
	}
	p.chain, p.back, p.wider = 0, false, false
	p.lastAt = now
	p.count++
	probe := Probe{
		ID: uint32(p.count), Rate: int(rate), Packets: probeCount,
		Bytes: max(int(rate/8*probeSpan.Seconds()), probeBytes),
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
		if now < p.chainAt {
			return 0
		}
		return p.chain
	case p.back:
		return max(probeNext*s.target, p.former/2)
	case p.wider:
		return probeNext * s.target
	case now < p.since || now < p.lastAt+p.pause(now, s.target):
		return 0
	case p.missing(now, s.target):
		return min(p.step()*s.target, probeMargin*p.former)
	case s.target < s.want && (s.appLimited || !p.fallen || now-p.fellAt > probeLate):
		return p.step() * s.target
	}
	return 0
}

// step is by how much a probe is above the estimate that it starts from.
func (p *prober) step() float64 {
	if p.lies > 0 {
		return probeShy
	}
	return probeNext
}

func (p *prober) fresh(now time.Duration) bool { return p.fallen && now-p.fellAt < probeFresh }

// missing says whether the path carried more than the estimate not long ago.
func (p *prober) missing(now time.Duration, target float64) bool {
	return p.fresh(now) && target < probeLess*p.former
}

func (p *prober) pause(now time.Duration, target float64) time.Duration {
	if p.missing(now, target) {
		return min(probeSoon<<min(p.lies, 1+int((now-p.formerAt)/probeTire)), probeSeldom)
	}
	return min(probeLate<<min(p.lies, 3), probeSeldom)
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
}

func (p *prober) end(now time.Duration, id uint32) {
	c := &p.current
	if c.probe.ID != id {
		return
	}
	if c.packets < probeCount || c.bytes < c.probe.Bytes/2 {
		p.current = cluster{} // could not be sent
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
	if s.size < probeLarge {
		c.small.add(s.at, at)
	} else {
		c.large.add(s.at, at)
	}
	c.gotPackets++
	c.gotBytes += int(s.size)
}

// result returns the rate in bit/s that the probe on its way has shown, once it has. If the path
// carried the probe, or much more than the estimate, another step follows.
func (p *prober) result(now time.Duration, target, inherent float64) (float64, bool) {
	c := &p.current
	if c.probe.ID == 0 || !c.over || c.gotPackets < c.packets && now-c.ended < probeWait {
		return 0, false
	}
	done := *c
	p.current = cluster{}
	rate, clear, ok := done.measure(inherent)
	if !ok || done.stale {
		return 0, false
	}
	if rate > target {
		p.raised, p.raisedAt, p.low = true, now, target
	}
	if clear || rate > probeShy*target && done.kept(inherent) >= probeKept {
		p.chain, p.chainAt = probeNext*rate, now
		if p.fallen {
			p.chainAt = now + probeProof
			if p.lies > 0 {
				p.chainAt += probeProof / 2
			}
		}
	}
	return rate, true
}

// measure compares how fast a probe left with how fast it arrived, and says whether it
// arrived unhindered.
func (c *cluster) measure(inherent float64) (rate float64, clear, ok bool) {
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

// kept is the share of a probe's packets that arrived, of those that the path does not lose at any rate.
func (c *cluster) kept(inherent float64) float64 {
	return float64(c.gotPackets) / float64(c.packets) / (1 - inherent)
}

// fell takes that the estimate is about to be lowered, and what the path carried until now, in bit/s.
func (p *prober) fell(now time.Duration, was float64) {
	if p.raised && now-p.raisedAt < lieTime {
		p.lies++
		p.liedOf = p.low
	} else if was > p.former || !p.fresh(now) {
		p.former = was
	}
	if !p.missing(now, was) {
		p.formerAt = now
	}
	p.raised, p.chain, p.wider = false, 0, false
	p.current.stale = true
	p.fallen, p.fellAt = true, now
	p.since = now + probeSoon<<min(p.lies, 1)/2
}

// refuted says whether much more arrives, in bit/s, than was estimated when a probe lied.
func (p *prober) refuted(carried float64) bool { return p.lies > 0 && carried > probeRefutes*p.liedOf }

// widened takes that the path carries more than it did when it was last full.
func (p *prober) widened() {
	p.wider, p.lies = true, 0
}

// silent takes that nothing is heard of the path.
func (p *prober) silent() { p.current = cluster{} }

// returned takes that the path is heard again.
func (p *prober) returned() { p.back = true }
