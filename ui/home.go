package ui

import (
	"strings"
	"time"

	"fyne.io/fyne/v2"

	"parley/media/call"
	"parley/ui/widget"
)

// maxName is the maximum length of a name, in runes: it has to fit into messages and labels.
const maxName = 64

// home is the first screen: start a meeting, join one, or reopen a recent one.
type home struct {
	w    *Window
	root *fyne.Container
	top  *topbar
	flow *flow

	heading [2]*widget.Label
	lead    *widget.Paragraph
	start   *widget.Button
	short   *widget.Button
	code    *widget.Field
	join    *widget.Button
	problem *widget.Paragraph

	avatar  *widget.Avatar
	name    *widget.Label
	hint    *widget.Label
	edit    *widget.Button
	entry   *widget.Field
	save    *widget.Button
	editing bool

	card   *widget.Box
	title  *widget.Label
	empty  *widget.Paragraph
	recent *fyne.Container
	list   []Recent
	wide   bool
	size   fyne.Size
}

func newHome(w *Window) *home {
	h := &home{w: w, top: newTopbar(w)}
	h.heading[0] = widget.NewLabel(say("home.heading.first"), widget.Display, widget.Text1)
	h.heading[1] = widget.NewLabel(say("home.heading.second"), widget.Display, widget.Text1)
	h.lead = widget.NewParagraph(say("home.lead"), widget.Lead, widget.Text2, 0)
	h.start = widget.NewButton(say("home.new"), "plus", widget.Primary, 48, func() { w.do(call.NewMeeting{}) })
	h.short = widget.NewButton(say("home.new-short"), "", widget.Quiet, widget.Target, func() { w.do(call.NewMeeting{Short: true}) })
	h.code = widget.NewField(say("home.code"), say("home.code"), 48, nil)
	h.code.Entry.MaxRunes = 500
	h.code.Entry.OnChanged = func(string) {
		h.typed()
		if w.state.Problem != (call.Problem{}) {
			w.do(call.Dismiss{}) // the problem was with the old text
		}
	}
	h.code.Entry.OnSubmitted = func(string) { h.openCode() }
	h.join = widget.NewButton(say("home.join"), "", widget.Plain, 48, h.openCode)
	h.problem = widget.NewParagraph("", widget.Body, widget.Error, 3)

	h.avatar = widget.NewAvatar("", 0)
	h.name = widget.NewLabel("", widget.Strong, widget.Text1)
	h.hint = widget.NewLabel(say("home.hint"), widget.Caption, widget.Text2)
	h.edit = widget.NewButton(say("home.edit"), "", widget.Quiet, widget.Target, h.startEdit)
	h.entry = widget.NewField(say("your-name"), say("your-name"), 40, nil)
	h.entry.Entry.MaxRunes = maxName
	h.entry.Entry.OnSubmitted = func(string) { h.endEdit() }
	h.save = widget.NewButton(say("home.save"), "", widget.Plain, 40, h.endEdit)
	h.entry.Hide()
	h.save.Hide()

	h.card = widget.NewBox(widget.Surface1, widget.None, widget.RadiusPanel)
	h.title = widget.NewLabel(say("recent"), widget.Title, widget.Text1)
	h.empty = widget.NewParagraph(say("recent.empty"), widget.Body, widget.Text2, 0)
	h.recent = widget.Area(fyne.Size{}, func(s fyne.Size) {
		for i, r := range h.recent.Objects {
			widget.Place(r, 0, float32(i)*widget.RowHeight, s.Width, widget.RowHeight)
		}
	})

	h.flow = newFlow(
		h.place,
		h.heading[0], h.heading[1], h.lead, h.start, h.code, h.join, h.short, h.problem,
		h.avatar, h.name, h.hint, h.edit, h.entry, h.save,
		h.card, h.title, h.empty, h.recent,
	)
	h.root = widget.Area(smallest, func(s fyne.Size) {
		h.size = s
		h.top.place(s)
		y := h.top.bottom(s)
		h.flow.fit(0, y, s.Width, s.Height-y)
	}, append([]fyne.CanvasObject{h.flow.scroll}, h.top.parts()...)...)
	h.top.update()
	h.showRecent(w.prefs.Recents())
	h.setName(w.prefs.Name())
	h.typed()
	return h
}

func (h *home) content() fyne.CanvasObject { return h.root }
func (h *home) tiles() []*videoTile        { return nil }

func (h *home) update(s call.State) {
	h.top.update()
	h.setName(s.Name)
	h.problem.Set(problemText(s.Problem), widget.Error)
	h.showRecent(h.w.prefs.Recents())
	widget.Relayout(h.root)
}

func (h *home) pulse(now time.Time) {
	if h.top.pulse(now) {
		h.showRecent(h.list) // "Yesterday" may be a weekday by now
		widget.Relayout(h.root)
	}
}

func (h *home) typed() {
	if strings.TrimSpace(h.code.Entry.Text) == "" {
		h.join.Disable()
		h.join.SetLook(widget.Plain)
		return
	}
	h.join.Enable()
	h.join.SetLook(widget.Primary)
}

func (h *home) openCode() {
	if text := strings.TrimSpace(h.code.Entry.Text); text != "" {
		h.w.do(call.Open{Text: text})
	}
}

func (h *home) setName(name string) {
	h.avatar.SetName(name)
	widget.Show(h.avatar, name != "" && !h.editing)
	if name == "" {
		h.name.Set(say("home.no-name"), widget.Text2)
		h.hint.SetText(say("home.hint.no-name"))
		return
	}
	h.hint.SetText(say("home.hint"))
	h.name.Set(name, widget.Text1)
}

func (h *home) startEdit() {
	h.entry.Entry.SetText(h.w.state.Name)
	h.setEditing(true)
	h.w.focus(h.entry.Entry)
}

func (h *home) endEdit() {
	if !h.editing {
		return
	}
	if name := strings.TrimSpace(h.entry.Entry.Text); name != "" {
		h.w.do(call.SetName{Name: name})
		h.setName(name)
	}
	h.setEditing(false)
	h.w.win.Canvas().Unfocus()
}

func (h *home) setEditing(on bool) {
	h.editing = on
	for _, o := range []fyne.CanvasObject{h.entry, h.save} {
		widget.Show(o, on)
	}
	for _, o := range []fyne.CanvasObject{h.avatar, h.name, h.hint, h.edit} {
		widget.Show(o, !on)
	}
	widget.Relayout(h.root)
}

func (h *home) showRecent(list []Recent) {
	h.list = list
	rows := make([]fyne.CanvasObject, len(list))
	for i, r := range list {
		rows[i] = widget.NewRow(r.title(), r.note(h.w.now()), r.Code, func() { h.w.do(call.Open{Text: r.Link}) })
	}
	h.recent.Objects = rows
	h.recent.Refresh()
	widget.Show(h.empty, len(list) == 0)
}

// place lays out two columns, or one in a narrow window, and returns the height.
func (h *home) place(width float32) float32 {
	h.wide = width >= 1000
	if !h.wide {
		margin := max(widget.Space5, (width-560)/2)
		y := h.placeStart(margin, 0, width-2*margin)
		y = h.placeCard(margin, y+widget.Space6, width-2*margin, 0)
		return y + widget.Space5
	}
	margin := (width - 1088) / 2
	margin = max(margin, widget.Space5)
	// 60 between the top bar and the card as in the design, more in a tall window.
	top := max(60, floor((h.size.Height-topHeight-480)*0.4-1))
	bottom := h.placeStart(margin, top+16, min(520, width-2*margin-432-64))
	room := h.size.Height - topHeight - top - widget.Space6
	card := h.placeCard(width-margin-432, top, 432, room)
	return max(bottom, card) + widget.Space5
}

func (h *home) placeStart(x, y, width float32) float32 {
	for _, l := range h.heading {
		widget.Place(l, x, y, width, widget.Display.Line)
		y += widget.Display.Line
	}
	y += widget.Space4
	height := h.lead.HeightFor(min(width, 488))
	widget.Place(h.lead, x, y, min(width, 488), height)
	y += height + widget.Space6
	start, join := h.start.MinSize(), h.join.MinSize()
	if width >= 420 {
		widget.Place(h.start, x, y, start.Width, 48)
		field := min(220, width-start.Width-join.Width-24)
		widget.Place(h.code, x+start.Width+12, y, field, 48)
		widget.Place(h.join, x+start.Width+field+24, y, join.Width, 48)
	} else {
		widget.Place(h.start, x, y, width, 48)
		y += 48 + widget.Space3
		widget.Place(h.code, x, y, width-join.Width-12, 48)
		widget.Place(h.join, x+width-join.Width, y, join.Width, 48)
	}
	y += 48 + widget.Space2
	widget.PlaceMin(h.short, x-widget.Space4, y) // its text begins below the button's edge
	y += widget.Target
	height = h.problem.HeightFor(width)
	widget.Place(h.problem, x, y+widget.Space3, width, height)
	if height > 0 {
		y += height + widget.Space2
	}
	y += widget.Space6
	h.placeName(x, y, width)
	return y + 40
}

func (h *home) placeName(x, y, width float32) {
	save := h.save.MinSize()
	field := min(280, width-save.Width-widget.Space2)
	widget.Place(h.entry, x, y, field, 40)
	widget.Place(h.save, x+field+widget.Space2, y, save.Width, 40)
	text := x
	if h.avatar.Visible() {
		widget.Place(h.avatar, x, y, 40, 40)
		text += 48
	}
	edit := h.edit.MinSize()
	room := x + width - text
	wide := max(min(h.name.Width(), room-edit.Width), min(h.hint.Width(), room-edit.Width))
	widget.Place(h.name, text, y+2, wide, 20)
	widget.Place(h.hint, text, y+22, wide, 16)
	widget.Place(h.edit, text+wide, y+4, edit.Width, widget.Target)
}

// placeCard lays out the list of recent meetings. room is the available height, 0 for no limit.
func (h *home) placeCard(x, y, width, room float32) float32 {
	const pad = 20
	inner := width - 2*pad
	shown := len(h.recent.Objects)
	if room > 0 {
		shown = min(shown, max(int((room-56-pad)/widget.RowHeight), 3))
	}
	for i, r := range h.recent.Objects {
		widget.Show(r, i < shown)
	}
	body := float32(shown) * widget.RowHeight
	if shown == 0 {
		body = h.empty.HeightFor(inner) + widget.Space1
	}
	widget.PlaceMin(h.title, x+pad, y+pad)
	widget.Place(h.recent, x+pad, y+56, inner, body)
	widget.Place(h.empty, x+pad, y+56, inner, body)
	widget.Place(h.card, x, y, width, 56+body+pad)
	return y + 56 + body + pad
}
