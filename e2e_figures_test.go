package main

import (
	"fmt"
	"io"
	"log"
	"slices"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"parley/media"
	"parley/media/call"
)

// BenchmarkFigures measures what a person waits for and sees, and prints it beside what it
// should be: make figures. No test asserts these times; on a machine with other work they mean
// nothing.
func BenchmarkFigures(b *testing.B) {
	endToEnd(b)
	xgb.Logger = log.New(io.Discard, "", 0) // it complains of displays without a password
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

// quantile of values, by nearest rank.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(int(q*float64(len(values))), len(values)-1)]
}

// figureWindow: a camera of 1280x720 in a real window of that size.
func figureWindow(b *testing.B) {
	_, addr := startRendezvous(b, "127.0.0.1:0")
	ada := startParley(b, "Ada", nil, "bot", "--new", "--view", "320x180", "--server", "http://"+addr)
	d := startDisplay(b)
	ben := startParley(b, "Ben", d.env(), "--join", "--camera", "off", "--mic", "tone", "--speaker", "off", ada.link())
	// The first seconds find out what the path can carry.
	met := ben.await("sees 1280x720", func(l call.Line) bool { return meets(1)(l) && l.Peers[0].VideoIn.W == 1280 })
	first := ben.await("has seen it for 5 s", func(l call.Line) bool { return l.TMillis > met.TMillis+5000 && meets(1)(l) })
	last := ben.await("has seen it for 20 s more", func(l call.Line) bool { return l.TMillis > first.TMillis+20_000 && meets(1)(l) })
	var median, p95 []float64
	for _, l := range ben.lines() {
		if l.TMillis > first.TMillis && len(l.Peers) == 1 && l.Peers[0].VideoIn.LatencyMs != nil {
			median = append(median, *l.Peers[0].VideoIn.LatencyMs)
			p95 = append(p95, *l.Peers[0].VideoIn.LatencyP95)
		}
	}
	seconds := float64(last.TMillis-first.TMillis) / 1000
	x, y := first.Peers[0].VideoIn, last.Peers[0].VideoIn
	size := fmt.Sprintf("%dx%d at %.0f kbit/s", y.W, y.H, y.Kbps)
	figure(b, "painted of 30 fps, window 1280x720, "+size, "fps", float64(y.Frames-x.Frames)/seconds, 29.5, true)
	figure(b, "capture to paint, median", "ms", quantile(median, 0.5), 60, false)
	figure(b, "capture to paint, p95 of 2 s (median of 20 s)", "ms", quantile(p95, 0.5), 100, false)
	fmt.Printf("%-52s %7.3g ms\n", "  p95 of the worst 2 s", quantile(p95, 1))
	fmt.Printf("%-52s %7.3g %%    and %.0f MB\n", "  the window's share of a core", 100*(last.CPU-first.CPU)/seconds, last.RSS)
}

// figureFirst: how long a running app takes from opening a link to the first picture.
func figureFirst(b *testing.B) {
	waits := firstPictures(b, 20)
	figure(b, "opening a link to the first picture, median of 20", "s", quantile(waits, 0.5), 1, false)
	figure(b, "opening a link to the first picture, p95 of 20", "s", quantile(waits, 0.95), 1, false)
}

// firstPictures opens the link of a meeting in a running app, which includes making keys of its
// code, until the first picture of whoever is there can be painted; in seconds.
func firstPictures(t testing.TB, tries int) []float64 {
	t.Helper()
	_, addr := startRendezvous(t, "127.0.0.1:0")
	ada := startParley(t, "Ada", nil, "bot", "--new", "--view", "320x180", "--server", "http://"+addr)
	link := ada.link()
	var waits []float64
	for i := range tries {
		ada.await("is alone", func(l call.Line) bool { return l.Phase == "live" && len(l.Peers) == 0 })
		c := callInside(t, fmt.Sprint("Ben ", i), "", func(c *call.Config) { c.Camera, c.Microphone = media.SpecTest, media.SpecTone })
		begin := time.Now()
		c.Do(call.Open{Text: link, Join: true})
		awaitEvery(t, time.Second/120, fmt.Sprintf("try %d brings a picture", i), func() bool {
			for _, p := range c.State().Peers {
				if look(c, p.ID, media.Camera, 1280, 720, time.Now()) != nil {
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

// TestE2EFirstFrame: each of 20 tries to open a link brings a picture. How fast is for make
// figures to judge.
func TestE2EFirstFrame(t *testing.T) {
	endToEnd(t)
	waits := firstPictures(t, 20)
	t.Logf("median %.2f s, p95 %.2f s", quantile(waits, 0.5), quantile(waits, 0.95))
}

// figureStart: from the start of the process until its window is on the screen and has been
// drawn, as the display's pixels tell.
func figureStart(b *testing.B) {
	var starts []float64
	for range 5 {
		d := startDisplay(b)
		x, err := xgb.NewConnDisplay(d.name)
		if err != nil {
			b.Fatal(err)
		}
		begin := time.Now()
		p := launch(b, append(d.env(), "PULSE_SERVER=unix:/nonexistent"), "build/parley")
		for !painted(b, x) {
			if time.Since(begin) > patience {
				b.Fatalf("no window: %s", p.errors())
			}
			time.Sleep(5 * time.Millisecond)
		}
		starts = append(starts, time.Since(begin).Seconds())
		x.Close()
		p.stop()
	}
	figure(b, "cold start to a drawn window, median of 5", "s", quantile(starts, 0.5), 1, false)
	figure(b, "cold start to a drawn window, worst of 5", "s", quantile(starts, 1), 1, false)
}

// painted says whether there is more than a plain surface in the display's middle: letters have
// edges of many shades.
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
