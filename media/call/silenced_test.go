package call

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"parley/media"
	"parley/media/codec"
	"parley/media/device"
	"parley/media/device/pulsetest"
)

func TestSilencedBelongsToAMicrophone(t *testing.T) {
	says := func(on bool) func(model) event {
		return func(m model) event { return silenced{m.devices[media.Microphone].generation, on} }
	}
	for name, c := range map[string]struct {
		events []any
		want   bool
	}{
		"muted":         {[]any{opens(media.Microphone), says(true)}, true},
		"and no longer": {[]any{opens(media.Microphone), says(true), says(false)}, false},
		"another one":   {[]any{opens(media.Microphone), says(true), Choose{Kind: media.Microphone, ID: "usb"}}, false},
		"late news":     {[]any{Choose{Kind: media.Microphone, ID: "usb"}, silenced{1, true}}, false},
		"it ends":       {[]any{opens(media.Microphone), says(true), fails(media.Microphone, media.ErrLost)}, false},
		"we leave":      {[]any{opens(media.Microphone), says(true), Leave{}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if m, _ := play(t, live(t), c.events...); m.Mic.Silenced != c.want {
				t.Errorf("silenced: %v", m.Mic.Silenced)
			}
		})
	}
}

// TestSystemMutesTheMicrophone mutes a real microphone in the lobby and in the meeting.
func TestSystemMutesTheMicrophone(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a sound server")
	}
	pulse := pulsetest.Start(t)
	sink := pulse.Mic("desk")
	pulse.Use()
	var quiet atomic.Bool
	hum(t, sink, &quiet)
	c := caller(t, rendezvous(t), "Ada", func(cfg *Config) { cfg.Microphone = "desk" })
	c.Do(SetSound{Sound{Original: true}})
	mutedAndBack := func(where string) {
		t.Helper()
		eventually(t, "heard "+where, func() bool { return c.Level(Self) > -50 && !c.State().Mic.Silenced })
		pulse.Mute("desk", true)
		eventually(t, "told "+where, func() bool { return c.State().Mic.Device.Muted })
		pulse.Mute("desk", false)
		eventually(t, "untold "+where, func() bool { return !c.State().Mic.Device.Muted })
	}
	c.Do(NewMeeting{})
	mutedAndBack("in the lobby")
	c.Do(Join{})
	eventually(t, "live", func() bool { return c.State().Phase == Live })
	mutedAndBack("in the meeting")

	// A gate against noise lets nothing through either.
	quiet.Store(true)
	eventually(t, "quiet", func() bool { return c.audio.Nothing() > 2*silencedAfter })
	if m := c.State().Mic; m.Silenced || m.Device.Muted {
		t.Error("a microphone that is quiet is taken for muted")
	}

	// One that never brought anything is taken for it, until it does.
	c.Do(Leave{})
	c.Do(NewMeeting{})
	eventually(t, "told of nothing", func() bool { return c.State().Mic.Silenced })
	quiet.Store(false)
	eventually(t, "untold", func() bool { return !c.State().Mic.Silenced })
}

// hum plays noise into a speaker until the test ends, and nothing while quiet.
func hum(t *testing.T, speaker string, quiet *atomic.Bool) {
	t.Helper()
	devices := device.New(device.Config{Convert: codec.New()})
	out, err := devices.OpenSpeaker(speaker)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- out.Run(ctx, func(pcm []int16) {
			for i := range pcm {
				pcm[i] = 0
				if !quiet.Load() {
					pcm[i] = int16(rand.IntN(4000) - 2000)
				}
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Error("the hum does not end")
		}
		devices.Close()
	})
}
