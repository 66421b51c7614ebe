package congestion

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// TestRouterWithTokenBucket is the path of the bench's fall row, by tc: 2.5 Mbit/s become 400 kbit/s for
// ten seconds, with a token bucket of 8 kB, which lets short probes through, and a queue of 300 ms. The
// queue has to be empty soon after the fall, for sound stands in it too, and the rate has to return soon
// after the path is free again. Probes must not lie: they fill the queue.
func TestRouterWithTokenBucket(t *testing.T) {
	const wide, narrow, bucket = 2_500_000, 400_000, 8 * 8192
	const paths, most = 40, 36 // nine of ten
	var empty, rose []time.Duration
	wrong := 0
	for n := range uint64(paths) {
		l := newSimLink(wide)
		l.rng = rand.New(rand.NewPCG(n, 7))
		l.burst, l.delay = bucket, time.Millisecond
		l.late = func() time.Duration {
			return min(time.Duration(l.rng.ExpFloat64()*float64(time.Millisecond)), 15*time.Millisecond)
		}
		fall := 8*time.Second + l.until(2*time.Second)
		rise := fall + 10*time.Second + l.until(500*time.Millisecond)
		// tc's queue has room for the bucket besides.
		throttle := func(now time.Duration, rate float64) {
			l.turn(now, rate)
			l.buffer = 300*time.Millisecond + time.Duration(bucket/rate*float64(time.Second))
		}
		c := newCall(3_000_000)
		c.every, c.mends = 50*time.Millisecond, newMends()
		c.control.Want(3_080_000)
		var drained, risen time.Duration
		simulate(l, 0, rise+12*time.Second, trace(t, 0, l, c, func(now time.Duration) {
			switch {
			case now == fall:
				throttle(now, narrow)
			case now == rise:
				throttle(now, wide)
			case now > fall+100*time.Millisecond && drained == 0 && l.free-now < 20*time.Millisecond:
				drained = now - fall
			case now > rise && risen == 0 && c.target() > 0.9*0.94*wide: // what our share of it was, headers apart
				risen = now - rise
			}
			if p := &c.control.probes; now > fall+3*time.Second && now < rise && p.falseProbes > 0 && now == p.fellAt {
				wrong++
			}
		}), c)
		if drained == 0 || risen == 0 {
			t.Errorf("path %d: the queue was never empty (%v) or the rate never back (%v)", n, drained, risen)
		}
		empty, rose = append(empty, drained), append(rose, risen)
	}
	slices.Sort(empty)
	slices.Sort(rose)
	t.Logf("queue empty after %v, %v, %v; back at 90%% after %v, %v, %v (median, nine of ten, worst); %d false probes",
		empty[paths/2], empty[most-1], empty[paths-1], rose[paths/2], rose[most-1], rose[paths-1], wrong)
	if empty[most-1] > time.Second {
		t.Errorf("the queue is empty after %v in nine of ten, want 1 s", empty[most-1])
	}
	if rose[most-1] > 3*time.Second {
		t.Errorf("back at 90%% after %v in nine of ten, want 3 s", rose[most-1])
	}
	if wrong > paths/4 {
		t.Errorf("%d false probes on %d paths", wrong, paths)
	}
}

// TestCollapseIsNoStall: what holds packets up once, and lets them go, is no slower path; packets that
// arrive one by one further apart than they left are.
func TestCollapseIsNoStall(t *testing.T) {
	const each = 4 * time.Millisecond
	arrivals := func(at func(i int, sent time.Duration) time.Duration) bool {
		var c collapse
		for i := range 60 {
			sent := time.Duration(i) * each
			c.add(sent, at(i, sent), 1200)
			if rate, ok := c.take(); ok {
				t.Logf("a fall to %.0f bit/s, at packet %d", rate, i)
				return true
			}
		}
		return false
	}
	for _, c := range []struct {
		name string
		at   func(i int, sent time.Duration) time.Duration
		want bool
	}{
		{"as they left", func(_ int, s time.Duration) time.Duration { return s }, false},
		{"a stall of 150 ms, then all at once", func(i int, s time.Duration) time.Duration {
			if i > 20 {
				return max(s, 20*each+150*time.Millisecond)
			}
			return s
		}, false},
		{"a route 100 ms longer", func(i int, s time.Duration) time.Duration {
			if i > 20 {
				return s + 100*time.Millisecond
			}
			return s
		}, false},
		{"a keyframe at twice the rate of the path", func(_ int, s time.Duration) time.Duration { return 2 * s }, false},
		{"a sixth of the rate", func(i int, s time.Duration) time.Duration {
			return s + time.Duration(max(i-20, 0))*5*each
		}, true},
	} {
		if got := arrivals(c.at); got != c.want {
			t.Errorf("%s: a fall: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestSoundPassesWhileVideoWaits: in a hold only sound leaves, what a keyframe replaces never does, and
// what is left does not leave faster than the path carries.
func TestSoundPassesWhileVideoWaits(t *testing.T) {
	var p pacer
	p.steer(1_000_000, true)
	now := time.Second
	push := func(c class, seq uint16) {
		p.push(c, &packet{header: rtp.Header{SequenceNumber: seq}, size: 1250}, now)
	}
	push(repair, 1)
	push(first, 2)
	if !p.direct(urgent, now) || p.direct(first, now) || p.pop(now) != nil {
		t.Fatal("sound has to wait, or video has not")
	}
	p.purge(func(k *packet) bool { return k.header.SequenceNumber < 10 }, func(*packet) {})
	for seq := range uint16(10) {
		push(first, 10+seq)
	}
	if p.count != 10 || p.bytes != 12_500 || p.purged != 2 {
		t.Errorf("%d packets, %d bytes wait, %d were purged; want 10, 12500, 2", p.count, p.bytes, p.purged)
	}
	now += 400 * time.Millisecond
	p.steer(1_000_000, false)
	if m := p.media(); m >= 1_000_000 {
		t.Errorf("new media may use %.0f bit/s before what waited is out", m)
	}
	var left []uint16
	for begin := now; now < begin+200*time.Millisecond; now += time.Millisecond {
		for k := p.pop(now); k != nil; k = p.pop(now) {
			p.spend(k.size)
			left = append(left, k.header.SequenceNumber)
		}
		if now-begin == 50*time.Millisecond && len(left) > 7 {
			t.Errorf("%d packets left within 50 ms, want those of the rate", len(left))
		}
	}
	if len(left) != 10 || left[0] != 10 || left[9] != 19 {
		t.Errorf("packets %v left, want 10 to 19", left)
	}
	p.steer(1_000_000, false)
	if m := p.media(); m != 1_000_000 {
		t.Errorf("new media may use %.0f bit/s when nothing waits", m)
	}
}

// TestPaddingIsMadeAsItLeaves: what is made at once would stand in the queue, and leave when the probe
// has long ended because it filled the path.
func TestPaddingIsMadeAsItLeaves(t *testing.T) {
	var p pacer
	p.steer(330_000, false)
	p.start(Probe{ID: 1, Rate: 660_000, Bytes: 24_000, Packets: 5}, time.Second)
	if n := p.lack(); n > 2*paddingLeast {
		t.Errorf("%d bytes of padding at once for a probe at 660 kbit/s", n)
	}
	p.stop()
	p.start(Probe{ID: 2, Rate: 8_000_000, Bytes: 24_000, Packets: 5}, time.Second)
	if n := p.lack(); n < 1000 || n > 4000 {
		t.Errorf("%d bytes of padding at once for a probe at 8 Mbit/s, want a few packets", n)
	}
}
