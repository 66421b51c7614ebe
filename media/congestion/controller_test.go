package congestion

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestRampsOnFastPath(t *testing.T) {
	for _, delay := range []time.Duration{time.Millisecond, 20 * time.Millisecond, 75 * time.Millisecond} {
		l := newSimLink(50_000_000)
		l.delay = delay
		c := newCall(3_000_000)
		reached := time.Duration(0)
		simulate(l, 0, 2*time.Second, trace(t, 200*time.Millisecond, l, c, func(now time.Duration) {
			if reached == 0 && c.target() >= 2_500_000 {
				reached = now
			}
		}), c)
		t.Logf("delay %v: 2.5 Mbit/s after %v", delay, reached)
		if reached == 0 {
			t.Errorf("delay %v: %.0f bit/s after 2 s, want 2.5 million", delay, c.target())
		}
	}
}

func TestFallsAndRecovers(t *testing.T) {
	const drop, back = 20 * time.Second, 40 * time.Second
	for _, buffer := range []time.Duration{50 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second} {
		l := newSimLink(2_500_000)
		l.buffer = buffer
		c := newCall(3_000_000)
		var fell, rose time.Duration
		simulate(l, 0, 60*time.Second, trace(t, time.Second, l, c, func(now time.Duration) {
			switch now {
			case drop:
				l.turn(now, 400_000)
			case back:
				l.turn(now, 2_500_000)
			}
			if now > drop && fell == 0 && c.target() <= 480_000 {
				fell = now - drop
			}
			if now > back && rose == 0 && c.target() >= 0.9*2_500_000 {
				rose = now - back
			}
		}), c)
		t.Logf("queue of %v: fell in %v, rose in %v", buffer, fell, rose)
		if fell == 0 || fell > time.Second {
			t.Errorf("queue of %v: fell to the new rate in %v, want at most 1 s", buffer, fell)
		}
		if rose == 0 || rose > 8*time.Second {
			t.Errorf("queue of %v: back at 90%% in %v, want at most 8 s", buffer, rose)
		}
	}
}

// TestFallsAndRecoversAnywhere is a path that narrows and widens again, with what real ones have: a
// token bucket before the queue, readers that are late, losses that are put right.
func TestFallsAndRecoversAnywhere(t *testing.T) {
	paths := 96
	if testing.Short() {
		paths = 24
	}
	var rises []time.Duration
	rescues := 0
	for n := range uint64(paths) {
		l := newSimLink(2_500_000)
		l.rng = rand.New(rand.NewPCG(n, 7))
		l.burst = 8 * []float64{0, 2_000, 8_192, 32_000}[n%4]
		l.delay = []time.Duration{time.Millisecond, 20 * time.Millisecond, 60 * time.Millisecond}[n%3]
		l.late = func() time.Duration {
			return min(time.Duration(l.rng.ExpFloat64()*float64(time.Millisecond)), 15*time.Millisecond)
		}
		v := narrowed(t, l, 20*time.Second+l.until(5*time.Second), 32*time.Second+l.until(5*time.Second))
		t.Logf("path %d, bucket %.0f, %v each way: %.0f kbit/s, fell in %v, rose in %v, %d rescues", n, l.burst/8, l.delay, v.before/1000, v.fell, v.rose, v.rescues)
		most := time.Second
		if l.burst > 100_000 {
			most = 3 * time.Second // the bucket is two thirds of a second of what the path now carries
		}
		if v.fell == 0 || v.fell > most {
			t.Errorf("path %d: fell to the new rate in %v, want at most %v", n, v.fell, most)
		}
		if v.rose == 0 || v.rose > 8*time.Second {
			t.Errorf("path %d: back at 90%% in %v, want at most 8 s", n, v.rose)
		}
		rises, rescues = append(rises, v.rose), rescues+v.rescues
	}
	slices.Sort(rises)
	each := float64(rescues) / float64(paths)
	t.Logf("median rise %v, %.2f rescues a path", rises[paths/2], each)
	if !testing.Short() && (rises[paths/2] > 5*time.Second || each > 0.3) { // the mean of 24 paths says little
		t.Errorf("median rise %v, %.2f rescues on a narrow path; want at most 5 s and 0.3", rises[paths/2], each)
	}
}

// narrowing is how a call took that its path narrowed and widened again.
type narrowing struct {
	before     float64 // rate, bit/s
	fell, rose time.Duration
	rescues    int // keyframes asked for between, from 3 s after it narrowed
}

// narrowed runs a call over a link that narrows to 400 kbit/s at one time and widens at another.
func narrowed(t *testing.T, l *simLink, narrow, wide time.Duration) (v narrowing) {
	const lookback, settle = 4 * time.Second, 3 * time.Second
	c := newCall(3_000_000)
	c.every = 50 * time.Millisecond
	c.mends = newMends()
	full, bytes := l.rate, 0
	simulate(l, 0, wide+20*time.Second, trace(t, time.Second, l, c, func(now time.Duration) {
		switch now {
		case narrow - lookback:
			bytes = c.bytes
		case narrow:
			v.before = float64(c.bytes-bytes) * 8 / lookback.Seconds()
			l.turn(now, 400_000)
		case narrow + settle:
			v.rescues = c.mends.keyframes
		case wide:
			v.rescues = c.mends.keyframes - v.rescues
			l.turn(now, full)
		}
		if now > narrow && v.fell == 0 && c.target() <= 480_000 {
			v.fell = now - narrow
		}
		if now > wide && v.rose == 0 && c.target() >= 0.9*v.before {
			v.rose = now - wide
		}
	}), c)
	return v
}

func TestRandomLossIsNoCongestion(t *testing.T) {
	for _, loss := range []float64{0.05, 0.1, 0.2, 0.3} {
		l := newSimLink(50_000_000)
		l.loss, l.lossy = l.random(loss), loss
		c := newCall(2_500_000)
		low, below := 1e9, 0
		simulate(l, 0, 60*time.Second, trace(t, 2*time.Second, l, c, func(now time.Duration) {
			if now > 2*time.Second {
				low = min(low, c.target())
				if c.target() < 1_000_000 {
					below++
				}
			}
		}), c)
		t.Logf("%.0f%%: at the end %.0f, least %.0f, below 1 Mbit/s for %v", 100*loss, c.target(), low, time.Duration(below)*simStep)
		if c.target() < 1_000_000 || time.Duration(below)*simStep > 2*time.Second {
			t.Errorf("%.0f%% random loss: %.0f bit/s at the end, below 1 million for %v; want more, but for 2 s", 100*loss, c.target(), time.Duration(below)*simStep)
		}
	}
}

// TestTrialIsNoChance: what a trial shows counts only where chance does not explain it.
func TestTrialIsNoChance(t *testing.T) {
	for _, c := range []struct {
		name                            string
		inherent, before, of, share, in float64
		limited                         bool
	}{
		{"few lost more than usual, by chance", 0.2, 0.42, 20, 0.27, 60, false},
		{"as much is lost", 0, 0.3, 40, 0.3, 60, false},
		{"a policer", 0, 0.12, 60, 0, 60, true},
		{"a policer at half", 0, 0.5, 30, 0, 60, true},
		{"a policer where much is lost", 0.2, 0.6, 40, 0.22, 60, true},
	} {
		b := lossBound{inherent: c.inherent, known: true}
		b.try(0, c.before, c.of, 500_000)
		b.judge(time.Second, c.share, c.in)
		if got := b.bound > 0; got != c.limited {
			t.Errorf("%s: limited %v, want %v", c.name, got, c.limited)
		}
	}
}

// TestEasesOnceAfterAProbe: after a long probe that filled a queue, less may be sent until that queue is empty, or
// for easeMost. The estimate stays.
func TestEasesOnceAfterAProbe(t *testing.T) {
	for _, c := range []struct {
		name  string
		queue time.Duration
		until time.Duration
	}{
		{"the queue is empty at once", 0, easeLeast},
		{"the queue stays", 80 * time.Millisecond, easeMost},
	} {
		k := New(testBounds)
		k.probes.current = cluster{probe: Probe{ID: 1, Long: true}, hindered: true, over: true}
		k.base.now = c.queue
		for now := time.Second; now <= 3*time.Second; now += 10 * time.Millisecond {
			k.drainProbe(now)
			want := testBounds.Start
			if now <= time.Second+c.until {
				want = int(easeShare * float64(testBounds.Start))
			}
			if k.Allowed() != want || k.Estimate() != testBounds.Start {
				t.Fatalf("%s: %d of an estimate of %d allowed after %v, want %d", c.name, k.Allowed(), k.Estimate(), now-time.Second, want)
			}
		}
	}
}

// TestShortLongProbeEases: a long probe that fills a queue before it is half sent measures nothing, but its queue
// has to become empty too.
func TestShortLongProbeEases(t *testing.T) {
	for _, hindered := range []bool{true, false} {
		p := newProber(testBounds)
		p.current = cluster{probe: Probe{ID: 1, Long: true, Bytes: probeLongBytes}, hindered: hindered, packets: probeCount, bytes: probeLongBytes / 4}
		p.end(time.Second, 1)
		if p.filled() != hindered || p.filled() {
			t.Errorf("hindered %v: it filled a queue: want %v, once", hindered, hindered)
		}
	}
}
