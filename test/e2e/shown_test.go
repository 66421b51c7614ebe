package e2e

import (
	"testing"

	"parley/media/call"
	"parley/test/harness"
)

// TestE2EHiddenWindow minimises a window. While minimised, it receives and decodes no video. The picture is back when the
// window is restored.
func TestE2EHiddenWindow(t *testing.T) {
	harness.EndToEnd(t)
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	ada := harness.StartParley(t, "Ada", nil, "bot", "--new", "--view", "320x180", "--server", "http://"+addr)
	d := harness.StartDisplay(t)
	ben := harness.StartParley(t, "Ben", d.Env(), "--join", "--camera", "off", "--mic", "tone", "--speaker", "off", ada.Link())
	ben.Await("sees and hears Ada", harness.Meets(1))

	d.Keys("search", "--sync", "--onlyvisible", "--name", "Parley", "windowunmap", "--sync")
	ada.Await("sends Ben no picture", func(l call.Line) bool { return meetsAgain(l) && l.Peers[0].VideoOut.FPS == 0 })
	hidden := ben.Await("decodes nothing", func(l call.Line) bool {
		return meetsAgain(l) && l.Peers[0].VideoIn.Kbps == 0 && l.Peers[0].VideoIn.FPS == 0
	})
	later := ben.Await("still hears Ada 3 s later", func(l call.Line) bool { return l.TMillis > hidden.TMillis+3000 })
	if a, b := hidden.Peers[0].VideoIn.Decoded, later.Peers[0].VideoIn.Decoded; a != b {
		t.Errorf("%d pictures decoded for a window that nobody sees", b-a)
	}
	if level := later.Peers[0].AudioIn.Level; level < -60 {
		t.Errorf("the sound is gone too: %.0f dB", level)
	}

	d.Keys("search", "--name", "Parley", "windowmap")
	back := ben.Await("sees Ada again", func(l call.Line) bool {
		return meetsAgain(l) && l.Peers[0].VideoIn.Frames > later.Peers[0].VideoIn.Frames+30
	})
	if was := later.Peers[0].VideoIn; back.Peers[0].VideoIn.Freezes != was.Freezes {
		t.Errorf("being hidden counted as %d freezes", back.Peers[0].VideoIn.Freezes-was.Freezes)
	}
}

func meetsAgain(l call.Line) bool { return len(l.Peers) == 1 && l.Peers[0].State == "connected" }
