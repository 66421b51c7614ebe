package congestion

import (
	"runtime"
	"testing"
	"time"
)

func TestNumbersWrap(t *testing.T) {
	l := newSimLink(5_000_000)
	c := newCall(1_000_000)
	c.next, c.from = 1<<16-500, 1<<16-500
	simulate(l, 0, 2*time.Second, nil, c)
	before := c.target()
	probes := c.control.Probes()
	simulate(l, 2*time.Second, 20*time.Second, nil, c)
	if c.next < 1<<16 {
		t.Fatal("no wrap")
	}
	if c.target() < before || probes == 0 {
		t.Errorf("%.0f bit/s after the numbers wrapped, %.0f before", c.target(), before)
	}
}

func TestFourHours(t *testing.T) {
	if testing.Short() {
		t.Skip("4 simulated hours")
	}
	l := newSimLink(2_000_000)
	l.loss, l.step = l.random(0.01), 5*time.Millisecond
	c := newCall(600_000)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	simulate(l, 0, 5*time.Minute, nil, c)
	before, low := heap(), 1e9
	simulate(l, 5*time.Minute, 4*time.Hour, func(time.Duration) { low = min(low, c.target()) }, c)
	if after := heap(); after > before+1<<20 {
		t.Errorf("%d bytes in use after 4 hours, %d after 5 minutes", after, before)
	}
	if low < 600_000 {
		t.Errorf("%.0f bit/s at the least on a path that carries 2 million", low)
	}
}
