package e2e

import (
	"fmt"
	"io"
	"log"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"parley/media"
	"parley/media/bot"
	"parley/media/call"
	"parley/test/harness"
)

// BenchmarkFigures measures what users wait for and see, and prints it beside its target (make figures). No test asserts
// these times: on a busy machine they mean nothing.
func BenchmarkFigures(b *testing.B) {
	harness.EndToEnd(b)
	xgb.Logger = log.New(io.Discard, "", 0) // it logs an error for displays without a password
	fmt.Printf("\n%-52s %10s   %s\n", "figure", "measured", "target")
	b.Run("start", figureStart)
	b.Run("first", figureFirst)
	b.Run("window", figureWindow)
	b.Run("devices", figureDevices)
}

// figure prints one line of the table.
func figure(b *testing.B, what, unit string, value, target float64, atLeast bool) {
	b.Helper()
	sign, ok := "at most ", value <= target
	if atLeast {
		sign, ok = "at least", value >= target
	}
	verdict := "ok"
	if !ok {
		verdict = "NOT MET"
	}
	fmt.Printf("%-52s %7.3g %-3s  %s %g %s: %s\n", what, value, unit, sign, target, unit, verdict)
	b.ReportMetric(value, unit)
}

// figureWindow shows a camera of 1280x720 in a real window of that size.
func figureWindow(b *testing.B) {
	_, addr := harness.StartRendezvous(b, "127.0.0.1:0")
	ada := harness.StartParley(b, "Ada", nil, "bot", "--new", "--view", "320x180", "--server", "http://"+addr)
	d := harness.StartDisplay(b)
	ben := harness.StartParley(b, "Ben", d.Env(), "--join", "--camera", "off", "--mic", "tone", "--speaker", "off", ada.Link())
	// Congestion control takes a few seconds to find its rate.
	met := ben.Await("sees 1280x720", func(l call.Line) bool { return harness.Meets(1)(l) && l.Peers[0].VideoIn.W == 1280 })
	first := ben.Await("has seen it for 5 s", func(l call.Line) bool { return l.TMillis > met.TMillis+5000 && harness.Meets(1)(l) })
	last := ben.Await("has seen it for 20 s more", func(l call.Line) bool { return l.TMillis > first.TMillis+20_000 && harness.Meets(1)(l) })
	var median, p95 []float64
	for _, l := range ben.Lines() {
		if l.TMillis > first.TMillis && len(l.Peers) == 1 && l.Peers[0].VideoIn.LatencyMs != nil {
			median = append(median, *l.Peers[0].VideoIn.LatencyMs)
			p95 = append(p95, *l.Peers[0].VideoIn.LatencyP95)
		}
	}
	seconds := float64(last.TMillis-first.TMillis) / 1000
	x, y := first.Peers[0].VideoIn, last.Peers[0].VideoIn
	size := fmt.Sprintf("%dx%d at %.0f kbit/s", y.W, y.H, y.Kbps)
	figure(b, "painted of 30 fps, window 1280x720, "+size, "fps", float64(y.Frames-x.Frames)/seconds, 29.5, true)
	figure(b, "capture to paint, median", "ms", harness.Quantile(median, 0.5), 60, false)
	figure(b, "capture to paint, p95 of 2 s (median of 20 s)", "ms", harness.Quantile(p95, 0.5), 100, false)
	fmt.Printf("%-52s %7.3g ms\n", "  p95 of the worst 2 s", harness.Quantile(p95, 1))
	fmt.Printf("%-52s %7.3g %%    and %.0f MB\n", "  the window's share of a core", 100*(last.CPU-first.CPU)/seconds, last.RSS)
}

// figureFirst is the time from opening a link in a running app to the first picture.
func figureFirst(b *testing.B) {
	waits := firstPictures(b, 20)
	figure(b, "opening a link to the first picture, median of 20", "s", harness.Quantile(waits, 0.5), 1, false)
	figure(b, "opening a link to the first picture, p95 of 20", "s", harness.Quantile(waits, 0.95), 1, false)
}

// firstPictures measures the time from opening a meeting's link in a running app until the first picture of another
// member can be painted, in seconds. It includes deriving the keys from the code.
func firstPictures(t testing.TB, tries int) []float64 {
	t.Helper()
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	ada := harness.StartParley(t, "Ada", nil, "bot", "--new", "--view", "320x180", "--server", "http://"+addr)
	link := ada.Link()
	var waits []float64
	for i := range tries {
		ada.Await("is alone", func(l call.Line) bool { return l.Phase == "live" && len(l.Peers) == 0 })
		c := harness.CallInside(t, fmt.Sprint("Ben ", i), "", func(c *call.Config) { c.Camera, c.Microphone = media.SpecTest, media.SpecTone })
		begin := time.Now()
		c.Do(call.Open{Text: link, Join: true})
		harness.AwaitEvery(t, time.Second/120, fmt.Sprintf("try %d brings a picture", i), func() bool {
			for _, p := range c.State().Peers {
				if bot.Look(c, p.ID, media.Camera, 1280, 720, time.Now()) != nil {
					return true
				}
			}
			return false
		}, func() string { return fmt.Sprintf("%+v", c.State().Peers) })
		waits = append(waits, time.Since(begin).Seconds())
		c.Do(call.Leave{})
	}
	return waits
}

// TestE2EFirstFrame opens a link 20 times and checks that a picture appears each time. make figures shows how fast.
func TestE2EFirstFrame(t *testing.T) {
	harness.EndToEnd(t)
	waits := firstPictures(t, 20)
	t.Logf("median %.2f s, p95 %.2f s", harness.Quantile(waits, 0.5), harness.Quantile(waits, 0.95))
}

// figureStart is the time from the start of the process until the display shows its drawn window.
func figureStart(b *testing.B) {
	var starts []float64
	for range 5 {
		d := harness.StartDisplay(b)
		x, err := xgb.NewConnDisplay(d.Name)
		if err != nil {
			b.Fatal(err)
		}
		begin := time.Now()
		p := harness.Launch(b, append(d.Env(), "PULSE_SERVER=unix:/nonexistent"), "build/parley")
		for !painted(b, x) {
			if time.Since(begin) > harness.Patience {
				b.Fatalf("no window: %s", p.Errors())
			}
			time.Sleep(5 * time.Millisecond)
		}
		starts = append(starts, time.Since(begin).Seconds())
		x.Close()
		p.Stop()
	}
	figure(b, "cold start to a drawn window, median of 5", "s", harness.Quantile(starts, 0.5), 1, false)
	figure(b, "cold start to a drawn window, worst of 5", "s", harness.Quantile(starts, 1), 1, false)
}

// painted reports whether the middle of the display shows text, which has edges of many shades.
func painted(b *testing.B, x *xgb.Conn) bool {
	b.Helper()
	root := xproto.Setup(x).DefaultScreen(x).Root
	reply, err := xproto.GetImage(x, xproto.ImageFormatZPixmap, xproto.Drawable(root), 320, 180, 640, 360, 0xffffffff).Reply()
	if err != nil {
		b.Fatal(err)
	}
	shades := make(map[[3]byte]bool)
	for i := 0; i+4 <= len(reply.Data); i += 4 {
		shades[[3]byte(reply.Data[i:])] = true
	}
	return len(shades) > 20
}
