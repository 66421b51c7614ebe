package congestion

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestLateIsNoQueue: on a path with room for everything, packets that were overtaken and copies of
// lost ones, which arrive a round trip or more late, are not taken for a queue, nor where reports
// are lost and the next tells of more than what is new.
func TestLateIsNoQueue(t *testing.T) {
	const start, delay, each, every = 1_500_000, 40 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond
	for _, c := range []struct {
		name  string
		share float64       // of the packets that are late
		by    time.Duration // at least
		again bool          // what is late was lost and left once more
		lossy float64       // of reports
	}{
		{"overtaken", 0.1, 15 * time.Millisecond, false, 0},
		{"copies", 0.3, 100 * time.Millisecond, true, 0},
		{"copies, and reports lost", 0.3, 100 * time.Millisecond, true, 0.3},
	} {
		t.Run(c.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(2, 9))
			control := New(Config{Start: start, Min: 80_000, Max: 12_000_000})
			type packet struct {
				again, at time.Duration // when it leaves once more, 0 for not; when it arrives
				told      bool
			}
			var packets []packet
			for n := range 6000 {
				now := time.Duration(n) * each
				control.Sent(now, uint16(n), 300, 0)
				p := packet{at: now + delay}
				if rng.Float64() < c.share {
					by := c.by + time.Duration(rng.Int64N(int64(c.by)))
					p.at += by
					if c.again {
						p.again = now + by
					}
				}
				packets = append(packets, p)
				first, last := n, -1
				for i := max(n-50, 0); i <= n; i++ {
					p := &packets[i]
					if p.again > 0 && p.again <= now {
						control.Again(now, uint16(i))
						p.again = 0
					}
					if p.at <= now {
						last = i
						if !p.told {
							first = min(first, i)
						}
					}
				}
				if now%every != 0 || last < first {
					continue
				}
				var report []Status // of the first that is news to the newest, as Pion makes them
				for i := first; i <= last; i++ {
					p := &packets[i]
					p.told = p.at <= now
					report = append(report, Status{Seq: uint16(i), Received: p.told, At: p.at})
				}
				if rng.Float64() < c.lossy {
					continue
				}
				control.Feedback(now, report)
				if control.trend.usage == overuse {
					t.Fatalf("after %v: %d bit/s", now, control.Estimate())
				}
			}
			t.Logf("%d bit/s, loss %.2f", control.Estimate(), control.Loss())
			if c.again && control.Loss() < c.share/2 {
				t.Errorf("loss of %.2f, want about %.2f: what arrives the second time was lost the first", control.Loss(), c.share)
			}
		})
	}
}
