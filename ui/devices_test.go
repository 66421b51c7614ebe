package ui

import (
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"parley/media"
	"parley/media/call"
	"parley/signal/room"
	"parley/ui/widget"
)

// TestSecondClickUndoesTheFirst: a click toggles the last command, whatever is still painted.
func TestSecondClickUndoesTheFirst(t *testing.T) {
	w, c := open(t, start)
	s := with(base(call.Live), 2)
	s.Camera.On = false
	show(w, s)
	b := w.stage.bar
	for range 2 {
		test.Tap(b.mic)
		press(w, fyne.KeyE, fyne.KeyModifierControl)
	}
	mic := func(on bool) call.Turn { return call.Turn{Kind: media.Microphone, On: on} }
	camera := func(on bool) call.Turn { return call.Turn{Kind: media.Camera, On: on} }
	wants(t, c, mic(false), camera(true), mic(true), camera(false))

	// A state from between the clicks, then a late one from before them.
	s.Mic.On, s.Mic.Switched = false, 1
	s.Camera.On, s.Camera.Switched = true, 1
	w.Show(s)
	test.Tap(b.mic)
	press(w, fyne.KeyE, fyne.KeyModifierControl)
	wants(t, c, mic(false), camera(true))
	s.Mic.On, s.Mic.Switched = true, 2
	w.Show(s)
	test.Tap(b.mic)
	wants(t, c, mic(true))

	// In the lobby, and for Space: push-to-talk works only while the microphone is off.
	s = base(call.Lobby)
	s.Mic.Switched = w.switched[media.Microphone].count
	w.Show(s)
	test.Tap(w.lobby.mic)
	test.Tap(w.lobby.mic)
	wants(t, c, mic(false), mic(true))

	s = with(base(call.Live), 2)
	show(w, s)
	test.Tap(b.mic)
	w.keyDown(&fyne.KeyEvent{Name: fyne.KeySpace})
	w.keyUp(&fyne.KeyEvent{Name: fyne.KeySpace})
	wants(t, c, mic(false), mic(true), mic(false))
}

// TestSecondClickOnPanelsAndScreen: the same for everything else that toggles.
func TestSecondClickOnPanelsAndScreen(t *testing.T) {
	w, c := open(t, start)
	s := with(base(call.Live), 2)
	show(w, s)
	b := w.stage.bar
	for _, o := range []*widget.RoundButton{b.chat, b.people} {
		test.Tap(o)
		test.Tap(o)
		if w.stage.panel != noPanel {
			t.Errorf("%s pressed twice leaves panel %d open", o.Name, w.stage.panel)
		}
	}
	test.Tap(b.screen)
	test.Tap(b.screen)
	if w.sharing != nil {
		t.Error("the second press leaves the choice of screens open")
	}
	wants(t, c, call.Browse{On: true}, call.Browse{})
	w.do(call.Choose{Kind: media.Screen, ID: "screen:0"})
	test.Tap(b.screen) // sharing is starting: the click neither reopens the panel nor stops it
	wants(t, c, call.Choose{Kind: media.Screen, ID: "screen:0"})
	s.Screen.On = true
	show(w, s)
	test.Tap(b.screen)
	test.Tap(b.screen) // sharing is stopping: the panel does not open
	wants(t, c, call.StopScreen{})
	s.Screen.On = false
	show(w, s)
	test.Tap(b.screen)
	wants(t, c, call.Browse{On: true})
	w.sharing.gone()
	c.take()

	// Menu switches toggle the last choice too.
	s.Sound = call.Sound{Noise: true}
	show(w, s)
	for range 2 {
		test.Tap(b.more)
		pick(t, w, "Reduce background noise")
	}
	wants(t, c, call.SetSound{}, call.SetSound{Sound: call.Sound{Noise: true}})
}

// TestDoubleClicks: a second click, or a second press of Enter, does nothing until the first has been carried out. Then
// the button works again.
func TestDoubleClicks(t *testing.T) {
	enter := &fyne.KeyEvent{Name: fyne.KeyReturn}
	live, sharing, failed, ended := with(base(call.Live), 2), with(base(call.Live), 2), base(call.Lobby), base(call.Ended)
	sharing.Screen = call.Local{On: true, Live: true}
	failed.Problem = call.Problem{Kind: call.MeetingFull}
	unsent := live
	unsent.Room.Chat = []room.Message{{ID: "m", Mine: true, Text: "Hello", Status: room.Failed, At: clock}}
	for name, tt := range map[string]struct {
		s     call.State
		press func(w *Window)
		want  call.Command
	}{
		"new meeting":       {base(call.Idle), func(w *Window) { test.Tap(w.home.start) }, call.NewMeeting{}},
		"new meeting, key":  {base(call.Idle), func(w *Window) { w.home.start.TypedKey(enter) }, call.NewMeeting{}},
		"new, short code":   {base(call.Idle), func(w *Window) { test.Tap(w.home.short) }, call.NewMeeting{Short: true}},
		"open":              {base(call.Idle), func(w *Window) { w.home.code.Entry.SetText("x"); test.Tap(w.home.join) }, call.Open{Text: "x"}},
		"open, key":         {base(call.Idle), func(w *Window) { w.home.code.Entry.SetText("x"); w.home.code.Entry.TypedKey(enter) }, call.Open{Text: "x"}},
		"recent":            {base(call.Idle), func(w *Window) { test.Tap(w.home.recent.Objects[0].(*widget.Row)) }, call.Open{Text: "https://meet.example.org/#7k3m-q9xt-2w8p"}},
		"link":              {base(call.Idle), func(w *Window) { w.click("https://meet.example.org/#7k3m-q9xt-2w8p") }, call.Open{Text: "https://meet.example.org/#7k3m-q9xt-2w8p"}},
		"join":              {base(call.Lobby), func(w *Window) { test.Tap(w.lobby.join) }, call.Join{}},
		"join, key":         {base(call.Lobby), func(w *Window) { w.lobby.name.Entry.TypedKey(enter) }, call.Join{}},
		"test sound":        {base(call.Lobby), func(w *Window) { test.Tap(w.lobby.test) }, call.TestSpeaker{}},
		"back":              {base(call.Lobby), func(w *Window) { test.Tap(w.lobby.back) }, call.Leave{}},
		"dismiss":           {failed, func(w *Window) { test.Tap(w.lobby.dismiss) }, call.Dismiss{}},
		"cancel":            {base(call.Joining), func(w *Window) { test.Tap(w.wait.cancel) }, call.Leave{}},
		"leave":             {live, func(w *Window) { test.Tap(w.stage.bar.leave) }, call.Leave{}},
		"stop sharing":      {sharing, func(w *Window) { test.Tap(w.stage.own.stop) }, call.StopScreen{}},
		"stop sharing, bar": {sharing, func(w *Window) { test.Tap(w.stage.bar.screen) }, call.StopScreen{}},
		"send again":        {unsent, func(w *Window) { test.Tap(w.stage.chat.lines[0].Parts()[2].(*widget.Button)) }, call.Room{Command: room.Resend{ID: "m"}}},
		"rejoin":            {ended, func(w *Window) { test.Tap(w.ended.rejoin) }, call.Join{}},
		"close":             {ended, func(w *Window) { test.Tap(w.ended.back) }, call.Close{}},
	} {
		t.Run(name, func(t *testing.T) {
			w, c := openScaled(t, start, someRecents)
			show(w, tt.s)
			c.take()
			for range 3 {
				tt.press(w)
			}
			wants(t, c, tt.want)
			show(w, tt.s)
			tt.press(w)
			wants(t, c, tt.want)
		})
	}

	t.Run("the test sound plays", func(t *testing.T) {
		w, c := open(t, start)
		s := base(call.Lobby)
		s.Speaker.Testing = true
		show(w, s)
		test.Tap(w.lobby.test)
		wants(t, c)
	})
	t.Run("question", func(t *testing.T) {
		w, c := open(t, start)
		show(w, base(call.Idle))
		w.click("https://far.example.net/#aaaa-bbbb-2222")
		yes := w.question.yes
		for range 2 {
			test.Tap(yes)
			show(w, base(call.Idle)) // even after the first was carried out
		}
		wants(t, c, call.Open{Text: "https://far.example.net/#aaaa-bbbb-2222"})
	})
	t.Run("share and a menu", func(t *testing.T) {
		w, c := open(t, start)
		live.Shareables = call.Shareables{Known: true, List: []media.Shareable{{Device: media.Device{Kind: media.Screen, ID: "screen:0", Name: "Display 1"}}}}
		show(w, live)
		test.Tap(w.stage.bar.screen)
		begin := w.sharing.start
		test.Tap(begin)
		test.Tap(begin)
		wants(t, c, call.Browse{On: true}, call.Choose{Kind: media.Screen, ID: "screen:0", Capture: media.ScreenOptions{Pointer: true}}, call.Browse{})
		test.Tap(w.stage.bar.more)
		for _, i := range w.menu.closing() {
			if i.Label == "Desk view" {
				i.OnTap()
				i.OnTap()
			}
		}
		wants(t, c, call.Choose{Kind: media.Camera, ID: "desk"})
	})
	t.Run("save the name", func(t *testing.T) {
		w, c := open(t, start)
		show(w, base(call.Idle))
		test.Tap(w.home.edit)
		w.home.entry.Entry.SetText("Ada")
		for range 2 {
			test.Tap(w.home.save)
			w.home.entry.Entry.TypedKey(enter)
		}
		wants(t, c, call.SetName{Name: "Ada"})
	})
	t.Run("another command between", func(t *testing.T) {
		w, c := open(t, start)
		show(w, base(call.Idle))
		w.do(call.Open{Text: "a"})
		w.do(call.Open{Text: "b"})
		w.do(call.Open{Text: "a"})
		wants(t, c, call.Open{Text: "a"}, call.Open{Text: "b"}, call.Open{Text: "a"})
	})
}

// TestBrokenDevices: a device that others cannot hear or see is not shown as on.
func TestBrokenDevices(t *testing.T) {
	for kind := call.DeviceMissing; kind <= call.DeviceFailed; kind++ {
		t.Run(kind.String(), func(t *testing.T) {
			w, _ := open(t, start)
			s := with(base(call.Live), 2)
			s.Mic = call.Local{On: true, Problem: call.Problem{Kind: kind, Device: media.Microphone}}
			s.Camera = call.Local{On: true, Problem: call.Problem{Kind: kind, Device: media.Camera}}
			mic, camera := say("broken."+kind.String()+".microphone"), say("broken."+kind.String()+".camera")
			for _, words := range []string{mic, camera} {
				if words == "" || strings.HasPrefix(words, "broken.") {
					t.Fatalf("no words for it: %q", words)
				}
			}
			show(w, s)
			w.stage.togglePanel(peoplePanel)
			show(w, s)
			if tile := w.stage.self.State(); tile.Picture || tile.Icon != "mic-alert" || tile.Status != camera || tile.Speaking {
				t.Errorf("our own tile: %+v", tile)
			}
			for o, want := range map[*widget.RoundButton]string{w.stage.bar.mic: mic, w.stage.bar.camera: camera} {
				if o.Name != want || !strings.HasSuffix(o.Icon(), "-alert") {
					t.Errorf("the bar says %q, shows %q; want %q", o.Name, o.Icon(), want)
				}
			}
			me := w.stage.people.rows[0]
			if note, micMark, cameraMark := me.Shows(); note != say("broken.both") || micMark != widget.MarkBroken || cameraMark != widget.MarkBroken {
				t.Errorf("the list of people says %q, %v, %v", note, micMark, cameraMark)
			}
			room := me.Size().Width - 48 - 3*30 // between the avatar and three marks
			for _, words := range []string{mic, camera, say("broken.both")} {
				if width := widget.NewLabel(words, widget.Caption, widget.Text2).Width(); width > room {
					t.Errorf("%q is %.0f wide, in the list of people there are %.0f", words, width, room)
				}
			}
			one := s
			one.Mic = call.Local{On: true, Live: true}
			show(w, one)
			if note, _, _ := w.stage.people.rows[0].Shows(); note != camera {
				t.Errorf("with the microphone working, the list of people says %q", note)
			}
			show(w, s)
			s.Phase = call.Lobby
			show(w, s)
			if tile := w.lobby.preview.State(); tile.Picture || tile.Icon != "mic-alert" || tile.Status != camera {
				t.Errorf("the preview: %+v", tile)
			}
			if w.lobby.mic.Name != mic || w.lobby.camera.Name != camera {
				t.Errorf("the lobby's buttons say %q, %q", w.lobby.mic.Name, w.lobby.camera.Name)
			}
			// A device that is switched off needs no warning.
			s.Mic.On, s.Camera.On = false, false
			show(w, s)
			if w.lobby.mic.Name != say("turn-on.microphone") || w.lobby.preview.State().Icon != "mic-off" || w.lobby.preview.State().Status != "" {
				t.Errorf("switched off: %q, %+v", w.lobby.mic.Name, w.lobby.preview.State())
			}
		})
	}
}
