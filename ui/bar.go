package ui

import (
	"fmt"
	"time"

	"fyne.io/fyne/v2"

	"parley/media"
	"parley/media/call"
	"parley/ui/widget"
)

// bar is the toolbar at the bottom of the stage.
type bar struct {
	s       *stage
	code    *widget.Label
	elapsed *widget.Label
	copy    *copyButton
	mic     *widget.RoundButton
	camera  *widget.RoundButton
	screen  *widget.RoundButton
	more    *widget.RoundButton
	leave   *widget.RoundButton
	back    *widget.RoundButton
	on      *widget.RoundButton
	page    *widget.Label
	people  *widget.RoundButton
	chat    *widget.RoundButton
	tip     *widget.Chip        // the tooltip
	pointed *widget.RoundButton // the button it belongs to
}

func newBar(s *stage) *bar {
	b := &bar{
		s: s, code: widget.NewLabel("", widget.Code, widget.Text1),
		elapsed: widget.NewLabel("", widget.Body, widget.Text2),
		copy:    newCopyButton(s.w, say("copy-link"), widget.Plain, widget.Target),
		page:    widget.NewLabel("", widget.BodyMedium, widget.Text1).Align(fyne.TextAlignCenter),
	}
	w := s.w
	b.mic = widget.NewRoundButton("", "mic", widget.Plain, func() { w.toggle(media.Microphone) })
	b.camera = widget.NewRoundButton("", "camera", widget.Plain, func() { w.toggle(media.Camera) })
	b.screen = widget.NewRoundButton(say("bar.share"), "screen", widget.Plain, s.share)
	b.more = widget.NewRoundButton(say("bar.more"), "more", widget.Plain, func() { w.openMenu(b.more, true, w.settingItems) })
	b.leave = widget.NewLeaveButton(say("bar.leave"), func() { w.do(call.Leave{}) })
	b.back = widget.NewSmallButton(say("bar.page-before"), "chevron-left", func() { s.turnPage(-1) })
	b.on = widget.NewSmallButton(say("bar.next-page"), "chevron-right", func() { s.turnPage(1) })
	b.people = widget.NewRoundButton(say("people"), "people", widget.Ghost, func() { s.togglePanel(peoplePanel) })
	b.chat = widget.NewRoundButton(say("chat"), "chat", widget.Ghost, func() { s.togglePanel(chatPanel) })
	b.tip = widget.NewChip()
	b.tip.Hide()
	for _, o := range []*widget.RoundButton{b.mic, b.camera, b.screen, b.more, b.leave, b.people, b.chat} {
		o.OnPoint = func(on bool) { b.point(o, on) }
	}
	return b
}

// keys is the shortcut shown in a button's tooltip.
func (b *bar) keys(o *widget.RoundButton) string {
	switch o {
	case b.mic:
		return say("bar.keys.microphone")
	case b.camera:
		return say("bar.keys.camera")
	case b.chat:
		return say("bar.keys.chat")
	}
	return ""
}

// point shows a tooltip above the button that has the pointer or the focus.
func (b *bar) point(o *widget.RoundButton, on bool) {
	switch {
	case on:
		b.pointed = o
	case b.pointed == o:
		b.pointed = nil
	}
	b.placeTip()
}

func (b *bar) placeTip() {
	o := b.pointed
	widget.Show(b.tip, o != nil && o.Visible())
	if o == nil {
		return
	}
	b.tip.Set(o.Name+b.keys(o), "", widget.OnPicture)
	m, at := b.tip.MinSize(), o.Position()
	x := min(max(at.X+o.Size().Width/2-m.Width/2, margin), b.s.size.Width-margin-m.Width)
	widget.Place(b.tip, floor(x), at.Y-m.Height-14, m.Width, m.Height)
}

func (b *bar) objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{
		b.code, b.elapsed, b.copy, b.mic, b.camera, b.screen, b.more, b.leave,
		b.back, b.page, b.on, b.people, b.chat, b.tip,
	}
}

func (b *bar) update(st call.State) {
	b.code.SetText(st.Code)
	setSwitch(b.mic, media.Microphone, st.Mic, widget.Plain, widget.Danger)
	setSwitch(b.camera, media.Camera, st.Camera, widget.Plain, widget.Danger)
	switch {
	case st.Screen.On:
		b.screen.Set(say("bar.stop-sharing"), "screen", widget.Primary)
	default:
		b.screen.Set(say("bar.share"), "screen", widget.Plain)
	}
	panel := func(k panelKind) widget.Look {
		if b.s.panel == k {
			return widget.Primary
		}
		return widget.Ghost
	}
	b.people.Set(say("people"), "people", panel(peoplePanel))
	b.chat.Set(say("chat"), "chat", panel(chatPanel))
	b.people.SetCount(len(st.Peers) + 1)
	b.chat.SetCount(b.s.chat.unread)
	if b.s.narrow {
		b.more.SetCount(b.s.chat.unread)
	} else {
		b.more.SetCount(0)
	}
	b.pulse(b.s.w.now())
}

func (b *bar) pulse(now time.Time) {
	b.copy.pulse(now)
	text := ""
	if t := b.s.w.state.Started; !t.IsZero() {
		text = "· " + elapsed(now.Sub(t))
	}
	if b.elapsed.Text() == text {
		return
	}
	b.elapsed.SetText(text)
	if b.s.size.Width > 0 {
		b.place(b.s.size)
	}
}

// place centres the five main buttons, four in a narrow window, and fits the rest around them.
func (b *bar) place(s fyne.Size) {
	y := s.Height - widget.BarHeight + (widget.BarHeight-widget.RoundSize)/2
	widget.Show(b.screen, !b.s.narrow)
	widget.Show(b.people, !b.s.narrow)
	widget.Show(b.chat, !b.s.narrow)
	buttons := []fyne.CanvasObject{b.mic, b.camera, b.screen, b.more, b.leave}
	total := float32(-widget.Space2)
	for _, o := range buttons {
		if o.Visible() {
			total += o.MinSize().Width + widget.Space2
		}
	}
	left := floor((s.Width - total) / 2)
	x := left
	for _, o := range buttons {
		if o.Visible() {
			w, _ := widget.PlaceMin(o, x, y)
			x += w + widget.Space2
		}
	}
	right := s.Width
	if !b.s.narrow {
		right = s.Width - 20 - 2*widget.RoundSize - widget.Space2
		widget.PlaceMin(b.people, right, y)
		widget.PlaceMin(b.chat, right+widget.RoundSize+widget.Space2, y)
	}
	b.placeTip()
	room := left - widget.Space4 - 20
	if b.placePages(x+widget.Space2, y, right-x-widget.Space2) {
		b.placeLeft(20, y, room)
		return
	}
	b.placeLeft(20, y, 0)
	b.placePages(20, y, room)
}

func (b *bar) placeLeft(x, y, room float32) {
	mid := y + widget.RoundSize/2
	code, time, link := b.code.Width(), b.elapsed.Width(), b.copy.MinSize().Width
	widget.Show(b.code, room >= code)
	widget.Show(b.elapsed, room >= code+time+widget.Space2)
	widget.Show(b.copy, room >= code+time+link+widget.Space2+widget.Space3)
	widget.Place(b.code, x, mid-10, code, 20)
	widget.Place(b.elapsed, x+code+widget.Space2, mid-10, time, 20)
	widget.Place(b.copy, x+code+time+widget.Space2+widget.Space3, mid-widget.Target/2, link, widget.Target)
}

// placePages places the page buttons. It returns false if they do not fit.
func (b *bar) placePages(x, y, room float32) bool {
	more := b.s.pages > 1
	for _, o := range []fyne.CanvasObject{b.back, b.page, b.on} {
		widget.Show(o, more)
	}
	if !more {
		return true
	}
	const side, number = 36, 40
	if room < 2*side+number {
		return false
	}
	b.page.SetText(fmt.Sprintf("%d / %d", b.s.page+1, b.s.pages))
	if b.s.page == 0 {
		b.back.Disable()
	} else {
		b.back.Enable()
	}
	if b.s.page == b.s.pages-1 {
		b.on.Disable()
	} else {
		b.on.Enable()
	}
	widget.Place(b.back, x, y+6, side, side)
	widget.Place(b.page, x+side, y+14, number, 20)
	widget.Place(b.on, x+side+number, y+6, side, side)
	return true
}

// share toggles the share panel, or stops sharing. It does nothing while sharing is starting or stopping.
func (s *stage) share() {
	on := s.w.on(media.Screen)
	switch {
	case on != s.w.state.Screen.On:
	case on:
		s.w.do(call.StopScreen{})
	case s.w.sharing.gone():
	default:
		s.w.openShare()
	}
}

// moreItems are the menu items for the buttons that do not fit into a narrow bar.
func (s *stage) moreItems() []widget.Item {
	st := s.w.state
	chat := say("chat")
	if n := s.chat.unread; n > 0 {
		chat = sayWith("chat.new", fill{"Count": n})
	}
	items := []widget.Item{
		{Label: st.Code},
		{Label: say("copy-link"), Icon: "copy", OnTap: s.w.copyLink},
		{Label: chat, Icon: "chat", OnTap: func() { s.togglePanel(chatPanel) }},
		{Label: sayWith("people.count", fill{"Count": len(st.Peers) + 1}), Icon: "people", OnTap: func() { s.togglePanel(peoplePanel) }},
	}
	share := say("bar.share")
	if st.Screen.On {
		share = say("bar.stop-sharing")
	}
	return append(items, widget.Item{Label: share, Icon: "screen", OnTap: s.share})
}
