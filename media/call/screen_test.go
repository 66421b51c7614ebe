package call

import (
	"errors"
	"fmt"
	"testing"

	"parley/media"
)

func TestBrowse(t *testing.T) {
	m := live(t)
	list := []media.Shareable{{Device: media.Device{Kind: media.Screen, ID: "screen:0"}}}
	m, effects := play(t, m, Browse{true})
	if len(effects) != 1 || effects[0] != (browse{1}) {
		t.Fatalf("effects %v", effects)
	}
	if _, effects := play(t, m, Browse{true}); len(effects) != 0 {
		t.Errorf("looked up twice at once: %v", effects)
	}
	m, effects = play(t, m, browsed{1, list, nil})
	if !m.Shareables.Known || len(m.Shareables.List) != 1 || m.Shareables.Problem != (Problem{}) {
		t.Errorf("shareables %+v", m.Shareables)
	}
	if len(effects) != 1 || effects[0] != (later{browsePause, browseAgain{1}}) {
		t.Errorf("effects %v", effects)
	}
	m, effects = play(t, m, browseAgain{1})
	if len(effects) != 1 || effects[0] != (browse{2}) {
		t.Errorf("effects %v", effects)
	}
	if m, effects := play(t, m, browsed{1, nil, nil}, browseAgain{1}); len(effects) != 0 || len(m.Shareables.List) != 1 {
		t.Errorf("a late answer counts: %v, %+v", effects, m.Shareables)
	}
	m, effects = play(t, m, Browse{false}, browsed{2, list, nil}, browseAgain{2})
	if m.Shareables.Known || m.Shareables.List != nil || len(effects) != 0 {
		t.Errorf("forgotten, and still there: %+v, %v", m.Shareables, effects)
	}
	m, _ = play(t, m, Browse{true}, browsed{3, nil, media.ErrUnsupported})
	if m.Shareables.Problem.Kind != ScreenUnsupported {
		t.Errorf("problem %q", m.Shareables.Problem)
	}
	m, effects = play(t, m, Leave{}, browseAgain{3})
	if m.Shareables.Known || len(effects) != 0 {
		t.Errorf("goes on after the meeting: %v", effects)
	}
}

func TestShareAsWanted(t *testing.T) {
	m := live(t)
	film := media.ScreenOptions{Motion: true, Pointer: true}
	m, effects := play(t, m, Choose{Kind: media.Screen, ID: "screen:0", Capture: film})
	if e, ok := effects[2].(openDevice); !ok || e.capture != film || e.spec != "screen:0" {
		t.Fatalf("effects %v", effects)
	}
	m, _ = play(t, m, opens(media.Screen))
	if _, effects := play(t, m, Choose{Kind: media.Screen, ID: "screen:0", Capture: film}); len(effects) != 0 {
		t.Errorf("the same again: %v", effects)
	}
	if _, effects := play(t, m, Choose{Kind: media.Screen, ID: "screen:0"}); len(effects) == 0 {
		t.Error("captured in another way: nothing happens")
	}
}

func TestScreenProblems(t *testing.T) {
	for _, c := range []struct {
		id   string
		err  error
		want ProblemKind
	}{
		{"", media.ErrNoDevice, ScreenMissing},
		{"", media.ErrUnsupported, ScreenUnsupported},
		{"", errors.New("Secret.doc"), ScreenGone},
		{"screen:0", media.ErrUnsupported, ScreenUnsupported},
		{"screen:0", media.ErrFormat, ScreenFormat},
		{"screen:0", media.ErrNoDevice, ScreenGone},
		{"screen:0", media.ErrLost, ScreenGone},
		{"window:0x1", media.ErrFormat, ScreenFormat},
		{"window:0x1", media.ErrLost, WindowClosed},
		{"window:0x1", media.ErrNoDevice, WindowClosed},
		{"region:0,0,9x9", media.ErrFormat, RegionSmall},
		{"region:0,0,9x9", media.ErrLost, RegionGone},
	} {
		// A window's title may be secret; the kind alone is told.
		if got := screenProblem(c.id, fmt.Errorf("Secret.doc: %w", c.err)); got != (Problem{Kind: c.want}) {
			t.Errorf("%q, %v: %q, want %q", c.id, c.err, got, c.want)
		}
	}
}

// TestScreenHidden: State says whether the shared window is minimised, and ignores windows shared before.
func TestScreenHidden(t *testing.T) {
	m, _ := play(t, fresh(), NewMeeting{Join: true}, ready, Choose{Kind: media.Screen, ID: "window:0x1"}, opens(media.Screen))
	now := m.devices[media.Screen].generation
	m, _ = play(t, m, screenHidden{now - 1, true})
	if m.Screen.Hidden {
		t.Error("hidden by the screen before")
	}
	m, _ = play(t, m, screenHidden{now, true})
	if !m.Screen.Hidden || !m.Screen.Live {
		t.Errorf("minimised: %+v", m.Screen)
	}
	back, _ := play(t, m, screenHidden{now, false})
	if back.Screen.Hidden {
		t.Error("still hidden when it is back")
	}
	m, _ = play(t, m, Turn{Kind: media.Screen})
	if m.Screen.Hidden {
		t.Error("hidden, and no longer shared")
	}
}

// TestMutedBySystem: State says whether the system has muted our microphone, from its opening on.
func TestMutedBySystem(t *testing.T) {
	const mic = media.Microphone
	list := func(muted bool) devicesListed {
		return devicesListed{mic, []media.Device{{Kind: mic, ID: "desk", Muted: muted}, {Kind: mic, ID: "other", Muted: !muted}}}
	}
	open := func(m model) event {
		return deviceOpened{mic, m.devices[mic].generation, media.Device{Kind: mic, ID: "desk"}, Format{}}
	}
	m, _ := play(t, fresh(), NewMeeting{}, ready, list(true), open)
	if !m.Mic.Device.Muted {
		t.Errorf("muted before it was opened: %+v", m.Mic)
	}
	m, _ = play(t, m, list(false))
	if m.Mic.Device.Muted || !m.Mic.Live {
		t.Errorf("no longer muted: %+v", m.Mic)
	}
	m, _ = play(t, m, list(true))
	if !m.Mic.Device.Muted {
		t.Errorf("muted: %+v", m.Mic)
	}
}
