package congestion

import (
	"math/rand/v2"
	"testing"
	"time"
)

// simStep is the grain of simulated time.
const simStep = time.Millisecond / 2

// unit is one packet on the simulated link.
type unit struct {
	owner  endpoint
	seq    int64
	media  int64 // number among the video's packets from 1, 0 for what is never asked for again
	size   int
	arrive time.Duration
}

// endpoint is a flow with both its ends.
type endpoint interface {
	step(now time.Duration, l *simLink)
	arrive(now time.Duration, u unit)
}

// simLink is a bottleneck: a queue of bytes that drops what does not fit, a delay, and loss
// that has nothing to do with the queue.
type simLink struct {
	rate    float64              // bit/s, 0 for no limit
	delay   time.Duration        // one way
	buffer  time.Duration        // the queue holds what the rate sends in this time
	burst   float64              // bits that pass at once after a pause, as a token bucket before a queue has it
	policer bool                 // a token bucket of 16 kB without a queue
	late    func() time.Duration // by how much the other side is late to read
	loss    func() bool
	lossy   float64       // of feedback
	step    time.Duration // of the simulation, if not simStep
	rng     *rand.Rand

	tokens  float64
	filled  time.Duration
	free    time.Duration // when the queue is empty
	flying  []unit
	dropped int
}

func newSimLink(rate float64) *simLink {
	return &simLink{rate: rate, delay: 20 * time.Millisecond, buffer: 300 * time.Millisecond, rng: rand.New(rand.NewPCG(3, 5))}
}

func (l *simLink) random(p float64) func() bool {
	return func() bool { return l.rng.Float64() < p }
}

// turn changes the rate; what waits takes so much longer or shorter.
func (l *simLink) turn(now time.Duration, rate float64) {
	l.free = now + time.Duration(float64(l.free-now)*l.rate/rate)
	l.rate = rate
}

// until is a random time of the simulation below a limit.
func (l *simLink) until(limit time.Duration) time.Duration {
	return time.Duration(l.rng.Int64N(int64(limit))).Truncate(simStep)
}

// gilbert loses in bursts (Gilbert-Elliott): half of the packets in the bad state.
func (l *simLink) gilbert(toBad, toGood float64) func() bool {
	bad := false
	return func() bool {
		if bad {
			bad = l.rng.Float64() >= toGood
		} else {
			bad = l.rng.Float64() < toBad
		}
		return bad && l.rng.Float64() < 0.5
	}
}

func (l *simLink) send(now time.Duration, u unit) {
	if l.loss != nil && l.loss() {
		l.dropped++
		return
	}
	switch {
	case l.policer:
		l.tokens = min(l.tokens+l.rate/8*(now-l.filled).Seconds(), 16_000)
		l.filled = now
		if l.tokens < float64(u.size) {
			l.dropped++
			return
		}
		l.tokens -= float64(u.size)
		u.arrive = now + l.delay
	case l.rate > 0:
		if l.free-now > l.buffer {
			l.dropped++
			return
		}
		saved := time.Duration(l.burst / l.rate * float64(time.Second))
		l.free = max(l.free, now-saved) + time.Duration(float64(u.size)*8/l.rate*float64(time.Second))
		u.arrive = max(l.free, now) + l.delay
	default:
		u.arrive = now + l.delay
	}
	if l.late != nil {
		u.arrive += l.late()
	}
	if n := len(l.flying); n > 0 {
		u.arrive = max(u.arrive, l.flying[n-1].arrive)
	}
	l.flying = append(l.flying, u)
}

func (l *simLink) deliver(now time.Duration) {
	n := 0
	for n < len(l.flying) && l.flying[n].arrive <= now {
		l.flying[n].owner.arrive(l.flying[n].arrive, l.flying[n])
		n++
	}
	l.flying = append(l.flying[:0], l.flying[n:]...)
}

// simulate runs flows over a link for a while; watch sees every step.
func simulate(l *simLink, from, to time.Duration, watch func(now time.Duration), flows ...endpoint) {
	step := max(l.step, simStep)
	for now := from; now < to; now += step {
		for _, f := range flows {
			f.step(now, l)
		}
		l.deliver(now)
		if watch != nil {
			watch(now)
		}
	}
}

// call is our flow: sound, video at the estimate, the pacer, and the other side's reports.
type call struct {
	control *Controller
	pace    pacer
	most    float64 // what the camera sends at the most, bit/s
	every   time.Duration
	noPad   bool
	begins  time.Duration

	next   int64 // sequence number, unwrapped
	frame  time.Duration
	sound  time.Duration
	layer  float64       // rate at which the layer of the picture was chosen
	keys   time.Duration // a keyframe this often, 0 for the first alone
	lastK  time.Duration
	got    map[int64]time.Duration
	from   int64
	report time.Duration
	back   []simReport
	bytes  int // arrived
	sent   int
	maxQ   time.Duration
	skew   time.Duration
	began  bool
	mends  *mends // nil: what is lost stays lost
}

type simReport struct {
	at     time.Duration
	status []Status
}

func newCall(most float64) *call {
	return &call{
		control: New(Config{Start: 1_500_000, Min: 80_000, Max: 12_000_000}), most: most,
		every: 100 * time.Millisecond, got: map[int64]time.Duration{}, skew: 3 * time.Hour,
	}
}

func (c *call) step(now time.Duration, l *simLink) {
	if now < c.begins {
		return
	}
	for len(c.back) > 0 && c.back[0].at <= now {
		c.control.Feedback(now, c.back[0].status)
		c.back = c.back[1:]
	}
	if c.mends != nil {
		c.mends.step(now, l, c)
	}
	c.pace.steer(float64(c.control.Allowed()), c.control.Hold(now))
	if now >= c.sound {
		c.sound = now + 20*time.Millisecond
		c.out(now, l, &packet{size: 140})
	}
	if now >= c.frame && c.most > 0 {
		c.produce(now)
	}
	if c.pace.stale(now) || c.pace.probe.ID != 0 && c.control.Hindered() {
		c.control.EndProbe(now, c.pace.stop())
	}
	for k := c.pace.pop(now); k != nil; k = c.pace.pop(now) {
		c.out(now, l, k)
	}
	for c.pace.allowed(second, now) && c.pace.lack() > 0 && !c.noPad {
		c.out(now, l, &packet{size: 275})
	}
	if now >= c.report {
		c.report = now + c.every
		c.tell(now, l)
	}
}

// produce makes one frame of video at 30 a second.
func (c *call) produce(now time.Duration) {
	c.frame = now + time.Second/30
	if c.pace.probe.ID == 0 { // as Sender looks for a probe to begin: with a frame
		if p, ok := c.control.NextProbe(now); ok {
			c.pace.start(p, now)
		}
	}
	rate := max(min(c.most, c.pace.media()-80_000-c.mends.rate(now)), 30_000)
	size := int(rate / 8 / 30)
	if c.mends != nil && (rate < c.layer/2 || rate > 2*c.layer) {
		c.began, c.layer = false, rate // a picture of another size begins with a keyframe
	}
	if !c.began || c.keys > 0 && now-c.lastK >= c.keys {
		c.began, c.lastK = true, now
		c.mends.renew()
		if c.mends != nil && c.control.Hold(now) {
			c.pace.purge(func(*packet) bool { return true }, func(*packet) {})
		}
		size = max(size*6, 5_000)
	}
	for size > 0 {
		k := &packet{size: min(size, 1180)}
		c.mends.number(k)
		c.pace.push(first, k, now)
		size -= k.size
	}
	c.maxQ = max(c.maxQ, c.pace.wait)
}

func (c *call) out(now time.Duration, l *simLink, k *packet) {
	probe, done := c.pace.spend(k.size)
	c.control.Sent(now, uint16(c.next), k.size, probe)
	if done {
		c.control.EndProbe(now, c.pace.stop())
	}
	l.send(now, unit{owner: c, seq: c.next, media: int64(k.header.Timestamp), size: k.size})
	c.next++
	c.sent += k.size
}

func (c *call) arrive(now time.Duration, u unit) {
	c.got[u.seq] = now
	c.mends.arrive(now, u)
	c.bytes += u.size
}

// tell makes a report as the other side does.
func (c *call) tell(now time.Duration, l *simLink) {
	last := int64(-1)
	for s := range c.got {
		last = max(last, s)
	}
	if last < c.from {
		return
	}
	var r []Status
	for s := c.from; s <= last; s++ {
		at, ok := c.got[s]
		delete(c.got, s)
		// The extension counts in 250 us.
		r = append(r, Status{Seq: uint16(s), Received: ok, At: (at + c.skew).Truncate(250 * time.Microsecond)})
	}
	c.from = last + 1
	if l.rng.Float64() >= l.lossy {
		c.back = append(c.back, simReport{now + l.delay, r})
	}
}

func (c *call) target() float64 { return float64(c.control.Estimate()) }

// download is a TCP flow: slow start, additive increase, halving (RFC 5681), with a packet
// lost seen after a round trip.
type download struct {
	window, threshold float64
	flying            int
	nextSeq           int64
	acks              []tcpAck
	rtt               time.Duration
	recover           int64
	bytes             int
	begins            time.Duration
	expect            int64
	delay             time.Duration
}

type tcpAck struct {
	at time.Duration
	u  unit
}

func newDownload(begins time.Duration) *download {
	return &download{window: 10, threshold: 1000, begins: begins, delay: 20 * time.Millisecond, recover: -1}
}

func (d *download) step(now time.Duration, l *simLink) {
	if now < d.begins {
		return
	}
	for len(d.acks) > 0 && d.acks[0].at <= now {
		seq := d.acks[0].u.seq
		d.acks = d.acks[1:]
		missing := int(seq - d.expect)
		d.flying -= missing + 1
		if missing > 0 && d.expect > d.recover {
			d.window = max(d.window/2, 2)
			d.threshold = d.window
			d.recover = d.nextSeq - 1
		} else if d.window < d.threshold {
			d.window++
		} else {
			d.window += 1 / d.window
		}
		d.expect = seq + 1
	}
	if len(d.acks) == 0 && d.flying >= int(d.window) && now-d.rtt > time.Second {
		d.window, d.flying, d.recover, d.expect = 2, 0, d.nextSeq-1, d.nextSeq // time-out
	}
	for d.flying < int(d.window) {
		l.send(now, unit{owner: d, seq: d.nextSeq, size: 1240})
		d.nextSeq++
		d.flying++
		d.rtt = now
	}
}

func (d *download) arrive(now time.Duration, u unit) {
	if u.seq < d.expect {
		return
	}
	d.bytes += u.size
	d.acks = append(d.acks, tcpAck{now + d.delay, u})
}

// jain is the fairness index of Jain, Chiu and Hawe (1984): 1 is fair, 1/n is one for all.
func jain(x ...float64) float64 {
	var sum, squares float64
	for _, v := range x {
		sum += v
		squares += v * v
	}
	return sum * sum / (float64(len(x)) * squares)
}

// trace logs the estimate every so often under -v.
func trace(t *testing.T, every time.Duration, l *simLink, c *call, more func(now time.Duration)) func(now time.Duration) {
	last, bytes := time.Duration(0), 0
	return func(now time.Duration) {
		if more != nil {
			more(now)
		}
		if every > 0 && now%every == 0 && testing.Verbose() {
			d := (now - last).Seconds()
			if d > 0 {
				t.Logf("%6.2fs target %5.0f got %5.0f delay-rate %5.0f bound %5.0f inherent %.2f loss %.2f queue %3d ms usage %d thr %.1f probes %d former %.0f",
					now.Seconds(), c.target()/1000, float64(c.bytes-bytes)*8/d/1000, c.control.rate.target/1000, c.control.loss.bound/1000,
					c.control.loss.inherent, c.control.loss.recent, max(l.free-now, 0).Milliseconds(), c.control.trend.usage, c.control.trend.threshold,
					c.control.Probes(), c.control.probes.carried/1000)
			}
			last, bytes = now, c.bytes
		}
	}
}
