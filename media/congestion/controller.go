// Package congestion decides how much a path carries, and when each packet leaves.
package congestion

import (
	"cmp"
	"slices"
	"time"
)

// Config bounds the estimate, in bit/s.
type Config struct {
	Start, Min, Max int
}

// Controller estimates what a path carries from what was sent and what the other side says
// arrived, and asks for probes. It is pure: time comes in as a duration since an epoch of the
// caller's that does not change, nothing goes out but return values. It is not safe for
// concurrent use.
//
// Two estimates stand beside each other and the lower one counts: one by delay (trend.go,
// rate.go), which sees a queue grow, and one by loss (loss.go), which sees a path without a
// queue throw packets away. Probes (probe.go) lift the first.
type Controller struct {
	cfg     Config
	history history
	groups  groups
	trend   trend
	rate    delayRate
	loss    lossBound
	arrived meter // bytes the other side got, by its clock
	sent    meter // bytes we sent, by ours
	probes  prober
	silence silence
	fall    collapse
	hold    hold
	held    bool          // hold was active when last looked at
	grace   time.Duration // until then a queue is that of our own probe
	ease    bool          // less is sent until that is empty, since easeFrom

	easeFrom time.Duration
	swollen  time.Duration // until then what arrived has a probe in it that was more than the path carries
	rtt      time.Duration // smoothed, with the wait for feedback in it
	base     baseDelay
	proven   float64       // what arrived at the most lately, bit/s: a peak that decays
	decided  time.Duration // when that was last looked at
	want     int           // what the application would send if it could, bit/s

	expect uint16 // sequence number that the next feedback begins with
	heard  bool   // there was feedback
}

// New returns a controller for one path.
func New(cfg Config) *Controller {
	c := &Controller{cfg: cfg, want: cfg.Max, rtt: initialRTT}
	c.trend = newTrend()
	c.rate = delayRate{target: float64(cfg.Start), min: float64(cfg.Min), max: float64(cfg.Max)}
	c.probes = newProber(cfg)
	return c
}

// initialRTT is assumed until there is feedback; libwebrtc's default.
const initialRTT = 200 * time.Millisecond

// rateWindow is the time over which rates are measured where nothing is urgent: some frames
// of video, so that it does not matter where in a frame the window ends.
const rateWindow = 500 * time.Millisecond

// Want tells how much the application would send if the path carried it, in bit/s. There is
// no probing for more.
func (c *Controller) Want(bits int) {
	c.want = min(max(bits, c.cfg.Min), c.cfg.Max)
}

// Estimate is what the path carries for everything we send on it, in bit/s.
func (c *Controller) Estimate() int {
	t := c.rate.target
	if b := c.loss.bound; b > 0 {
		t = min(t, b)
	}
	return int(max(t, float64(c.cfg.Min)))
}

// Allowed is what may be sent now, in bit/s: the estimate, or less until the queue of a probe is empty.
func (c *Controller) Allowed() int {
	if c.ease {
		return int(max(easeShare*float64(c.Estimate()), float64(c.cfg.Min)))
	}
	return c.Estimate()
}

// Limited says whether the path carries less than the application wants to send.
func (c *Controller) Limited() bool { return c.Estimate() < c.want }

// Loss is the share of packets lost lately, 0 to 1.
func (c *Controller) Loss() float64 { return c.loss.recent }

// RTT is the round-trip time, the wait for feedback included.
func (c *Controller) RTT() time.Duration { return c.rtt }

// Delivered is the rate at which packets arrived lately, in bit/s.
func (c *Controller) Delivered() int { return int(c.arrived.rate(rateWindow)) }

// Sent notes a packet that leaves now: its transport-wide sequence number, its size in
// bytes and the probe it belongs to, 0 for none.
func (c *Controller) Sent(now time.Duration, seq uint16, size int, probe uint32) {
	if !c.heard && c.history.empty() {
		c.expect = seq
	}
	c.history.add(seq, size, now, probe)
	c.sent.add(now, size)
	if probe != 0 {
		c.probes.sent(probe, size, now)
	}
	c.silence.sent(now)
	c.Tick(now)
}

// Again notes that a packet leaves once more, the same to the bit and so with the same number.
func (c *Controller) Again(now time.Duration, seq uint16) {
	p := c.history.find(seq)
	if p == nil {
		return
	}
	p.again = true
	if p.state == inFlight {
		p.state = lost // or it would not have been asked for
		c.loss.count(p, now)
	}
}

// Tick takes account of feedback that does not come. There is no need to call it while
// nothing is sent.
func (c *Controller) Tick(now time.Duration) {
	if c.silence.due(now, c.rtt) {
		c.fell(now, c.rate.target)
		c.rate.cut(now, silenceCut*float64(c.Estimate()))
		c.probes.silent()
	}
}

// Feedback takes one report of what has arrived, in the order of its numbers, and puts it into
// another order.
func (c *Controller) Feedback(now time.Duration, report []Status) {
	if len(report) == 0 {
		return
	}
	returned := c.silence.heard(now)
	c.bridge(report[0].Seq)
	usage := c.trend.usage
	last := time.Duration(-1)
	end := report[len(report)-1].Seq + 1
	// Each arrival is compared with the one before it, as in libwebrtc's SortedByReceiveTime: by
	// their numbers, one that was overtaken would look like a queue that grows.
	slices.SortStableFunc(report, func(a, b Status) int { return cmp.Compare(a.At, b.At) })
	for i := range report {
		s := &report[i]
		p := c.history.find(s.Seq)
		if p == nil {
			continue
		}
		if !s.Received {
			if p.state == inFlight {
				p.state = lost
				c.loss.count(p, now)
			}
			continue
		}
		if p.state == acked {
			continue
		}
		if p.again {
			p.state = acked
			c.arrived.add(s.At, int(p.size))
			continue
		}
		if p.state == lost {
			c.loss.found()
		} else {
			p.state = acked
			c.loss.count(p, now)
		}
		p.state = acked
		last = max(last, p.at)
		c.arrive(now, p, s.At)
	}
	if !c.heard || int16(end-c.expect) > 0 {
		c.expect = end
	}
	c.heard = true
	if last >= 0 {
		c.rtt += (now - last - c.rtt) / 8
	}
	if returned {
		c.trend.reset()
		c.groups.reset()
		c.fall.reset()
		c.probes.returned()
	}
	c.decide(now, usage != overuse && c.trend.usage == overuse)
}

// arrive takes one packet that the other side got at the given time of its clock.
func (c *Controller) arrive(now time.Duration, p *sentPacket, at time.Duration) {
	c.arrived.add(at, int(p.size))
	c.base.add(now, at-p.at)
	c.hold.arrived(p.at)
	if p.probe != 0 {
		// Probes fill the queue on purpose.
		c.probes.arrived(p, at)
		c.fall.reset()
		return
	}
	c.fall.add(p.at, at, int(p.size))
	if d, ok := c.groups.add(p.at, at, now); ok {
		c.trend.update(d, c.base.rival)
	}
}

// bridge credits packets that a lost report would have told about as if they had fared like
// the others; otherwise losing feedback would look like a slower path.
func (c *Controller) bridge(first uint16) {
	if !c.heard {
		return
	}
	gap := first - c.expect
	if gap == 0 || gap > historySize/2 {
		return
	}
	for ; c.expect != first; c.expect++ {
		if p := c.history.find(c.expect); p != nil && p.state == inFlight {
			c.arrived.credit(int(float64(p.size) * (1 - c.loss.recent)))
		}
	}
}

// decide turns what was measured into a new estimate.
func (c *Controller) decide(now time.Duration, fresh bool) {
	carried := c.carried(rateWindow)
	c.proven = max(carried, c.proven*(1-min((now-c.decided).Seconds()/provenSpan.Seconds(), 1)))
	c.decided = now
	was := c.rate.target
	c.drainProbe(now)
	if held := c.hold.active(now); held != c.held {
		c.held = held
		if !held {
			c.rate.drained(c.carried(shortWindow))
		}
	}
	if rate, ok := c.fall.take(); ok && rate < c.sudden()*c.rate.target {
		c.fell(now, was)
		c.rate.collapse(now, rate)
		c.base.gaveWay(now)
		c.hold.begin(now)
	} else if c.hold.active(now) {
		// What arrives now left before the fall was seen.
		c.rate.bounceAt = now
	} else if c.trend.usage == overuse && (now < c.grace || c.ease && c.base.queue() < easeQueue) {
		// The queue is that of our own probe.
	} else if c.trend.usage == overuse {
		if c.rate.mayCut(now, c.rtt) || fresh {
			short := min(c.carried(shortWindow), carried)
			c.fell(now, was)
			c.rate.overuse(now, short, c.base.queue())
			c.base.gaveWay(now)
		}
	} else {
		if now < c.swollen {
			carried = min(carried, c.rate.capacity.high())
		}
		if !c.base.rival && (carried > c.rate.capacity.high() || c.probes.refuted(carried)) {
			c.probes.widened(now)
		}
		c.rate.advance(now, c.trend.usage, carried, c.rtt, c.base.queue(), c.base.rival)
	}
	if was := float64(c.Estimate()); c.loss.decide(now, c.rate.target, carried) {
		c.fell(now, was)
	} else if c.base.rival && c.loss.over > rivalLoss && c.rate.mayCut(now, rivalPause) {
		c.rate.cut(now, rivalCut*min(c.rate.target, carried))
	}
	c.loss.over = 0
	if r, full, ok := c.probes.result(now, float64(c.Estimate()), c.loss.inherent); ok && c.trend.usage != overuse {
		c.rate.raise(now, r)
		c.loss.raise(r)
		if full {
			c.rate.capacity = capacity{}
			c.rate.capacity.add(r)
			c.swollen = now + probeSwells
		}
	}
}

// drainProbe waits for the queue that a long probe has filled to become empty.
func (c *Controller) drainProbe(now time.Duration) {
	if c.probes.filled() {
		c.grace, c.easeFrom, c.ease = now+probeGrace, now, true
	}
	if age := now - c.easeFrom; c.ease && age > easeLeast && (c.base.queue() < probeIdle || age > easeMost) {
		c.ease = false
	}
	if c.grace > 0 && now >= c.grace && !c.ease {
		c.grace = 0
		if c.base.queue() < probeIdle {
			// How that queue grew says nothing of what is sent now.
			c.trend.reset()
			c.groups.reset()
		}
	}
}

// sudden is the share of the estimate below which what arrives is a sudden fall. A rival that begins
// takes some of the path at once, but not most of it.
func (c *Controller) sudden() float64 {
	if c.base.rival {
		return rivalFall
	}
	return bigFall
}

// fell tells the prober that an estimate is about to be lowered.
func (c *Controller) fell(now time.Duration, was float64) { c.probes.fell(now, min(was, c.proven)) }

// provenSpan is the time in which what once arrived is forgotten.
const provenSpan = 10 * time.Second

// carried is how fast we could send for as much to arrive as does, were nothing lost but
// what is lost at any rate, in bit/s.
func (c *Controller) carried(window time.Duration) float64 {
	return c.arrived.rate(window) / (1 - c.loss.inherent)
}

// AppLimited says whether less is sent than the path carries.
func (c *Controller) AppLimited(now time.Duration) bool {
	c.sent.move(now)
	return c.sent.rate(rateWindow) < appLimitedShare*float64(c.Estimate())
}

// appLimitedShare follows libwebrtc's AlrDetector (bandwidth usage ratio 0.65).
const appLimitedShare = 0.65

// Hold says whether video has to wait for the queue on the path to empty, see hold.
func (c *Controller) Hold(now time.Duration) bool { return c.hold.active(now) }

// NextProbe returns the probe to send now, if one is due. Its packets are to be reported to
// Sent with its ID. Call EndProbe when it has been sent, or could not be.
func (c *Controller) NextProbe(now time.Duration) (Probe, bool) {
	return c.probes.next(now, probeState{
		target: float64(c.Estimate()), want: float64(c.want),
		overused: c.trend.usage == overuse || !c.base.rival && c.base.queue() > probeIdle, appLimited: c.AppLimited(now),
		lossy: c.loss.testing(),
	})
}

// EndProbe says that no more packets of the probe will be sent.
func (c *Controller) EndProbe(now time.Duration, id uint32) { c.probes.end(now, id) }

// Hindered says whether the probe that is being sent fills a queue, and is to end.
func (c *Controller) Hindered() bool { return c.probes.hindered() }

// Probes is how many probes were sent.
func (c *Controller) Probes() uint64 { return c.probes.count }
