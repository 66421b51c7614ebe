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

	probeWait  = 400 * time.Millisecond // for the rest of a probe's packets
	probeCalm  = time.Second            // without overuse before a probe
	probeProof = 500 * time.Millisecond // of media at the new rate before the next step,
	// once the path was seen to have a limit: a token bucket lets a short burst through.

	// After a fall the path may be free again at any moment: probeSoon between probes while
	// the fall is no older than probeFall, else probeLate. A probe that was followed by a fall within lieTime
	// doubles the pause, to probeSeldom at most.
	probeSoon   = 2500 * time.Millisecond
	probeLate   = 5 * time.Second
	probeSeldom = 30 * time.Second
	probeFall   = 60 * time.Second
	probeFresh  = 60 * time.Second
	lieTime     = 2 * time.Second
)

// cluster is a probe on its way.
type cluster struct {
	probe                     Probe
	firstSent, lastSent       time.Duration
	bytes, packets, lastBytes int // sent
	ended                     time.Duration
	over                      bool

	// Of the packets that arrived.
	gotPackets, gotBytes int
	gotFirst, gotLast    time.Duration // sent
	arrFirst, arrLast    time.Duration // arrived
	sizeFirstArr         int
	sizeLast             int
}

// prober decides when to probe at what rate, and what came of it.
type prober struct {
	cfg     Config
	count   uint64
	current cluster // its probe's ID is 0 while there is none
	begun   bool

	chain    float64 // rate of the next step, 0 for none
	chainAt  time.Duration
	nextAt   time.Duration // of a periodic probe
	former   float64       // estimate before the last fall
	formerAt time.Duration
	fellAt   time.Duration
	fallen   bool
	raisedAt time.Duration
	raised   bool
	lies     int
	back     bool // the path was silent and is heard again
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
	rate := p.due(now, s)
	rate = min(rate, float64(p.cfg.Max), probeMargin*s.want)
	if rate < 1.1*s.target {
		return Probe{}, false
	}
	if p.raised && now-p.raisedAt > lieTime {
		p.lies, p.raised = 0, false // the last one was true
	}
	p.chain, p.back = 0, false
	p.nextAt = now + p.pause(now)
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
	case now < p.nextAt:
		return 0
	case p.fresh(now) && p.former > 1.25*s.target:
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

func (p *prober) pause(now time.Duration) time.Duration {
	if p.fallen && now-p.formerAt < probeFall {
		return min(probeSoon<<min(p.lies, 1), probeLate)
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
	if c.gotPackets == 0 || at < c.arrFirst {
		c.arrFirst, c.sizeFirstArr = at, int(s.size)
	}
	if c.gotPackets == 0 || s.at < c.gotFirst {
		c.gotFirst = s.at
	}
	if c.gotPackets == 0 || s.at >= c.gotLast {
		c.gotLast, c.sizeLast = s.at, int(s.size)
	}
	c.arrLast = max(c.arrLast, at)
	c.gotPackets++
	c.gotBytes += int(s.size)
}

// result returns the rate in bit/s that the probe on its way has shown, once it has.
func (p *prober) result(now time.Duration, inherent float64) (float64, bool) {
	c := &p.current
	if c.probe.ID == 0 || !c.over || c.gotPackets < c.packets && now-c.ended < probeWait {
		return 0, false
	}
	done := *c
	p.current = cluster{}
	rate, clear, ok := done.measure(inherent)
	if !ok {
		return 0, false
	}
	p.raised, p.raisedAt = true, now
	if clear {
		p.chain, p.chainAt = probeNext*rate, now
		if p.fallen {
			p.chainAt = now + probeProof
		}
	}
	return rate, true
}

// measure compares how fast a probe left with how fast it arrived, and says whether it
// arrived unhindered.
func (c *cluster) measure(inherent float64) (rate float64, clear, ok bool) {
	sent, got := c.gotLast-c.gotFirst, c.arrLast-c.arrFirst
	if c.gotPackets < 4 || c.gotBytes < c.bytes*2/5 || sent <= 0 || got <= 0 || c.lastSent <= c.firstSent {
		return 0, false, false
	}
	out := float64(c.gotBytes-c.sizeLast) * 8 / sent.Seconds()
	in := float64(c.gotBytes-c.sizeFirstArr) * 8 / got.Seconds()
	if in > 2*out {
		return 0, false, false // bunched on the way: says nothing of the path
	}
	rate = float64(c.bytes-c.lastBytes) * 8 / (c.lastSent - c.firstSent).Seconds()
	part := min(in/out, 1)
	if kept := float64(c.gotPackets) / float64(c.packets) / (1 - inherent); kept < 0.85 {
		part *= kept
	}
	if part >= probeClear {
		return min(rate, 1.1*float64(c.probe.Rate)), true, true
	}
	return probeFull * rate * part, false, true
}

// fell takes that the estimate, in bit/s, is about to be lowered.
func (p *prober) fell(now time.Duration, was float64) {
	if p.raised && now-p.raisedAt < lieTime {
		p.lies++
	} else if was > p.former || !p.fresh(now) {
		p.former, p.formerAt = was, now
	}
	p.raised, p.chain = false, 0
	p.fallen, p.fellAt = true, now
	p.nextAt = max(p.nextAt, now+p.pause(now)/2)
}

// silent takes that nothing is heard of the path.
func (p *prober) silent() { p.current = cluster{} }

// returned takes that the path is heard again.
func (p *prober) returned() { p.back = true }
