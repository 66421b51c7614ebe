package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"parley/media"
	"parley/media/call"
	"parley/media/device/pulsetest"
	"parley/test/harness"
)

// TestE2ELobbySpeaker plays the lobby's test sound in a real window. The sound uses the speaker chosen for the meeting.
func TestE2ELobbySpeaker(t *testing.T) {
	harness.EndToEnd(t)
	pulse := pulsetest.Start(t)
	pulse.Use()
	pulse.NullSink("desk")
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	ear := harness.CallInside(t, "Ear", "http://"+addr, func(c *call.Config) {
		c.Camera, c.Microphone, c.Speaker = media.SpecOff, "desk.monitor", media.SpecOff
	})
	ear.Do(call.NewMeeting{})
	harness.AwaitTrue(t, "the speaker is listened to", func() bool { return ear.State().Mic.Live }, func() string { return "" })

	d := harness.StartDisplay(t)
	ben := harness.StartParley(t, "Ben", append(d.Env(), pulse.Env()...), "--new", "--server", "http://"+addr, "--camera", "off", "--mic", "tone")
	t.Cleanup(func() {
		if t.Failed() {
			path := filepath.Join("build", "test", "lobby.png")
			if os.MkdirAll(filepath.Dir(path), 0o755) == nil {
				d.Shoot(path)
				t.Log("the window at the end: ", path)
			}
		}
	})
	ben.Await("is in the lobby", func(l call.Line) bool { return l.Phase == "lobby" })
	d.Keys("search", "--sync", "--onlyvisible", "--name", "Parley", "windowfocus", "--sync")
	// Microphone, camera, copy, name, join, back, the microphone's card, the speaker's card, its test button.
	d.Keys("key", "--delay", "100", "Tab", "Tab", "Tab", "Tab", "Tab", "Tab", "Tab", "Tab", "Tab", "Return")
	harness.AwaitTrue(t, "the sound is heard", func() bool { return ear.Level(call.Self) > -35 }, ben.Errors)
}
