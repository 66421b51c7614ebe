package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley/media"
	"parley/media/call"
	"parley/test/harness"
)

// TestE2EKeyboard uses a real window by keyboard only: from the first screen into a meeting, muting, talking and writing.
func TestE2EKeyboard(t *testing.T) {
	harness.EndToEnd(t)
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	ada := harness.CallInside(t, "Ada", "http://"+addr, func(c *call.Config) { c.Camera, c.Microphone = media.SpecTest, media.SpecTone })
	ada.Do(call.NewMeeting{Join: true})
	harness.AwaitTrue(t, "live", func() bool { return ada.State().Phase == call.Live }, func() string { return ada.State().Problem.String() })

	d := harness.StartDisplay(t)
	// The toolkit drops its render cache after a minute. Here it does so after two seconds.
	ben := harness.StartParley(t, "Ben", append(d.Env(), "FYNE_CACHE=2s"), "--camera", "off", "--mic", "tone", "--speaker", "off")
	t.Cleanup(func() {
		if t.Failed() {
			path := filepath.Join("build", "test", "keyboard.png")
			if os.MkdirAll(filepath.Dir(path), 0o755) == nil {
				d.Shoot(path)
				t.Log("the window at the end: ", path)
			}
		}
	})
	ben.Await("has a window", func(l call.Line) bool { return l.Phase == "idle" })
	// Without a window manager, nothing focuses the window.
	d.Keys("search", "--sync", "--onlyvisible", "--name", "Parley", "windowfocus", "--sync")
	d.Keys("key", "--delay", "100", "Tab", "Tab") // to New meeting, to the code
	d.Keys("type", "--delay", "20", ada.State().Link)
	d.Keys("key", "Return")
	ben.Await("is in the lobby", func(l call.Line) bool { return l.Phase == "lobby" })
	d.Keys("key", "--delay", "100", "Tab", "Tab", "Tab", "Tab", "Return") // microphone, camera, copy, name
	ben.Await("sees and hears Ada", harness.Meets(1))

	benAtAda := func() call.Peer {
		if peers := ada.State().Peers; len(peers) == 1 {
			return peers[0]
		}
		return call.Peer{}
	}
	harness.AwaitTrue(t, "Ada knows that Ben can be heard", func() bool { return benAtAda().Mic }, func() string { return benAtAda().Name })
	d.Keys("key", "ctrl+d")
	harness.AwaitTrue(t, "Ada knows that Ben is muted", func() bool { return !benAtAda().Mic && benAtAda().Name == "Ben" }, func() string { return benAtAda().Name })
	d.Keys("keydown", "space")
	harness.AwaitTrue(t, "Ben talks while space is held", func() bool { return benAtAda().Mic }, func() string { return benAtAda().Name })
	d.Keys("keyup", "space")
	harness.AwaitTrue(t, "Ben is muted again", func() bool { return !benAtAda().Mic }, func() string { return benAtAda().Name })

	d.Keys("key", "ctrl+alt+c")
	d.Keys("type", "--delay", "20", "hello Ada")
	d.Keys("key", "Return")
	harness.AwaitTrue(t, "Ada reads it", func() bool { return reads(ada, "hello Ada") == 1 }, func() string { return ben.Errors() })

	d.Keys("key", "ctrl+alt+c") // hide the chat until the cache is dropped
	hidden := len(ben.Lines())
	harness.AwaitTrue(t, "seconds pass", func() bool { return len(ben.Lines()) > hidden+6 }, func() string { return ben.Errors() })
	d.Keys("key", "ctrl+alt+c")
	d.Keys("type", "--delay", "20", "and again")
	d.Keys("key", "shift+Return")
	d.Keys("type", "--delay", "20", "in two lines")
	d.Keys("key", "Return")
	harness.AwaitTrue(t, "Ada reads that too", func() bool { return reads(ada, "and again\nin two lines") == 1 }, func() string { return ben.Errors() })
	if strings.Contains(ben.Errors(), "Failed to focus") {
		t.Error(ben.Errors())
	}
}
