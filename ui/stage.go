package ui

import (
	"cmp"
	"maps"
	"time"

	"fyne.io/fyne/v2"

	"parley/media"
	"parley/media/call"
	"parley/signal"
	"parley/ui/widget"
)

// panelKind is which panel is open at the right of the stage.
type panelKind uint8

const (
	noPanel panelKind = iota
	chatPanel
	peoplePanel
)

const (
	panelWidth float32 = 344
	margin     float32 = widget.Space3 // around the stage

	// A level above this, in dBFS, counts as speech. The ring stays for ringStays, so that it does not
	// flicker between words.
	voice     = -45.0
	ringStays = 600 * time.Millisecond
)

// stage is the screen of the meeting.
type stage struct {
	w      *Window
	root   *fyne.Container
	narrow bool
	size   fyne.Size
	area   rect // the part for the tiles

	self   *videoTile
	shares map[signal.ID]*videoTile // screens
	faces  map[signal.ID]*videoTile
	all    []*videoTile // in drawing order: the self-view is on top
	heard  map[signal.ID]time.Time
	lost   map[signal.ID]time.Time // when each member's connection was lost
	page   int
	pages  int

	bar    *bar
	banner *banner
	knocks *knocks
	own    *presentingBar
	alone  *alone
	chat   *chat
	people *people
	panel  panelKind
}

func newStage(w *Window) *stage {
	s := &stage{
		w: w, shares: map[signal.ID]*videoTile{}, faces: map[signal.ID]*videoTile{},
		heard: map[signal.ID]time.Time{}, lost: map[signal.ID]time.Time{}, pages: 1,
	}
	s.self = w.newTile(call.Self, media.Camera)
	s.bar, s.banner, s.alone = newBar(s), newBanner(s), newAlone(w)
	s.knocks = newKnocks(s)
	s.own = newPresentingBar(w)
	s.chat, s.people = newChat(s), newPeople(s)
	s.root = widget.Area(smallest, s.place)
	s.collect(call.State{})
	s.root.Objects = s.objects()
	return s
}

func (s *stage) content() fyne.CanvasObject { return s.root }
func (s *stage) tiles() []*videoTile        { return s.all }

// enter resets the stage for a meeting: no panel, the first page.
func (s *stage) enter() {
	s.page, s.panel = 0, noPanel
	s.chat.begin(s.w.state.Code)
	s.showPanel()
}

func (s *stage) update(st call.State) {
	if s.collect(st) {
		s.root.Objects = s.objects()
		s.root.Refresh()
	}
	s.alone.update(st)
	s.chat.update(st)
	s.people.update(st)
	s.bar.update(st)
	s.banner.update(st)
	s.knocks.update(st)
	s.own.update(st)
	widget.Relayout(s.root)
}

// collect makes one tile for each member and each shared screen, and reports whether the set changed. A member
// keeps their tile for as long as they stay.
func (s *stage) collect(st call.State) bool {
	changed := len(s.all) == 0
	here, sharing := map[signal.ID]bool{}, map[signal.ID]bool{}
	for _, p := range st.Peers {
		here[p.ID] = true
		changed = s.ensure(s.faces, p.ID, media.Camera) || changed
		if p.Screen {
			sharing[p.ID] = true
			changed = s.ensure(s.shares, p.ID, media.Screen) || changed
		}
		if !p.Camera {
			s.faces[p.ID].shape = 0 // the next camera may be another
		}
		s.faces[p.ID].SetState(s.faceState(p))
	}
	changed = s.drop(s.faces, here) || changed
	maps.DeleteFunc(s.lost, func(id signal.ID, _ time.Time) bool { return !here[id] })
	changed = s.drop(s.shares, sharing) || changed
	for id, t := range s.shares {
		t.SetState(s.shareState(st, id))
	}
	s.self.SetState(s.selfState(st))
	if changed {
		s.all = s.all[:0]
		for _, p := range st.Peers {
			if t := s.shares[p.ID]; t != nil {
				s.all = append(s.all, t)
			}
			s.all = append(s.all, s.faces[p.ID])
		}
		s.all = append(s.all, s.self)
	}
	return changed
}

func (s *stage) ensure(tiles map[signal.ID]*videoTile, id signal.ID, kind media.Kind) bool {
	if tiles[id] != nil {
		return false
	}
	tiles[id] = s.w.newTile(id, kind)
	return true
}

func (s *stage) drop(tiles map[signal.ID]*videoTile, keep map[signal.ID]bool) bool {
	changed := false
	for id, t := range tiles {
		if !keep[id] {
			t.tell(false)
			delete(tiles, id)
			changed = true
		}
	}
	return changed
}

func (s *stage) objects() []fyne.CanvasObject {
	objects := []fyne.CanvasObject{s.alone.root}
	for _, t := range s.all {
		objects = append(objects, t)
	}
	objects = append(objects, s.own.objects()...)
	objects = append(objects, s.banner.objects()...)
	objects = append(objects, s.knocks.objects()...)
	objects = append(objects, s.bar.objects()...)
	return append(objects, s.chat.root, s.people.root)
}

func (s *stage) faceState(p call.Peer) widget.TileState {
	name := orSomebody(p.Name)
	status, note := s.liveStatus(p)
	t := widget.TileState{
		Name: name, Label: name, Picture: p.Camera, Quality: p.Quality, Status: status, Note: note,
		Speaking: s.speaking(p.ID, p.Mic, p.Speaking),
	}
	if !p.Mic {
		t.Icon = "mic-off"
	}
	return t
}

// longLost is how long a connection is lost before the tile says "Still trying to reach ...".
const longLost = 10 * time.Second

// liveStatus says why a member's picture is not live: the connection is lost, or the picture is frozen. The status
// stays until the first new picture.
func (s *stage) liveStatus(p call.Peer) (status, note string) {
	now, face := s.w.now(), s.faces[p.ID]
	since, lost := s.lost[p.ID]
	switch {
	case p.Phase != call.PeerConnecting && p.Phase != call.PeerConnected && !lost:
		s.lost[p.ID], since, lost = now, now, true
	case p.Phase == call.PeerConnected && lost && (!p.Camera || !face.showing() || face.pictured.After(since)):
		delete(s.lost, p.ID)
		lost = false
	}
	switch {
	case p.Phase == call.PeerConnecting:
		return say("peer.connecting"), ""
	case p.Phase == call.PeerFailed:
		return sayWith("stage.failed", fill{"Name": firstName(p.Name)}), cmp.Or(problemText(p.Problem), say("peer.again"))
	case p.Phase == call.PeerConnected && p.Camera && face.frozen(now):
		return sayWith("stage.frozen", fill{"Name": firstName(p.Name)}), ""
	case lost && p.Phase == call.PeerReconnecting && now.Sub(since) >= longLost:
		return sayWith("stage.long-lost", fill{"Name": firstName(p.Name)}), problemText(p.Problem)
	case lost:
		return say("peer.reconnecting"), problemText(p.Problem)
	}
	return "", ""
}

func peerStatus(p call.PeerPhase) string {
	switch p {
	case call.PeerConnecting:
		return say("peer.connecting")
	case call.PeerReconnecting:
		return say("peer.reconnecting")
	case call.PeerFailed:
		return say("peer.failed")
	}
	return ""
}

func (s *stage) selfState(st call.State) widget.TileState {
	t := widget.TileState{
		Name: st.Name, Label: say("you"), Picture: st.Camera.On && st.Camera.Problem == (call.Problem{}),
		Rim: s.overlaid(st), Speaking: s.speaking(call.Self, st.Mic.On && st.Mic.Live, false),
		Icon: micIcon(st.Mic), Status: brokenText(st.Camera),
	}
	if st.Screen.On && st.Screen.Live {
		// Our own screen has no tile: it would show this window showing itself.
		t.Label = say("stage.presenting.self")
		if t.Icon == "" {
			t.Icon = "screen"
		}
	}
	return t
}

func (s *stage) shareState(st call.State, id signal.ID) widget.TileState {
	t := widget.TileState{Icon: "screen", Picture: true, Contain: true}
	for _, p := range st.Peers {
		if p.ID == id {
			t.Label = sayWith("stage.presenting", fill{"Name": firstName(p.Name)})
			if p.Phase != call.PeerConnected { // a frozen picture is normal on a shared screen
				t.Status, t.Note = s.liveStatus(p)
			}
		}
	}
	return t
}

// overlaid reports whether our own picture is in the corner of another.
func (s *stage) overlaid(st call.State) bool { return len(st.Peers) == 1 && !sharing(st) }

func sharing(st call.State) bool {
	for _, p := range st.Peers {
		if p.Screen {
			return true
		}
	}
	return false
}

// speaking reports whether a tile has the speaking ring: the call says so, or the level was high a moment ago.
func (s *stage) speaking(id signal.ID, mic, flag bool) bool {
	if !mic {
		delete(s.heard, id)
		return false
	}
	now := s.w.now()
	if flag || s.w.call.Level(id) > voice {
		s.heard[id] = now
		return true
	}
	last, ok := s.heard[id]
	return ok && now.Sub(last) < ringStays
}

func (s *stage) pulse(now time.Time) {
	st := s.w.state
	for _, p := range st.Peers {
		if t := s.faces[p.ID]; t != nil {
			t.SetState(s.faceState(p))
		}
		if t := s.shares[p.ID]; t != nil {
			t.SetState(s.shareState(st, p.ID))
		}
	}
	s.self.SetState(s.selfState(st))
	s.bar.pulse(now)
	s.alone.copy.pulse(now)
	s.people.copy.pulse(now)
}

func (s *stage) turnPage(by int) {
	page := min(max(s.page+by, 0), s.pages-1)
	if page != s.page {
		s.page = page
		widget.Relayout(s.root)
		s.bar.update(s.w.state)
	}
}

func (s *stage) togglePanel(k panelKind) {
	if s.panel == k {
		k = noPanel
	}
	s.panel = k
	s.showPanel()
	s.bar.update(s.w.state)
	widget.Relayout(s.root)
	if k == chatPanel {
		s.w.focus(s.chat.field.Entry)
	} else {
		s.w.win.Canvas().Unfocus()
	}
}

func (s *stage) closePanel() {
	if s.panel != noPanel {
		s.togglePanel(s.panel)
	}
}

func (s *stage) showPanel() {
	widget.Show(s.chat.root, s.panel == chatPanel)
	widget.Show(s.people.root, s.panel == peoplePanel)
	if s.panel != peoplePanel {
		s.people.safe.show(false)
	}
	if s.panel == chatPanel {
		s.chat.read()
	}
}
