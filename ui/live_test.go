package ui

import (
	"image"
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"parley/media"
	"parley/media/call"

	"parley/signal/room"
)

// at moves the window's clock to a time and runs the updates that are due. Views that are not frozen deliver
// a picture.
func at(w *Window, c *fakeCall, after time.Duration) {
	w.now = func() time.Time { return clock.Add(after) }
	for _, v := range c.views {
		v.taken = false
	}
	w.display.pulsed = time.Time{}
	w.tick(time.Now())
}

// TestTilesSayWhatIsNotLive: a tile never shows its last picture as live, from the moment the state changes
// until the first new picture.
func TestTilesSayWhatIsNotLive(t *testing.T) {
	w, c := open(t, start)
	s := with(base(call.Live), 1)
	id := s.Peers[0].ID
	phase := func(p call.PeerPhase) {
		s.Peers = []call.Peer{s.Peers[0]}
		s.Peers[0].Phase = p
		w.Show(s)
	}
	says := func(status, note string) {
		t.Helper()
		if got := w.stage.faces[id].State(); withoutIsolates(got.Status) != status || got.Note != note {
			t.Errorf("the tile says %q, %q; want %q, %q", got.Status, got.Note, status, note)
		}
	}
	show(w, s)
	view := c.views[string(id)+media.Camera.String()]
	at(w, c, time.Second)
	says("", "")
	view.frozen = true
	phase(call.PeerReconnecting)
	says("Reconnecting…", "")
	at(w, c, 9*time.Second)
	says("Reconnecting…", "")
	at(w, c, 11*time.Second)
	says("Still trying to reach Amara…", "")
	phase(call.PeerFailed)
	says("Can't connect to Amara", "Trying again…")
	phase(call.PeerReconnecting) // the next attempt
	says("Still trying to reach Amara…", "")
	at(w, c, 12*time.Second)
	phase(call.PeerConnected)
	if got := w.stage.faces[id].State().Status; got == "" {
		t.Error("connected again, the last picture of before passes for a live one")
	}
	view.frozen = false
	at(w, c, 13*time.Second)
	at(w, c, 13*time.Second+pulseEvery)
	says("", "")

	view.frozen = true
	at(w, c, 15*time.Second)
	says("", "")
	at(w, c, 16*time.Second)
	says("No picture from Amara at the moment", "")
	view.frozen = false
	at(w, c, 17*time.Second)
	at(w, c, 17*time.Second+pulseEvery)
	says("", "")

	view.frozen = true
	s.Peers[0].Camera = false
	phase(call.PeerConnected)
	at(w, c, 30*time.Second)
	says("", "") // a camera that is switched off is not frozen
}

// TestHiddenTileIsNotFrozen: the timeout restarts when a tile is shown again.
func TestHiddenTileIsNotFrozen(t *testing.T) {
	w, c := open(t, start)
	s := with(base(call.Live), 1)
	show(w, s)
	at(w, c, time.Second)
	w.SetShown(false)
	for _, v := range c.views {
		v.frozen = true
	}
	at(w, c, time.Minute)
	w.SetShown(true)
	at(w, c, time.Minute+time.Second)
	if got := w.stage.faces[s.Peers[0].ID].State().Status; got != "" {
		t.Errorf("back on the screen, the tile says %q", got)
	}
}

// TestTilesStayLiveWithoutTheServer: media does not pass through the rendezvous.
func TestTilesStayLiveWithoutTheServer(t *testing.T) {
	w, c := open(t, start)
	s := with(base(call.Live), 2)
	show(w, s)
	s.Phase, s.Room.Link = call.Reconnecting, room.Reconnecting
	show(w, s)
	at(w, c, 20*time.Second)
	at(w, c, 21*time.Second)
	for _, p := range s.Peers {
		if got := w.stage.faces[p.ID].State().Status; got != "" {
			t.Errorf("%s's tile says %q", p.Name, got)
		}
	}
	if !w.stage.banner.box.Visible() {
		t.Error("nothing says that the server is out of reach")
	}
}

// TestLayersDoNotMoveTheTiles: a new size with the same aspect ratio does not change the stage; a rotated
// camera does.
func TestLayersDoNotMoveTheTiles(t *testing.T) {
	w, c := open(t, start)
	s := shapes(image.Pt(1280, 720), image.Pt(1280, 720), image.Pt(2560, 1080))()
	show(w, s)
	places := func() (all []rect) {
		for _, tile := range w.stage.all {
			p, z := tile.Position(), tile.Size()
			all = append(all, rect{p.X, p.Y, z.Width, z.Height})
		}
		return all
	}
	turn := func(i int, size image.Point) {
		c.views[string(s.Peers[i].ID)+media.Camera.String()].shape = size
		at(w, c, 0)
		at(w, c, 0)
	}
	first := places()
	same := func() bool {
		now := places()
		for i := range first {
			if now[i] != first[i] {
				return false
			}
		}
		return true
	}
	for _, layer := range []image.Point{{640, 360}, {320, 180}, {1280, 720}} {
		if turn(0, layer); !same() {
			t.Errorf("with the layer %v the tiles stand at %v, before %v", layer, places(), first)
		}
	}
	for _, layer := range []image.Point{{1706, 720}, {852, 360}, {426, 180}} {
		if turn(2, layer); !same() {
			t.Errorf("with the layer %v the tiles stand at %v, before %v", layer, places(), first)
		}
	}
	if turn(1, image.Pt(720, 1280)); same() {
		t.Error("a camera was turned, and its tile was not")
	}
	if turn(1, image.Pt(1280, 720)); !same() {
		t.Error("turned back, the tiles stand elsewhere")
	}
}

// TestNothingCoversTheTiles: no message to us covers a tile's marks.
func TestNothingCoversTheTiles(t *testing.T) {
	for _, size := range []fyne.Size{start, smallest, fyne.NewSize(700, 1000), fyne.NewSize(2000, 700)} {
		w, _ := open(t, size)
		for _, n := range []int{0, 1, 2, 3, 5, 20} {
			for _, sharing := range []bool{false, true} {
				for _, panel := range []panelKind{noPanel, chatPanel} {
					s := with(base(call.Live), n)
					s.Problem = call.Problem{Kind: call.DeviceReplaced, Device: media.Camera, Name: "FaceTime HD"}
					s.Screen = call.Local{On: sharing, Live: sharing, Device: media.Device{Name: "Entire screen"}}
					if n > 2 {
						s.Peers[2].Screen = true
					}
					show(w, s)
					if w.stage.panel != panel {
						w.stage.togglePanel(chatPanel)
					}
					for _, o := range append(w.stage.banner.objects(), w.stage.own.objects()...) {
						for _, tile := range w.stage.all {
							if o.Visible() && tile.Visible() && overlap(placeOf(o), placeOf(tile)) {
								t.Fatalf("%d others on %v, sharing %v: %T at %+v lies on a tile at %+v", n, size, sharing, o, placeOf(o), placeOf(tile))
							}
						}
					}
				}
			}
		}
	}
}

func placeOf(o fyne.CanvasObject) rect {
	p, s := o.Position(), o.Size()
	return rect{p.X, p.Y, s.Width, s.Height}
}

// TestDismissedBannerGivesItsPlaceBack: the tiles return to their old size.
func TestDismissedBannerGivesItsPlaceBack(t *testing.T) {
	w, _ := open(t, start)
	s := with(base(call.Live), 3)
	show(w, s)
	before := placeOf(w.stage.self)
	s.Camera.Problem = call.Problem{Kind: call.DeviceUnplugged, Device: media.Camera}
	show(w, s)
	if placeOf(w.stage.self) == before {
		t.Fatal("the banner has no place of its own")
	}
	w.stage.banner.close.OnTap()
	if got := placeOf(w.stage.self); got != before {
		t.Errorf("after it was dismissed our tile is at %+v, before it at %+v", got, before)
	}
}
