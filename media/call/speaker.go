package call

import (
	"path/filepath"
	"slices"

	"parley/media"
)

// TestSpeaker plays a short sound through the speaker. In the lobby, the speaker is open only for that.
type TestSpeaker struct{}

func (TestSpeaker) command() {}

type (
	// chimeEnded: the test sound is over.
	chimeEnded struct{}
	// playChime is an effect: start the test sound, again if it is playing.
	playChime struct{}
)

func (m model) testSpeaker() (model, []effect) {
	if m.Phase != Lobby && !m.inside() || m.Speaker.Choice == media.SpecOff {
		return m, nil
	}
	m.Speaker.Testing, m.testErr = true, nil
	m, effects := m.reconcile()
	return m, append(effects, playChime{})
}

func (m model) chimeEnded() (model, []effect) {
	m.Speaker.Testing = false
	return m.reconcile()
}

// testFailed closes the lobby's speaker and keeps showing why the test failed.
func (m model) testFailed(err error) (model, []effect) {
	m.Speaker.Testing, m.testErr = false, err
	return m.reconcile()
}

// predictSpeaker tells which speaker the meeting will use. As long as none is open, only the device list
// can say.
func (m *model) predictSpeaker() {
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
	case m.testErr != nil:
		l.Problem = deviceProblem(media.Speaker, m.testErr)
	case byDefault && l.Choice != media.SpecDefault && l.Choice != "":
		l.Problem = replacedProblem(media.Speaker, list[i])
	}
	l.Device = list[i]
}

// isFile reports whether a spec names a file. Files are in no device list.
func isFile(spec string) bool { return filepath.Ext(spec) == ".wav" }
