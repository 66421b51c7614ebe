package e2e

import (
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"testing"
	"time"

	"parley/media/call"
	"parley/test/harness"
)

func near(a, b color.RGBA) bool {
	close := func(a, b uint8) bool { return max(a, b)-min(a, b) < 8 }
	return close(a.R, b.R) && close(a.G, b.G) && close(a.B, b.B)
}

// block finds a button of one colour: it is higher and wider than the rings around tiles. Where it is depends on what else
// stands above the tiles.
func block(p *image.RGBA, in image.Rectangle, c color.RGBA) (image.Point, bool) {
	for y := in.Min.Y; y < in.Max.Y; y++ {
		for x := in.Min.X; x < in.Max.X; x++ {
			whole := true
			for i := 0; i < 12 && whole; i++ {
				whole = near(p.RGBAAt(x+i, y+i), c) && near(p.RGBAAt(x, y+i), c) && near(p.RGBAAt(x+i, y), c)
			}
			if whole {
				return image.Pt(x+6, y+6), true
			}
		}
	}
	return image.Point{}, false
}

// TestE2EHosts has the owner of a meeting close the door in her window, admit who knocks, mute and remove them.
func TestE2EHosts(t *testing.T) {
	harness.EndToEnd(t)
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	dir := t.TempDir()
	d := harness.StartDisplay(t)
	env := append(d.Env(), "PULSE_SERVER=unix:"+dir+"/none", "XDG_CONFIG_HOME="+dir, "XDG_RUNTIME_DIR="+dir)
	ada := harness.StartParley(t, "Ada", env, "--new", "--join", "--server", "http://"+addr, "--camera", "test", "--mic", "tone", "--speaker", "off")
	shot := func() string { return filepath.Join(dir, "shot.png") }
	t.Cleanup(func() {
		if path := filepath.Join("build", "test", "hosts.png"); t.Failed() && os.MkdirAll(filepath.Dir(path), 0o755) == nil {
			d.Shoot(path)
			t.Log("the window at the end: ", path)
		}
	})
	// shows waits until the window has a colour of the look at a place.
	shows := func(what string, x, y int, want color.RGBA) {
		t.Helper()
		harness.AwaitEvery(t, 200*time.Millisecond, what, func() bool {
			return near(d.Shoot(shot()).RGBAAt(x, y), want)
		}, func() string { return fmt.Sprint(d.Shoot(shot()).RGBAAt(x, y)) + ada.Errors() })
	}
	click := func(x, y int) { d.Keys("mousemove", fmt.Sprint(x), fmt.Sprint(y), "click", "1") }
	panel, menu, accent := color.RGBA{0x15, 0x1a, 0x20, 0xff}, color.RGBA{0x1d, 0x23, 0x2b, 0xff}, color.RGBA{0x37, 0xc6, 0xa0, 0xff}

	link := ada.Link()
	ben := harness.StartParley(t, "Ben", nil, "bot", link)
	ada.Await("sees Ben", harness.Meets(1))
	click(1180, 684)
	shows("the list of people", 1100, 300, panel)
	click(1204, 40)
	shows("the menu of the meeting", 1260, 340, menu)
	click(1100, 120) // the waiting room
	shows("the menu is closed", 1260, 340, panel)

	cem := harness.StartParley(t, "Cem", nil, "bot", link)
	cem.Await("waits", func(l call.Line) bool { return l.Phase == "waiting" && len(l.Peers) == 0 })
	var admit image.Point
	harness.AwaitEvery(t, 200*time.Millisecond, "somebody knocks", func() bool {
		var ok bool
		admit, ok = block(d.Shoot(shot()), image.Rect(300, 0, 920, 200), accent)
		return ok
	}, ada.Errors)
	click(admit.X, admit.Y)
	for _, p := range []*harness.Process{ada, ben, cem} {
		p.Await("sees the two others", harness.Meets(2))
	}

	click(1233, 198) // more about Cem
	shows("the menu of a person", 1258, 300, menu)
	click(1070, 279) // mute
	ben.Await("no longer hears Cem", func(l call.Line) bool {
		for _, p := range l.Peers {
			if p.Name == "Cem" {
				return p.AudioIn.Level < -60
			}
		}
		return false
	})
	click(1233, 198)
	shows("the menu of a person", 1258, 300, menu)
	click(1070, 386) // remove
	shows("the question", 820, 344, accent)
	click(792, 354)
	if got := cem.Status(); got != 1 { // a bot whose meeting ended without its leaving
		t.Errorf("who was removed ends with status %d", got)
	}
	ben.Await("sees Ada alone", harness.Meets(1))

	// Who was removed comes back with new keys, and waits.
	again := harness.StartParley(t, "Cem", nil, "bot", link)
	again.Await("waits", func(l call.Line) bool { return l.Phase == "waiting" && len(l.Peers) == 0 })
	if n := len(ben.Last().Peers); n != 1 {
		t.Errorf("Ben is connected with %d others", n)
	}
}
