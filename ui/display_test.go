package ui

import (
	"context"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"parley/media"
	"parley/media/call"
)

func view(c *fakeCall, id string, kind media.Kind) *fakeView {
	v, _ := c.views[id+kind.String()]
	if v == nil {
		return &fakeView{}
	}
	return v
}

func TestTilesTellTheirPixels(t *testing.T) {
	w, c := open(t, start)
	w.win.Canvas().(test.WindowlessCanvas).SetScale(2)
	s := with(base(call.Live), 1)
	show(w, s)
	v := view(c, names[0], media.Camera)
	if v.w != 2*(1280-24) || v.h != 2*(720-72-24) || v.fit != media.FitCover {
		t.Errorf("the tile says %dx%d fit %d", v.w, v.h, v.fit)
	}
	if self := view(c, "", media.Camera); self.w != 480 || self.h != 270 {
		t.Errorf("the self-view says %dx%d", self.w, self.h)
	}
	told := v.resized
	show(w, s)
	if v.resized != told {
		t.Error("the same size is told again")
	}
	s.Peers[0].Camera = false
	show(w, s)
	if v.w != 0 || v.h != 0 {
		t.Errorf("a camera that is off is shown at %dx%d", v.w, v.h)
	}
}

func TestUnseenTilesCostNothing(t *testing.T) {
	w, c := open(t, start)
	show(w, base(call.Lobby))
	self := view(c, "", media.Camera)
	if self.w == 0 {
		t.Fatal("no preview")
	}
	s := with(base(call.Live), 20)
	show(w, s)
	seen := func() (n int) {
		for i := range 20 {
			if view(c, names[i], media.Camera).w > 0 {
				n++
			}
		}
		return n
	}
	first := seen()
	w.stage.turnPage(1)
	second := seen()
	cameras := 0
	for _, p := range s.Peers {
		if p.Camera {
			cameras++
		}
	}
	if first == 0 || second == 0 || first+second != cameras {
		t.Errorf("%d tiles on the first page and %d on the second show, of %d cameras", first, second, cameras)
	}
	s.Peers = s.Peers[:1]
	show(w, s)
	if n := seen(); n != 1 {
		t.Errorf("%d tiles of people who left still show", n-1)
	}
	show(w, base(call.Ended))
	if n := seen(); n != 0 || self.w != 0 {
		t.Errorf("%d tiles and a self-view of width %d show after the end", n, self.w)
	}
}

func TestScreensAreShownWhole(t *testing.T) {
	w, c := open(t, start)
	s := with(base(call.Live), 3)
	s.Peers[1].Screen = true
	show(w, s)
	if v := view(c, names[1], media.Screen); v.w == 0 || v.fit != media.FitContain {
		t.Errorf("the screen's tile says width %d fit %d", v.w, v.fit)
	}
	s.Peers[1].Screen = false
	show(w, s)
	if v := view(c, names[1], media.Screen); v.w != 0 {
		t.Error("a screen that is gone is still decoded")
	}
}

func TestEveryPictureIsReported(t *testing.T) {
	w, c := open(t, start)
	show(w, with(base(call.Live), 1))
	v := view(c, names[0], media.Camera)
	if v.painted == 0 {
		t.Fatal("no picture was reported as painted")
	}
	n := v.painted
	w.tick(time.Now()) // no new picture
	w.reportPainted()
	if v.painted != n {
		t.Error("a picture is reported twice")
	}
}

func TestNewestStateWins(t *testing.T) {
	w, _ := open(t, start)
	w.queued.Store(true) // the UI goroutine is busy
	for _, p := range []call.Phase{call.Lobby, call.Joining, call.Live} {
		w.Show(with(base(p), 1))
	}
	if _, first := w.screen.(blank); !first {
		t.Fatal("a state was drawn while the UI goroutine was busy")
	}
	w.apply()
	if w.screen != w.stage {
		t.Error("not the newest state is drawn")
	}
	w.apply() // nothing left to draw
	w.Show(base(call.Idle))
	if w.screen != w.home {
		t.Error("a state after the busy time is not drawn")
	}
}

func TestRunEnds(t *testing.T) {
	w, c := open(t, start)
	w.Show(with(base(call.Live), 1))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	_ = c
}

func TestResizeMovesTiles(t *testing.T) {
	w, c := open(t, start)
	show(w, with(base(call.Live), 1))
	v := view(c, names[0], media.Camera)
	before := v.w
	w.win.Resize(fyne.NewSize(1000, 600))
	w.tick(time.Now())
	if v.w >= before || v.w != 1000-24 {
		t.Errorf("the tile says %d after the window shrank from %d", v.w, before)
	}
}

// TestPicturesGoTogether: the self-view waits for the picture of the large tile, but one frame at most, so
// that two cameras cost one paint.
func TestPicturesGoTogether(t *testing.T) {
	w, c := open(t, start)
	show(w, with(base(call.Live), 1))
	large, self := view(c, names[0], media.Camera), view(c, "", media.Camera)
	at := time.Now()
	frame := func() {
		at = at.Add(time.Second / 60)
		w.tick(at)
	}
	frame()
	large.taken, self.taken = true, false
	frame()
	if self.taken {
		t.Error("the self-view is painted by itself at once")
	}
	large.taken = false
	frame()
	if !self.taken || !large.taken {
		t.Error("the large tile's picture did not take the self-view's along")
	}
	self.taken = false
	frame()
	frame()
	if !self.taken {
		t.Error("the self-view waits for a large tile that has no picture")
	}
	large.taken = false
	frame()
	if !large.taken {
		t.Error("the large tile's picture waits")
	}
}

// TestABusyMachineDrawsLess: the rate falls where all pictures are small; a large picture keeps its rate.
func TestABusyMachineDrawsLess(t *testing.T) {
	for _, c := range []struct {
		name        string
		others      int
		shed        call.Shed
		least, most int
	}{
		{"six, at ease", 5, call.ShedNothing, 55, 60},
		{"six, busy", 5, call.ShedTiles, 13, 16},
		{"two, busy", 1, call.ShedRate, 55, 60},
	} {
		w, calls := open(t, start)
		s := with(base(call.Live), c.others)
		s.Shed = c.shed
		show(w, s)
		lead := view(calls, names[0], media.Camera)
		drawn, at := 0, time.Now()
		for range 60 {
			lead.taken = false
			at = at.Add(time.Second / 60)
			w.tick(at)
			if lead.taken {
				drawn++
			}
		}
		if drawn < c.least || drawn > c.most {
			t.Errorf("%s: drawn %d times in a second, want %d to %d", c.name, drawn, c.least, c.most)
		}
	}
}

// TestOwnScreenIsNotShown: it would show this window showing itself.
func TestOwnScreenIsNotShown(t *testing.T) {
	w, c := open(t, start)
	s := with(base(call.Live), 1)
	s.Screen.On, s.Screen.Live = true, true
	show(w, s)
	if own := view(c, "", media.Screen); own.w != 0 {
		t.Errorf("our own screen is shown at %dx%d", own.w, own.h)
	}
	if got := w.stage.self.State().Label; got != "You are presenting" {
		t.Errorf("our own tile says %q", got)
	}
}
