package call

import (
	"path/filepath"
	"slices"

	"parley/media"
)

// TestSpeaker plays a short sound through the speaker, in the lobby too, where the speaker is open
// for no longer than that takes.
type TestSpeaker struct{}

func (TestSpeaker) command() {}

type (
	// chimed: the test sound has been played to its end.
	chimed struct{}
	// playChime is an effect: the test sound starts, or starts again.
	playChime struct{}
)

func (m model) testSpeaker() (model, []effect) {
	if m.Phase != Lobby && !m.inside() || m.Speaker.Choice == media.SpecOff {
		return m, nil
	}
	m.Speaker.Testing, m.untested = true, nil
	m, effects := m.settle()
	return m, append(effects, playChime{})
}

func (m model) chimed() (model, []effect) {
	m.Speaker.Testing = false
	return m.settle()
}

// testFailed closes the speaker of the lobby and keeps the reason on show.
func (m model) testFailed(err error) (model, []effect) {
	m.Speaker.Testing, m.untested = false, err
	return m.settle()
}

// foresee names the speaker that the meeting will use. While none is open, the list of devices is
// all there is to know it by.
func (m *model) foresee() {
	list, listed := m.Devices[media.Speaker]
	if !listed || m.devices[media.Speaker].open {
		return
	}
	l := &m.Speaker
	l.Device, l.Problem = media.Device{}, Problem{}
	i := -1
	switch {
	case l.Choice == media.SpecOff:
		return
	case l.Choice == media.SpecDefault, l.Choice == "":
	case isFile(l.Choice):
		l.Device = media.Device{Kind: media.Speaker, ID: l.Choice, Name: filepath.Base(l.Choice)}
		return
	default:
		if i = slices.IndexFunc(list, func(d media.Device) bool { return d.ID == l.Choice }); i < 0 {
			i = slices.IndexFunc(list, func(d media.Device) bool { return d.Name == l.Choice })
		}
	}
	byDefault := i < 0
	if byDefault {
		i = max(slices.IndexFunc(list, func(d media.Device) bool { return d.Default }), 0)
	}
	switch {
	case len(list) == 0:
		l.Problem = deviceProblem(media.Speaker, media.ErrNoDevice)
		return
	case m.untested != nil:
		l.Problem = deviceProblem(media.Speaker, m.untested)
	case byDefault && l.Choice != media.SpecDefault && l.Choice != "":
		l.Problem = standIn(media.Speaker, list[i])
	}
	l.Device = list[i]
}

// isFile says whether a spec names a file, which is in no list of devices.
func isFile(spec string) bool { return filepath.Ext(spec) == ".wav" }
