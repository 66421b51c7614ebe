package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"parley/media"
	"parley/media/call"
)

// keys types into the only window of a display, as a keyboard does.
func (d display) keys(args ...string) {
	d.t.Helper()
	cmd := exec.Command("xdotool", args...)
	cmd.Env = append(os.Environ(), "DISPLAY="+d.name)
	if text, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("xdotool %s: %v\n%s", strings.Join(args, " "), err, text)
	}
}

// TestE2EKeyboard: from the first screen into a meeting, muting, talking and writing, in a real
// window, by keyboard alone.
func TestE2EKeyboard(t *testing.T) {
	endToEnd(t)
	_, addr := startRendezvous(t, "127.0.0.1:0")
	ada := callInside(t, "Ada", "http://"+addr, func(c *call.Config) { c.Camera, c.Microphone = media.SpecTest, media.SpecTone })
	ada.Do(call.NewMeeting{Join: true})
	awaitTrue(t, "live", func() bool { return ada.State().Phase == call.Live }, func() string { return ada.State().Problem })

	d := startDisplay(t)
	ben := startParley(t, "Ben", d.env(), "--camera", "off", "--mic", "tone", "--speaker", "off")
	t.Cleanup(func() {
		if t.Failed() {
			path := filepath.Join("build", "test", "keyboard.png")
			if os.MkdirAll(filepath.Dir(path), 0o755) == nil {
				d.shoot(path)
				t.Log("the window at the end: ", path)
			}
		}
	})
	ben.await("has a window", func(l call.Line) bool { return l.Phase == "idle" })
	// There is no window manager to do so.
	d.keys("search", "--sync", "--onlyvisible", "--name", "Parley", "windowfocus", "--sync")
	d.keys("key", "--delay", "100", "Tab", "Tab") // to New meeting, to the code
	d.keys("type", "--delay", "20", ada.State().Link)
	d.keys("key", "Return")
	ben.await("is in the lobby", func(l call.Line) bool { return l.Phase == "lobby" })
	d.keys("key", "--delay", "100", "Tab", "Tab", "Tab", "Tab", "Return") // microphone, camera, copy, name
	ben.await("sees and hears Ada", meets(1))

	benAtAda := func() call.Peer {
		if peers := ada.State().Peers; len(peers) == 1 {
			return peers[0]
		}
		return call.Peer{}
	}
	awaitTrue(t, "Ada knows that Ben can be heard", func() bool { return benAtAda().Mic }, func() string { return benAtAda().Name })
	d.keys("key", "ctrl+d")
	awaitTrue(t, "Ada knows that Ben is muted", func() bool { return !benAtAda().Mic && benAtAda().Name == "Ben" }, func() string { return benAtAda().Name })
	d.keys("keydown", "space")
	awaitTrue(t, "Ben talks while space is held", func() bool { return benAtAda().Mic }, func() string { return benAtAda().Name })
	d.keys("keyup", "space")
	awaitTrue(t, "Ben is muted again", func() bool { return !benAtAda().Mic }, func() string { return benAtAda().Name })

	d.keys("key", "ctrl+alt+c")
	d.keys("type", "--delay", "20", "hello Ada")
	d.keys("key", "Return")
	awaitTrue(t, "Ada reads it", func() bool { return reads(ada, "hello Ada") == 1 }, func() string { return ben.errors() })
}
