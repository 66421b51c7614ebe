package ui

import (
	"image"
	"reflect"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"parley/media"
	"parley/media/call"
)

// sharing opens a window with its share panel and something to share.
func openSharing(t *testing.T, size fyne.Size) (*Window, *fakeCall) {
	t.Helper()
	w, c := open(t, size)
	show(w, with(base(call.Live), 2))
	test.Tap(w.stage.bar.screen)
	wants(t, c, call.Browse{On: true})
	if w.sharing.ready() {
		t.Error("there is nothing yet, and it can be shared")
	}
	show(w, choosing(some()))
	return w, c
}

func TestShareWindow(t *testing.T) {
	w, c := openSharing(t, start)
	p := w.sharing
	if len(p.cards) != 6 || p.cards[2].Name != "Part of the screen" || p.chosen != "screen:DP-1" {
		t.Fatalf("%d cards, chosen %q", len(p.cards), p.chosen)
	}
	test.Tap(p.cards[4])
	test.Tap(p.pointer)
	test.Tap(p.motion)
	test.Tap(p.sound)
	test.Tap(p.start)
	wants(t, c, call.Choose{Kind: media.Screen, ID: "window:0x2", Sound: true, Capture: media.ScreenOptions{Motion: true}}, call.Browse{})
	if w.sharing != nil || w.win.Canvas().Overlays().Top() != nil {
		t.Error("the panel stays")
	}
}

// TestShareFollowsState: the choice stays as long as its window exists.
func TestShareFollowsState(t *testing.T) {
	w, c := openSharing(t, start)
	p := w.sharing
	test.Tap(p.cards[4])
	list := some()
	list.List = list.List[:4]
	list.List[3].Name = "Inbox (4) — Mail"
	show(w, choosing(list))
	if p.chosen != "window:0x2" || p.cards[4].Name != "Inbox (4) — Mail" || len(p.cards) != 5 {
		t.Errorf("chosen %q, %d cards", p.chosen, len(p.cards))
	}
	list.List = list.List[:3]
	show(w, choosing(list))
	if p.chosen != "screen:DP-1" {
		t.Errorf("its window is gone, and chosen is %q", p.chosen)
	}
	show(w, choosing(call.Shareables{Known: true, Problem: call.Problem{Kind: call.ScreenMissing}}))
	test.Tap(p.start)
	if p.ready() || p.note.Text() != "There is no screen to share on this system." {
		t.Error("nothing can be shared, and can")
	}
	wants(t, c)
	// The panel closes with the meeting.
	s := base(call.Ended)
	show(w, s)
	wants(t, c, call.Browse{})
	if w.sharing != nil {
		t.Error("the panel outlives its meeting")
	}
}

func TestShareRegion(t *testing.T) {
	w, c := openSharing(t, start)
	p := w.sharing
	test.Tap(p.cards[2])
	r := p.region
	if !r.Visible() || w.win.Canvas().Focused() != fyne.Focusable(r) {
		t.Fatal("there is nothing to draw on")
	}
	drag := func(from, to fyne.Position) {
		r.MouseDown(&desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: from}})
		r.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: to}})
		r.DragEnd()
	}
	// 712 canvas units show 1920 pixels.
	view := r.Size()
	drag(fyne.NewPos(view.Width*0.75, view.Height*0.5), fyne.NewPos(view.Width*0.25, view.Height*0.25))
	if got := r.Part(); got.Dx() < 900 || got.Dx() > 1000 || got.Min.X < 440 || got.Min.X > 520 {
		t.Errorf("drawn %v", got)
	}
	drag(fyne.NewPos(10, 10), fyne.NewPos(11, 11))
	test.Tap(p.start)
	if p.ready() {
		t.Errorf("%v can be shared", r.Part())
	}
	wants(t, c)
	drag(fyne.NewPos(-100, -100), fyne.NewPos(10000, 10000))
	if got := r.Part(); got != image.Rect(0, 0, 1920, 1080) {
		t.Errorf("drawn beyond the edges: %v", got)
	}
	// By keyboard.
	for range 9 {
		r.TypedRune('-')
	}
	r.TypedRune('+')
	for range 100 {
		r.TypedKey(&fyne.KeyEvent{Name: fyne.KeyRight})
	}
	got := r.Part()
	if got.Max.X != 1920 || got.Dx() != 1920-2*8*48 || got.Min.Y != 8*48 {
		t.Errorf("by keyboard: %v", got)
	}
	test.Tap(p.start)
	wants(t, c, call.Choose{
		Kind: media.Screen, ID: "region:768,384,1152x312", Capture: media.ScreenOptions{Pointer: true},
	}, call.Browse{})
	// Escape goes back to the cards first.
	show(w, choosing(some())) // sharing failed
	test.Tap(w.stage.bar.screen)
	show(w, choosing(some()))
	test.Tap(w.sharing.cards[2])
	w.win.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if w.sharing == nil || w.sharing.draw {
		t.Fatal("Escape does not go back to the cards")
	}
	w.typed(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if w.sharing != nil {
		t.Error("Escape leaves the panel open")
	}
}

func TestShareByKeyboardAlone(t *testing.T) {
	w, c := openSharing(t, smallest)
	got := tabOrder(w)
	want := []string{
		"Close", "Screen DP-1", "Screen HDMI-1", "Part of the screen", "Roadmap, winter — Editor", "Inbox (3) — Mail",
		"Quarterly figures with a very long title that does not fit — Spreadsheet",
		"Show pointer", "Optimise for motion", "Share system sound", "Cancel", "Share",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Tab goes to %q, want %q", got, want)
	}
	w.win.Canvas().Focus(w.sharing.cards[5])
	if w.sharing.flow.scroll.Offset.Y == 0 {
		t.Error("the last card has the focus and is not in sight")
	}
	w.win.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	w.win.Canvas().Focus(w.sharing.start)
	w.win.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	wants(t, c, call.Choose{Kind: media.Screen, ID: "window:0x3", Capture: media.ScreenOptions{Pointer: true}}, call.Browse{})
}

func TestStopSharing(t *testing.T) {
	w, c := open(t, start)
	s := with(base(call.Live), 1)
	s.Screen = call.Local{On: true}
	show(w, s)
	if got := withoutIsolates(w.stage.own.text.Text()); got != "Starting to share…" {
		t.Errorf("it says %q", got)
	}
	s.Screen = call.Local{On: true, Live: true, Device: media.Device{Name: "Entire screen"}}
	show(w, s)
	if got := withoutIsolates(w.stage.own.text.Text()); got != "You are sharing “Entire screen”" {
		t.Errorf("it says %q", got)
	}
	test.Tap(w.stage.own.stop)
	wants(t, c, call.StopScreen{})
	s.Screen.On = false
	show(w, s)
	if w.stage.own.box.Visible() {
		t.Error("it says that we share, and we do not")
	}
}
