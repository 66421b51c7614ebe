package peer

import (
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	net5 "github.com/pion/transport/v5"
	"github.com/pion/transport/v5/vnet"

	"parley/media"
	"parley/media/pipe"
	"parley/media/transport"
)

// bottleneck is the way out of one host: tc's token bucket, and a queue that drops what does not fit.
type bottleneck struct {
	mu   sync.Mutex
	rate float64 // bit/s, 0 for no limit
	free time.Time
}

const (
	bucketBits  = 8 * 8192
	queueLength = 300 * time.Millisecond
	frameHeader = 42 // bytes of Ethernet, IP and UDP
)

func (b *bottleneck) throttle(rate float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := time.Now(); b.rate > 0 && b.free.After(now) {
		b.free = now.Add(time.Duration(float64(b.free.Sub(now)) * b.rate / rate))
	}
	b.rate = rate
}

// leaves says when a packet of so many bytes that is sent now leaves the queue.
func (b *bottleneck) leaves(size int) (at time.Time, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.rate == 0 {
		return now, true
	}
	second := float64(time.Second)
	bucket := time.Duration(bucketBits / b.rate * second)
	if b.free.Sub(now) > queueLength+bucket {
		return now, false
	}
	if full := now.Add(-bucket); b.free.Before(full) {
		b.free = full
	}
	b.free = b.free.Add(time.Duration(float64(size+frameHeader) * 8 / b.rate * second))
	if b.free.Before(now) {
		return now, true
	}
	return b.free, true
}

// waiting is how long the queue is.
func (b *bottleneck) waiting() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(time.Until(b.free), 0)
}

// narrowNet is a host behind a bottleneck.
type narrowNet struct {
	*vnet.Net
	out *bottleneck
}

func (n narrowNet) ListenUDP(network string, addr *net.UDPAddr) (net5.UDPConn, error) {
	c, err := n.Net.ListenUDP(network, addr)
	return narrowConn{c, n.out}, err
}

type narrowConn struct {
	net5.UDPConn
	out *bottleneck
}

func (c narrowConn) WriteTo(p []byte, addr net.Addr) (int, error) {
	at, ok := c.out.leaves(len(p))
	if !ok {
		return len(p), nil
	}
	wait := time.Until(at)
	if wait <= 0 {
		return c.UDPConn.WriteTo(p, addr)
	}
	b := append([]byte(nil), p...)
	time.AfterFunc(wait, func() { _, _ = c.UDPConn.WriteTo(b, addr) })
	return len(p), nil
}

// narrowCall makes a call in simulated time whose first side has a camera of 1280x720, shown in full, and a way
// out of this rate, in bit/s.
func narrowCall(t *testing.T, rate float64, use func(a, b *end, out *bottleneck)) {
	t.Helper()
	speak(t)
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, time.Millisecond, 0)
		out := new(bottleneck)
		out.throttle(rate)
		l.narrow = map[string]*bottleneck{"10.0.0.1": out}
		l.camera = "test:1280x720@30"
		connect(t, l, func(a, b *end) {
			b.view.Resize(1280, 720, media.FitCover)
			use(a, b, out)
		})
	})
}

// TestFallAndRise is the bench's fall row with real peers in simulated time: 2.5 Mbit/s become 400 kbit/s,
// and 2.5 again after ten seconds.
func TestFallAndRise(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute of 1280x720")
	}
	narrowCall(t, 2_500_000, func(a, b *end, out *bottleneck) {
		look := func(d time.Duration, each func(since time.Duration, s transport.Stats)) {
			for begin := time.Now(); time.Since(begin) < d; {
				time.Sleep(100 * time.Millisecond)
				s := b.peer.Stats()
				picture, sound := s.Pictures[media.Camera], s.Sounds[media.Microphone]
				if o := a.peer.Stats(); time.Since(begin)%(500*time.Millisecond) == 0 {
					t.Logf("%4.1f s: estimate %d, delivered %d, wait %v, probes %d; %dx%d, picture %v late, sound %v late, concealed %d ms, underruns %d",
						time.Since(begin).Seconds(), o.Estimate/1000, o.Pace.Delivered/1000, o.Pace.Wait.Round(time.Millisecond), o.Pace.Probes, picture.Width, picture.Height,
						picture.Delay.Round(time.Millisecond), sound.Delay.Round(time.Millisecond), sound.Concealed/48, sound.Underruns)
				}
				each(time.Since(begin), s)
			}
		}
		look(10*time.Second, func(time.Duration, transport.Stats) {})
		before := a.peer.Stats().Pace.Delivered
		out.throttle(400_000)
		var worst time.Duration
		looks, late := 0, 0
		look(10*time.Second, func(since time.Duration, s transport.Stats) {
			if delay := s.Sounds[media.Microphone].Delay; since > 2*time.Second {
				worst = max(worst, delay)
				if looks++; delay > 200*time.Millisecond {
					late++
				}
			}
		})
		out.throttle(2_500_000)
		var rose time.Duration
		look(8*time.Second, func(since time.Duration, _ transport.Stats) {
			if rose == 0 && a.peer.Stats().Pace.Delivered > before*9/10 {
				rose = since
			}
		})
		t.Logf("%d bit/s before; sound at most %v late from 2 s after the fall on; back at 90%% after %v", before, worst, rose)
		// A probe that fills the queue may hold sound back for a moment more.
		if worst > 280*time.Millisecond || late > looks/5 {
			t.Errorf("sound is up to %v late from 2 s after the fall on, above 200 ms in %d of %d looks", worst, late, looks)
		}
		if rose == 0 || rose > 5*time.Second {
			t.Errorf("back at 90%% of the rate after %v, want 5 s", rose)
		}
	})
}

// TestLeanPath is the bench's quality row at 300 kbit/s with real peers in simulated time: the picture
// keeps 640 pixels of width and gets what sound and headers leave, without a queue that stands.
func TestLeanPath(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute of pictures")
	}
	narrowCall(t, 1_000_000, func(a, b *end, out *bottleneck) {
		time.Sleep(5 * time.Second)
		out.throttle(300_000)
		time.Sleep(9 * time.Second)
		const span = 20
		picture := func() pipe.VideoStats { return b.peer.Stats().Pictures[media.Camera] }
		before, wide, estimate := picture(), 0, 0
		var queue []time.Duration
		for range 10 * span {
			time.Sleep(100 * time.Millisecond)
			if picture().Width == 640 {
				wide++
			}
			queue = append(queue, out.waiting())
			estimate += a.peer.Estimate() / (10 * span)
		}
		after := picture()
		slices.Sort(queue)
		long := queue[len(queue)*95/100]
		kbps := float64(after.Bytes-before.Bytes) * 8 / 1000 / span
		fps := float64(after.Frames-before.Frames) / span
		t.Logf("%.0f kbit/s of video at %.1f fps, 640 pixels wide for %d%% of the time; estimate %d; queue %v, below %v for 95%% of the time; sound %v late",
			kbps, fps, 100*wide/(10*span), estimate, queue[len(queue)/2], long.Round(time.Millisecond), b.peer.Stats().Sounds[media.Microphone].Delay)
		if 100*wide < 90*10*span {
			t.Errorf("640 pixels wide for %d%% of the time, want 90%%", 100*wide/(10*span))
		}
		if kbps < 150 || fps < 28 {
			t.Errorf("%.0f kbit/s at %.1f fps, want 150 and 28", kbps, fps)
		}
		if long > 150*time.Millisecond {
			t.Errorf("the queue is longer than %v for 5%% of the time, want 150 ms", long)
		}
	})
}
