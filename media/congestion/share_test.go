package congestion

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestSharesWithDownload(t *testing.T) {
	for _, c := range []struct {
		rate   float64
		buffer time.Duration
	}{
		{3_000_000, 100 * time.Millisecond},
		{3_000_000, 300 * time.Millisecond},
		{6_000_000, 200 * time.Millisecond},
	} {
		l := newSimLink(c.rate)
		l.buffer = c.buffer
		a, b := besideDownload(t, l, 2*time.Second, 20*time.Second, 70*time.Second)
		index := jain(a, b)
		t.Logf("%.0f bit/s, queue of %v: call %.0f, download %.0f, index %.2f", c.rate, c.buffer, a, b, index)
		if index < 0.8 {
			t.Errorf("%.0f bit/s, queue of %v: call %.0f, download %.0f, index %.2f; want 0.8", c.rate, c.buffer, a, b, index)
		}
	}
}

// besideDownload lets a call and a download that begins after 10 s share a link, and returns what each
// gets between two times, in bit/s. The call is traced every so often.
func besideDownload(t *testing.T, l *simLink, every, from, to time.Duration) (us, them float64) {
	c, d := newCall(12_000_000), newDownload(10*time.Second)
	d.delay = l.delay
	var c0, d0 int
	simulate(l, 0, to, trace(t, every, l, c, func(now time.Duration) {
		if now == from {
			c0, d0 = c.bytes, d.bytes
		}
	}), c, d)
	return float64(c.bytes-c0) * 8 / (to - from).Seconds(), float64(d.bytes-d0) * 8 / (to - from).Seconds()
}

// TestSharesWithAnyDownload: a change of how a queue is drained, or of when it is thought to be a
// rival's, shows at some paths and not at others.
func TestSharesWithAnyDownload(t *testing.T) {
	if testing.Short() {
		t.Skip("60 paths; TestSharesWithDownload has three")
	}
	const least = 0.2 // of the path
	sum, n := 0.0, 0
	for _, rate := range []float64{2e6, 3e6, 6e6} {
		for _, buffer := range []time.Duration{100, 200, 300, 500} {
			for _, delay := range []time.Duration{8, 15, 20, 26, 40} {
				l := newSimLink(rate)
				l.buffer, l.delay = buffer*time.Millisecond, delay*time.Millisecond
				a, b := besideDownload(t, l, 0, 30*time.Second, 90*time.Second)
				if share := a / (a + b); share < least {
					t.Errorf("%.0f bit/s, queue of %v, %v each way: we have %.2f of it", rate, l.buffer, l.delay, share)
				}
				sum, n = sum+jain(a, b), n+1
			}
		}
	}
	t.Logf("index %.3f on average of %d paths", sum/float64(n), n)
	if mean := sum / float64(n); mean < 0.92 {
		t.Errorf("index %.3f on average; want 0.92", mean)
	}
}

// TestSharesWithItself lets two calls share paths of many kinds.
func TestSharesWithItself(t *testing.T) {
	paths := 40
	if testing.Short() {
		paths = 8
	}
	const from, to = 45 * time.Second, 105 * time.Second
	sum, used := 0.0, 0.0
	for n := range uint64(paths) {
		l := newSimLink([]float64{1e6, 2e6, 4e6, 8e6}[n%4])
		l.rng = rand.New(rand.NewPCG(n, 1))
		l.buffer = 50*time.Millisecond + l.until(400*time.Millisecond)
		l.delay = 2*time.Millisecond + l.until(50*time.Millisecond)
		a, b := newCall(12_000_000), newCall(12_000_000)
		b.begins = 10*time.Second + l.until(5*time.Second)
		var a0, b0 int
		simulate(l, 0, to, func(now time.Duration) {
			if now == from {
				a0, b0 = a.bytes, b.bytes
			}
		}, a, b)
		x, y := float64(a.bytes-a0)*8/(to-from).Seconds(), float64(b.bytes-b0)*8/(to-from).Seconds()
		index := jain(x, y)
		if index < 0.65 || x+y < 0.7*l.rate {
			t.Errorf("%.0f bit/s, queue of %v, %v each way: %.0f and %.0f, index %.2f; want 0.65 and the link used", l.rate, l.buffer, l.delay, x, y, index)
		}
		sum, used = sum+index, used+(x+y)/l.rate
	}
	sum, used = sum/float64(paths), used/float64(paths)
	t.Logf("index %.3f on average of %d paths, %.2f of them used", sum, paths, used)
	if sum < 0.85 || used < 0.9 {
		t.Errorf("index %.3f on average, %.2f of the paths used; want 0.85 and 0.9", sum, used)
	}
}

// A policer has no queue: loss alone shows it.
func TestPolicer(t *testing.T) {
	l := newSimLink(1_000_000)
	l.policer = true
	c := newCall(3_000_000)
	var sent, bytes int
	simulate(l, 0, 60*time.Second, trace(t, time.Second, l, c, func(now time.Duration) {
		if now == 10*time.Second {
			sent, bytes = c.sent, c.bytes
		}
	}), c)
	out, in := float64(c.sent-sent)*8/50, float64(c.bytes-bytes)*8/50
	t.Logf("sent %.0f, arrived %.0f, lost %.3f", out, in, 1-in/out)
	if in < 700_000 || in < 0.85*out {
		t.Errorf("sent %.0f bit/s through a policer at 1 million, %.0f arrived; want most of the rate and less than 15%% lost", out, in)
	}
}

func TestBurstLoss(t *testing.T) {
	l := newSimLink(50_000_000)
	l.loss = l.gilbert(0.01, 0.1) // 9% of the time in a state that loses half
	c := newCall(2_500_000)
	bytes := 0
	simulate(l, 0, 60*time.Second, trace(t, time.Second, l, c, func(now time.Duration) {
		if now == 10*time.Second {
			bytes = c.bytes
		}
	}), c)
	in := float64(c.bytes-bytes) * 8 / 50
	t.Logf("arrived %.0f", in)
	if in < 1_500_000 {
		t.Errorf("%.0f bit/s of 2.5 million arrived under bursts of loss, want 1.5 million", in)
	}
}

func TestAppLimited(t *testing.T) {
	l := newSimLink(10_000_000)
	c := newCall(300_000)
	c.noPad = true // without probes nothing can show more than is sent
	c.control.rate.target = 500_000
	c.control.Want(500_000)
	low := 1e9
	simulate(l, 0, 120*time.Second, trace(t, 5*time.Second, l, c, func(now time.Duration) {
		if now > 5*time.Second {
			low = min(low, c.target())
		}
	}), c)
	if c.target() > 1_000_000 || low < 400_000 {
		t.Errorf("%.0f bit/s, %.0f at the least, while 380 thousand are sent; want no more than that shows, and no less than before", c.target(), low)
	}
}

func TestProbesWhileAppLimited(t *testing.T) {
	l := newSimLink(10_000_000)
	c := newCall(300_000)
	c.control.Want(3_000_000)
	simulate(l, 0, 30*time.Second, nil, c)
	if c.target() < 2_700_000 || c.target() > 4_500_000 {
		t.Errorf("%.0f bit/s, want about the 3 million that are wanted", c.target())
	}
	if n := c.control.Probes(); n > 8 {
		t.Errorf("%d probes in 30 s although all that is wanted is carried", n)
	}
}

func TestFeedbackLost(t *testing.T) {
	l := newSimLink(10_000_000)
	l.lossy = 0.3
	c := newCall(2_500_000)
	low := 1e9
	simulate(l, 0, 60*time.Second, trace(t, 2*time.Second, l, c, func(now time.Duration) {
		if now > 5*time.Second {
			low = min(low, c.target())
		}
	}), c)
	if low < 1_500_000 {
		t.Errorf("%.0f bit/s at the least while a third of the feedback is lost", low)
	}
}

func TestSilence(t *testing.T) {
	const from, to = 10 * time.Second, 16 * time.Second
	l := newSimLink(5_000_000)
	c := newCall(2_500_000)
	var fell, rose time.Duration
	simulate(l, 0, 30*time.Second, trace(t, time.Second/2, l, c, func(now time.Duration) {
		switch now {
		case from:
			l.loss = func() bool { return true }
		case to:
			l.loss = nil
		}
		if now > from && fell == 0 && c.target() < 1_500_000 {
			fell = now - from
		}
		if now > to && rose == 0 && c.target() > 2_250_000 {
			rose = now - to
		}
	}), c)
	t.Logf("fell in %v, rose in %v", fell, rose)
	if fell == 0 || fell > 2*time.Second {
		t.Errorf("fell in %v, want 2 s at the most", fell)
	}
	if rose == 0 || rose > 8*time.Second {
		t.Errorf("rose in %v, want 8 s at the most", rose)
	}
}

// Another route is longer: that is no congestion, and hides none.
func TestDelaySteps(t *testing.T) {
	const longer, drop = 10 * time.Second, 30 * time.Second
	l := newSimLink(2_500_000)
	c := newCall(3_000_000)
	var fell time.Duration
	low := 1e9
	simulate(l, 0, 32*time.Second, trace(t, time.Second, l, c, func(now time.Duration) {
		switch now {
		case longer:
			l.delay = 80 * time.Millisecond
		case drop:
			l.rate = 400_000
		}
		if now > longer && now < drop {
			low = min(low, c.target())
		}
		if now > drop && fell == 0 && c.target() <= 480_000 {
			fell = now - drop
		}
	}), c)
	t.Logf("%.0f at the least on the longer route, fell in %v", low, fell)
	if low < 1_200_000 {
		t.Errorf("%.0f bit/s at the least after the route became longer", low)
	}
	if fell == 0 || fell > time.Second {
		t.Errorf("fell in %v on the longer route, want 1 s at the most", fell)
	}
}

// A queue counts as somebody else's only when it stays although we have given way.
func TestRivalTakesGivingWay(t *testing.T) {
	var b baseDelay
	const step = 20 * time.Millisecond
	at := time.Duration(0)
	wait := func(d, queue time.Duration) {
		for end := at + d; at < end; at += step {
			// Its ups and downs keep it from being a longer route.
			b.add(at, 30*time.Millisecond+queue+at%(500*time.Millisecond)/10)
		}
	}
	wait(time.Second, 0)
	wait(5*time.Second, 60*time.Millisecond)
	if b.rival {
		t.Error("a queue that nobody has given way to is called a rival's")
	}
	b.gaveWay(at)
	wait(3*time.Second, 60*time.Millisecond)
	if !b.rival {
		t.Error("a queue that stays although we gave way is not called a rival's")
	}
	wait(time.Second, 0)
	if b.rival {
		t.Error("a rival without a queue")
	}
}
