package call

import (
	"errors"
	"math"
	"testing"

	"parley/media"
	"parley/media/device/pulsetest"
)

// TestLobbyPredictsTheSpeaker: the lobby names the speaker that will open with the meeting.
func TestLobbyPredictsTheSpeaker(t *testing.T) {
	speakers := func(list ...media.Device) event { return devicesListed{media.Speaker, list} }
	desk := media.Device{Kind: media.Speaker, ID: "desk", Name: "Desk"}
	usb := media.Device{Kind: media.Speaker, ID: "usb", Name: "Headset"}
	def := desk
	def.Default = true
	lobby := Open{Text: "good"}
	choose := func(id string) Choose { return Choose{Kind: media.Speaker, ID: id} }
	for name, c := range map[string]struct {
		events  []any
		device  string
		problem string // a part of it; "" is none
	}{
		"no list yet":             {[]any{lobby}, "", ""},
		"the first":               {[]any{speakers(desk, usb), lobby}, "Desk", ""},
		"the default":             {[]any{speakers(usb, def), lobby}, "Desk", ""},
		"listed in the lobby":     {[]any{lobby, speakers(def)}, "Desk", ""},
		"none":                    {[]any{lobby, speakers()}, "", "device-missing: speaker"},
		"plugged in":              {[]any{lobby, speakers(), speakers(usb)}, "Headset", ""},
		"unplugged":               {[]any{lobby, speakers(usb), speakers()}, "", "device-missing: speaker"},
		"another default":         {[]any{lobby, speakers(usb, def), speakers(usb)}, "Headset", ""},
		"chosen":                  {[]any{lobby, speakers(def, usb), choose("usb")}, "Headset", ""},
		"chosen by name":          {[]any{lobby, speakers(def, usb), choose("Headset")}, "Headset", ""},
		"chosen and unplugged":    {[]any{lobby, speakers(def, usb), choose("usb"), speakers(def)}, "Desk", "device-replaced: speaker: Desk"},
		"and plugged in again":    {[]any{lobby, choose("usb"), speakers(def), speakers(def, usb)}, "Headset", ""},
		"a file":                  {[]any{lobby, speakers(), choose("/tmp/heard.wav")}, "heard.wav", ""},
		"off":                     {[]any{lobby, speakers(def), choose(media.SpecOff)}, "", ""},
		"after a meeting":         {[]any{speakers(usb), lobby, ready, Join{}, opens(media.Speaker), Leave{}, Close{}, lobby}, "Headset", ""},
		"while it is open":        {[]any{speakers(usb), lobby, ready, Join{}, opens(media.Speaker), speakers(desk)}, "Thing", ""},
		"tested":                  {[]any{speakers(usb), lobby, TestSpeaker{}, opens(media.Speaker), chimeEnded{}}, "Headset", ""},
		"the test fails":          {[]any{speakers(usb), lobby, TestSpeaker{}, fails(media.Speaker, media.ErrBusy)}, "Headset", "device-busy: speaker"},
		"the choice fails":        {[]any{speakers(def, usb), lobby, choose("usb"), TestSpeaker{}, fails(media.Speaker, media.ErrBusy), fails(media.Speaker, media.ErrBusy)}, "Headset", "device-busy: speaker"},
		"tried again":             {[]any{speakers(usb), lobby, TestSpeaker{}, fails(media.Speaker, media.ErrBusy), TestSpeaker{}, opens(media.Speaker)}, "Thing", ""},
		"another after a failure": {[]any{speakers(def, usb), lobby, TestSpeaker{}, fails(media.Speaker, media.ErrBusy), choose("usb")}, "Headset", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m, _ := play(t, fresh(), c.events...)
			l := m.Speaker
			if l.Device.Name != c.device || l.Problem.String() != c.problem {
				t.Errorf("the speaker is %q, %q; want %q, %q", l.Device.Name, l.Problem, c.device, c.problem)
			}
		})
	}
}

// TestTestSoundOpensTheSpeakerForAMoment: in the lobby the speaker is open only while the test sound plays.
func TestTestSoundOpensTheSpeakerForAMoment(t *testing.T) {
	lobby := []any{Open{Text: "good"}}
	with := func(more ...any) []any { return append(lobby[:1:1], more...) }
	for name, c := range map[string]struct {
		events  []any
		testing bool
		effects string
	}{
		"at home":        {[]any{TestSpeaker{}}, false, ""},
		"in the lobby":   {with(TestSpeaker{}), true, "open speaker default, playChime"},
		"twice":          {with(TestSpeaker{}, opens(media.Speaker), TestSpeaker{}), true, "playChime"},
		"over":           {with(TestSpeaker{}, opens(media.Speaker), chimeEnded{}), false, "close speaker"},
		"another choice": {with(TestSpeaker{}, opens(media.Speaker), Choose{Kind: media.Speaker, ID: "usb"}), true, "close speaker, open speaker usb"},
		"going back":     {with(TestSpeaker{}, Leave{}), false, "closeRoom, close camera, close microphone, close speaker"},
		"joining":        {with(TestSpeaker{}, opens(media.Speaker), Join{}), true, "tell room.Enter"},
		"over by then":   {with(TestSpeaker{}, opens(media.Speaker), Join{}, chimeEnded{}), false, ""},
		"in the meeting": {with(ready, Join{}, roomIs(0), TestSpeaker{}), true, "playChime"},
		"failed":         {with(TestSpeaker{}, fails(media.Speaker, errors.New("broken"))), false, ""},
		"no speaker":     {with(Choose{Kind: media.Speaker, ID: media.SpecOff}, TestSpeaker{}), false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m, effects := play(t, fresh(), c.events...)
			if m.Speaker.Testing != c.testing || brief(effects) != c.effects {
				t.Errorf("testing %v, %q; want %v, %q", m.Speaker.Testing, brief(effects), c.testing, c.effects)
			}
		})
	}
}

func TestChimeIsMixedAndEnds(t *testing.T) {
	var c chime
	c.start()
	loudest, total, ends := 0.0, 0, 0
	for range 10 * int(chimeLength) / media.BlockSamples {
		pcm := make([]int16, media.BlockSamples*media.SpeakerChannels)
		for i := range pcm {
			pcm[i] = 30_000 // a voice as loud as can be: the sum is held, and does not wrap
		}
		if c.mix(pcm) {
			ends++
		}
		for _, v := range pcm {
			if v < 0 {
				t.Fatal("the sum has wrapped")
			}
			loudest = max(loudest, math.Abs(float64(v)-30_000))
		}
		total++
	}
	if ends != 1 || loudest == 0 {
		t.Errorf("it ended %d times in %d blocks, its peak above the voice is %.0f", ends, total, loudest)
	}
}

// TestChimeIsHeard plays the test sound through a real sound server and records it.
func TestChimeIsHeard(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a sound server")
	}
	pulse := pulsetest.Start(t)
	pulse.NullSink("desk")
	pulse.Use()
	c := caller(t, rendezvous(t), "Ada", func(cfg *Config) { cfg.Speaker = media.SpecDefault })
	c.Do(NewMeeting{})
	eventually(t, "named", func() bool { return c.State().Speaker.Device.Name == "desk" })
	ear := caller(t, rendezvous(t), "Ear", func(cfg *Config) { cfg.Microphone, cfg.MicrophoneOn = "desk.monitor", true })
	ear.Do(NewMeeting{})
	eventually(t, "listening", func() bool { return ear.State().Mic.Live })
	if c.State().Speaker.Live {
		t.Error("the lobby holds the speaker open")
	}
	c.Do(TestSpeaker{})
	eventually(t, "heard", func() bool { return ear.Level(Self) > -35 })
	eventually(t, "over", func() bool { s := c.State().Speaker; return !s.Testing && !s.Live })
	if s := c.State().Speaker; s.Problem != (Problem{}) || s.Device.Name != "desk" {
		t.Errorf("after the test: %+v", s)
	}

	pulse.Unplug("desk")
	eventually(t, "missed", func() bool { return c.State().Speaker.Problem.Kind == DeviceMissing })
	pulse.NullSink("headset")
	eventually(t, "found", func() bool { s := c.State().Speaker; return s.Device.Name == "headset" && s.Problem == (Problem{}) })
}
