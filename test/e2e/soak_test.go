package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley/media/call"
	"parley/test/harness"
)

// The soak test lasts soakShort, or the duration in PARLEY_SOAK: ten minutes in make soak. The warm-up does not count: the
// call is still finding its rate, and memory has not reached its steady size.
const (
	soakShort = 50 * time.Second
	soakLong  = 5 * time.Minute // runs this long or longer allow memory to grow by 5 %
)

// window of statistics in which figures are compared.
type soakWindow struct {
	goroutines int     // median
	rss        float64 // median, MB
	underruns  uint64  // of all peers, at the end
	frames     uint64
}

func soakLook(lines []call.Line, from, to time.Duration) soakWindow {
	var w soakWindow
	var goroutines []int
	var rss []float64
	for _, l := range lines {
		if l.TMillis < from.Milliseconds() || l.TMillis > to.Milliseconds() {
			continue
		}
		goroutines, rss = append(goroutines, l.Goroutines), append(rss, l.RSS)
		w.underruns, w.frames = 0, 0
		for _, p := range l.Peers {
			w.underruns += p.AudioIn.Underruns
			w.frames += p.VideoIn.Frames
		}
	}
	if len(goroutines) == 0 {
		return w
	}
	slices.Sort(goroutines)
	slices.Sort(rss)
	w.goroutines, w.rss = goroutines[len(goroutines)/2], rss[len(rss)/2]
	return w
}

// soakTrace records memory and picture figures every half minute.
func soakTrace(lines []call.Line) string {
	var b strings.Builder
	for i := 29; i < len(lines); i += 30 {
		l := lines[i]
		fmt.Fprintf(&b, "%d s: %.0f MB", l.TMillis/1000, l.RSS)
		for _, p := range l.Peers {
			fmt.Fprintf(&b, ", %dx%d %.0f fps", p.VideoIn.W, p.VideoIn.H, p.VideoIn.FPS)
		}
		b.WriteString("; ")
	}
	return b.String()
}

// stalls counts how often the machine did not schedule this process for longer than the buffered sound lasts.
func stalls(t *testing.T) *atomic.Int64 {
	var n atomic.Int64
	done, ended := make(chan bool), make(chan bool)
	go func() {
		defer close(ended)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for last := time.Now(); ; {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			now := time.Now()
			if now.Sub(last) > 20*time.Millisecond {
				n.Add(1)
			}
			last = now
		}
	}()
	t.Cleanup(func() { close(done); <-ended })
	return &n
}

// TestE2ESoak keeps three bots in a meeting. Their memory does not grow, and their sound does not underrun.
func TestE2ESoak(t *testing.T) {
	harness.EndToEnd(t)
	length := soakShort
	if s := os.Getenv("PARLEY_SOAK"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil || d < soakShort {
			t.Fatalf("PARLEY_SOAK=%q: want a time of at least %v", s, soakShort)
		}
		length = d
	}
	// In ten minutes, minute 2 to 3 is compared with the last minute; in 50 s, the corresponding parts.
	first, second, tail := length/5, 3*length/10, length/10
	growth := 0.05
	if length < soakLong {
		// The heap has not reached its steady size, so this finds only unbounded growth.
		first, second, tail, growth = length/3, length/2, length/6, 0.5
	}
	service, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	bots := soakBots(t, addr)
	starved := stalls(t)
	start := bots[2].Await("sees and hears two others", harness.Meets(2)).TMillis
	deadline := time.Now().Add(length)
	for time.Now().Before(deadline) {
		for _, p := range append(bots, service) {
			select {
			case <-p.Done:
				t.Fatalf("%s ended: %v", p.Name, p.Err)
			default:
			}
		}
		time.Sleep(time.Second)
	}
	for _, p := range bots {
		lines := p.Lines()
		end := time.Duration(lines[len(lines)-1].TMillis) * time.Millisecond
		offset := time.Duration(start) * time.Millisecond
		a := soakLook(lines, offset+first, offset+second)
		b := soakLook(lines, end-tail, end)
		t.Logf("%s, %v: goroutines %d, then %d; memory %.1f, then %.1f MB (%+.1f %%); %d underruns, %d more since; %d pictures; the test itself waited %d times",
			p.Name, length, a.goroutines, b.goroutines, a.rss, b.rss, 100*(b.rss/a.rss-1), a.underruns, b.underruns-a.underruns, b.frames, starved.Load())
		t.Log(soakTrace(lines))
		if b.goroutines > a.goroutines+1 {
			t.Errorf("%s: goroutines grew from %d to %d", p.Name, a.goroutines, b.goroutines)
		}
		if b.rss > a.rss*(1+growth) {
			t.Errorf("%s: memory grew from %.1f to %.1f MB, more than %.0f %%", p.Name, a.rss, b.rss, 100*growth)
		}
		// A machine that stalls this process stalls the bots too, so the sound of both others underruns. The short
		// run may not detect the stall.
		allowed := 2 * uint64(starved.Load())
		if length < soakLong {
			allowed += 3
		}
		if n := b.underruns - a.underruns; n > allowed {
			t.Errorf("%s: sound ran dry %d times", p.Name, n)
		}
		if l := lines[len(lines)-1]; !harness.Meets(2)(l) || b.frames == a.frames {
			t.Errorf("%s does not see and hear two others at the end", p.Name)
		}
	}
	if log := service.Errors(); strings.Contains(log, `"ERROR"`) {
		t.Errorf("the rendezvous logs errors:\n%s", log)
	}
}

// soakBots starts three bots with sound and video.
func soakBots(t *testing.T, addr string) []*harness.Process {
	t.Helper()
	ada := harness.StartParley(t, "Ada", nil, "bot", "--camera", "test:640x360", "--mic", harness.Material(t, "voice1.wav"), "--new", "--server", "http://"+addr)
	link := ada.Link()
	return []*harness.Process{
		ada,
		harness.StartParley(t, "Ben", nil, "bot", "--camera", "test:640x360", "--mic", harness.Material(t, "voice2.wav"), link),
		harness.StartParley(t, "Cleo", nil, "bot", "--camera", "test:640x360", "--mic", "tone", link),
	}
}
