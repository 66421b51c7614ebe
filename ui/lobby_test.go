package ui

import (
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"parley/media"
	"parley/media/call"
	"parley/signal/room"
)

// TestLobbyNeedsAName: an empty name field has the focus, and Enter joins.
func TestLobbyNeedsAName(t *testing.T) {
	w, c := open(t, start)
	s := base(call.Idle)
	s.Name = ""
	show(w, s)
	s.Phase = call.Lobby
	show(w, s)
	if w.win.Canvas().Focused() != w.lobby.name.Entry {
		t.Fatalf("the keyboard is at %v", w.win.Canvas().Focused())
	}
	enter := &fyne.KeyEvent{Name: fyne.KeyReturn}
	w.win.Canvas().Focused().TypedKey(enter)
	wants(t, c)
	test.Type(w.win.Canvas().Focused(), "Nia")
	show(w, s) // an older state, without the name, does not move the focus
	if w.win.Canvas().Focused() != w.lobby.name.Entry {
		t.Error("a new state took the keyboard from the name")
	}
	w.win.Canvas().Focused().TypedKey(enter)
	wants(t, c, call.SetName{Name: "Nia"}, call.Join{})

	// With a name, no field has the focus, so the window gets the keys.
	w, _ = open(t, start)
	show(w, base(call.Lobby))
	if f := w.win.Canvas().Focused(); f != nil {
		t.Errorf("the keyboard is at %v", f)
	}
}

// TestJoinIsInSight: the join button is visible without scrolling, at any window size and with every warning.
func TestJoinIsInSight(t *testing.T) {
	sizes := []fyne.Size{
		start, smallest,
		{Width: 800, Height: 600},
		{Width: 640, Height: 480}, // the same at a scale of 1.5
		{Width: 800 / 1.5, Height: 600 / 1.5},
		{Width: 1280 / 1.5, Height: 720 / 1.5},
		{Width: 1366 / 1.5, Height: 768 / 1.5},
		{Width: 1280, Height: 480},
		{Width: 1000, Height: 560},
		{Width: 1000, Height: 600},
		{Width: 480, Height: 900},
	}
	for _, size := range sizes {
		w, _ := open(t, size)
		s := with(base(call.Lobby), 4)
		s.Room.Link = room.Reconnecting
		s.Problem = call.Problem{Kind: call.CertNotYet, Host: "meet.a-rather-long-name.example.org:8443", Time: clock, Now: clock}
		show(w, s)
		for name, o := range map[string]fyne.CanvasObject{"join": w.lobby.join, "the name": w.lobby.name, "the notice": w.lobby.notice, "who is there": w.lobby.who} {
			at := w.app.Driver().AbsolutePositionForObject(o)
			if bottom := at.Y + o.Size().Height; at.Y < 0 || bottom > size.Height || at.X < 0 || at.X+o.Size().Width > size.Width {
				t.Errorf("%v: %s is at %v to %v", size, name, at, bottom)
			}
		}
		at := w.app.Driver().AbsolutePositionForObject(w.lobby.who)
		if w.lobby.low && at.Y+w.lobby.who.Size().Height > size.Height-footHeight {
			t.Errorf("%v: who is there is below the foot", size)
		}
	}
}

// TestLobbyMessage: the notice is beside the people until the problem is solved or dismissed.
func TestLobbyMessage(t *testing.T) {
	w, c := open(t, start)
	s := with(base(call.Lobby), 2)
	s.Problem = call.Problem{Kind: call.DeviceReplaced, Device: media.Camera, Name: "FaceTime HD"}
	for _, link := range []room.Link{room.Connected, room.Reconnecting, room.Connected} {
		s.Room.Link = link
		show(w, s)
		if !strings.Contains(w.lobby.who.Text(), "Amara") || w.lobby.notice.Text() != problemText(s.Problem) {
			t.Errorf("%v: %q, %q", link, w.lobby.who.Text(), w.lobby.notice.Text())
		}
	}
	test.Tap(w.lobby.dismiss)
	wants(t, c, call.Dismiss{})
	s.Problem = call.Problem{}
	show(w, s)
	if w.lobby.notice.Text() != "" || w.lobby.dismiss.Visible() {
		t.Errorf("it is over, and %q still shows", w.lobby.notice.Text())
	}
}
