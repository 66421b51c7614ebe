package ui

import (
	"fmt"
	"image"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fw "fyne.io/fyne/v2/widget"

	"parley/media"
	"parley/media/call"
	"parley/ui/widget"
)

// leastRegion is the minimum width and height of a region, in pixels. Anything smaller was dragged by mistake.
const leastRegion = 32

// regionCard is the value of share.chosen for the card "A part of the screen".
const regionCard = "region"

// share is the panel over the window in which the user chooses what to share.
type share struct {
	w      *Window
	layer  *shareLayer
	box    *widget.Box
	title  *widget.Label
	close  *widget.RoundButton
	note   *widget.Paragraph
	alert  *widget.Icon
	flow   *flow
	cards  []*widget.ShareCard
	region *widget.Region
	back   *widget.Button
	switches
	cancel *widget.Button
	start  *widget.Button

	before fyne.Focusable // had the focus before
	shown  []media.Shareable
	still  media.Shareable // the first screen, captured before this panel covered it
	chosen string          // an ID, or regionCard; "" for none yet
	draw   bool            // the user is drawing the part of the screen
}

// switches are the options of sharing.
type switches struct{ pointer, motion, sound *widget.Switch }

func (s switches) all() []*widget.Switch { return []*widget.Switch{s.pointer, s.motion, s.sound} }

// openShare shows the panel.
func (w *Window) openShare() {
	if w.sharing != nil {
		return
	}
	w.menu.close()
	s := &share{
		w: w, box: widget.NewBox(widget.Surface1, widget.Line, widget.RadiusPanel),
		title:  widget.NewLabel(say("share.title"), widget.Title, widget.Text1),
		note:   widget.NewParagraph("", widget.Body, widget.Text2, 0).Align(fyne.TextAlignCenter),
		alert:  widget.NewIcon("screen", widget.Text3, 32),
		region: widget.NewRegion(say("share.region")),
		before: w.win.Canvas().Focused(),
	}
	s.close = widget.NewSmallButton(say("share.close"), "close", s.dismiss)
	s.back = widget.NewButton(say("share.back"), "chevron-left", widget.Quiet, widget.Target, func() { s.setDraw(false) })
	s.cancel = widget.NewButton(say("cancel"), "", widget.Plain, 40, s.dismiss)
	s.start = widget.NewButton(say("share.start"), "screen", widget.Primary, 40, s.share)
	none := func(bool) {}
	s.pointer = widget.NewSwitch(say("share.pointer"), say("share.pointer.note"), true, none)
	s.motion = widget.NewSwitch(say("share.motion"), say("share.motion.note"), false, none)
	s.sound = widget.NewSwitch(say("share.sound"), say("share.sound.note"), false, none)
	s.region.OnChange = func(image.Rectangle) { s.refresh() }
	s.flow = newFlow(s.placeCards)
	s.layer = newShareLayer(s)
	w.sharing = s
	w.do(call.Browse{On: true})
	s.update(w.state)
	c := w.win.Canvas()
	c.Overlays().Add(s.layer)
	s.layer.Resize(c.Size())
}

// dismiss closes the panel.
func (s *share) dismiss() { s.gone() }

func (s *share) gone() bool {
	if s == nil || s.w.sharing != s {
		return false
	}
	s.w.sharing = nil
	c := s.w.win.Canvas()
	c.Overlays().Remove(s.layer)
	s.w.do(call.Browse{})
	if s.before != nil {
		s.w.focus(s.before)
	}
	return true
}

// escape goes one step back.
func (s *share) escape() bool {
	if s != nil && s.draw {
		s.setDraw(false)
		return true
	}
	return s.gone()
}

func (s *share) update(st call.State) {
	if s == nil {
		return
	}
	list := st.Shareables.List
	if !sameChoice(list, s.shown) {
		s.rebuild(list)
	}
	s.shown = list
	if len(list) > 0 && (s.still.ID != list[0].ID || s.still.Size != list[0].Size) {
		s.still = list[0]
	}
	if s.chosen == "" || s.chosen != regionCard && s.find(s.chosen) == nil {
		s.chosen = ""
		if len(list) > 0 {
			s.chosen = list[0].ID
		}
	}
	switch {
	case st.Shareables.Problem != (call.Problem{}):
		s.note.Set(problemText(st.Shareables.Problem), widget.Text1)
	case !st.Shareables.Known:
		s.note.Set(say("share.looking"), widget.Text2)
	case len(list) == 0:
		s.note.Set(say("share.nothing"), widget.Text2)
	default:
		s.note.Set("", widget.Text2)
	}
	s.refresh()
}

// sameChoice reports whether two lists have the same items, apart from names and pictures.
func sameChoice(a, b []media.Shareable) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].ID != b[i].ID {
			return false
		}
	}
	return true
}

// rebuild makes a card for each shareable, and one for a part of the screen after the screens.
func (s *share) rebuild(list []media.Shareable) {
	s.cards = nil
	for i, sh := range list {
		icon := "screen"
		if sh.Window {
			icon = "window"
		}
		id := sh.ID
		if i > 0 && sh.Window && !list[i-1].Window {
			s.addRegionCard()
		}
		s.cards = append(s.cards, widget.NewShareCard(sh.Name, icon, func() { s.choose(id) }))
	}
	if n := len(list); n > 0 && !list[n-1].Window {
		s.addRegionCard()
	}
	s.flow.box.Objects = nil
	for _, c := range s.cards {
		c.OnPoint = func(bool) { s.reveal(c) }
		s.flow.box.Objects = append(s.flow.box.Objects, c)
	}
	s.flow.box.Refresh()
}

// reveal scrolls to the focused card.
func (s *share) reveal(c *widget.ShareCard) {
	scroll := s.flow.scroll
	top, bottom := c.Position().Y-widget.Space2, c.Position().Y+c.Size().Height+widget.Space2
	switch {
	case !c.Focused():
	case top < scroll.Offset.Y:
		scroll.ScrollToOffset(fyne.NewPos(0, top))
	case bottom > scroll.Offset.Y+scroll.Size().Height:
		scroll.ScrollToOffset(fyne.NewPos(0, bottom-scroll.Size().Height))
	}
}

func (s *share) addRegionCard() {
	s.cards = append(s.cards, widget.NewShareCard(say("share.part"), "region", func() { s.choose(regionCard) }))
}

func (s *share) choose(id string) {
	s.chosen = id
	if id == regionCard {
		s.setDraw(true)
		return
	}
	s.refresh()
}

func (s *share) setDraw(on bool) {
	s.draw = on
	if !on && s.chosen == regionCard && len(s.shown) > 0 {
		s.chosen = s.shown[0].ID
	}
	s.refresh()
	if on {
		s.w.focus(s.region)
	}
}

func (s *share) find(id string) *media.Shareable {
	for i := range s.shown {
		if s.shown[i].ID == id {
			return &s.shown[i]
		}
	}
	return nil
}

// refresh updates the panel for the current choice.
func (s *share) refresh() {
	at := 0
	for i := range s.shown {
		if i > 0 && s.shown[i].Window && !s.shown[i-1].Window {
			at++ // the card for a part of the screen
		}
		s.cards[at].Set(s.shown[i].Name, s.shown[i].Preview, s.chosen == s.shown[i].ID)
		at++
	}
	title := say("share.title")
	if s.draw && len(s.shown) > 0 {
		s.region.Set(s.still.Preview, s.still.Size)
		p := s.region.Part()
		title = sayWith("share.draw", fill{"Width": p.Dx(), "Height": p.Dy()})
	}
	s.title.SetText(title)
	if s.ready() {
		s.start.Enable()
	} else {
		s.start.Disable()
	}
	s.layer.Refresh()
}

// ready reports whether the choice can be shared.
func (s *share) ready() bool {
	if s.chosen == regionCard {
		p := s.region.Part()
		return s.draw && p.Dx() >= leastRegion && p.Dy() >= leastRegion
	}
	return s.find(s.chosen) != nil
}

// share starts sharing the choice.
func (s *share) share() {
	if !s.ready() || s.w.sharing != s {
		return
	}
	id := s.chosen
	if id == regionCard {
		p := s.region.Part().Add(s.still.Origin)
		id = fmt.Sprintf("region:%d,%d,%dx%d", p.Min.X, p.Min.Y, p.Dx(), p.Dy())
	}
	s.w.do(call.Choose{
		Kind: media.Screen, ID: id, Sound: s.sound.On(),
		Capture: media.ScreenOptions{Pointer: s.pointer.On(), Motion: s.motion.On()},
	})
	s.gone()
}

// shareLayer is the panel over the darkened window.
type shareLayer struct {
	fw.BaseWidget
	s     *share
	shade *canvas.Rectangle
}

func newShareLayer(s *share) *shareLayer {
	l := &shareLayer{s: s, shade: canvas.NewRectangle(shadeColor)}
	l.ExtendBaseWidget(l)
	return l
}

// Tapped swallows taps, so that they do not reach the window below.
func (l *shareLayer) Tapped(*fyne.PointEvent) {}
