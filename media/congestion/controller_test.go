package congestion

import (
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
				l.rate = 400_000
				l.free = now + (l.free-now)*25/4
			case back:
				l.rate = 2_500_000
				l.free = now + (l.free-now)*4/25
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
