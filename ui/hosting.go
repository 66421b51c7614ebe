package ui

import (
	"strings"

	"fyne.io/fyne/v2"

	"parley/media/call"
	"parley/signal"
	"parley/signal/room"
	"parley/signal/roster"
	"parley/ui/widget"
)

// host does what only hosts may.
func (w *Window) host(kind roster.Kind, target signal.ID, on bool) {
	w.do(call.Room{Command: room.Host{Action: roster.Action{Kind: kind, Target: target, On: on}}})
}

// hosts reports whether we are one.
func hosts(st call.State) bool { return st.Room.Me.Role > roster.Member }

// meetingItems is the menu of a host: who may come in, and what everybody may do.
func (w *Window) meetingItems() []widget.Item {
	p := w.state.Room.Policy
	set := func(label string, kind roster.Kind, checked, on bool) widget.Item {
		return widget.Item{Label: label, Checked: checked, OnTap: func() { w.host(kind, "", on) }}
	}
	items := []widget.Item{
		{Label: say("hosts.door")},
		set(say("hosts.waiting"), roster.SetWaiting, p.Waiting, !p.Waiting),
		set(say("hosts.lock"), roster.SetLocked, p.Locked, !p.Locked),
		{Label: say("hosts.everybody")},
		set(say("hosts.present"), roster.ReservePresent, !p.Present, !p.Present),
		set(say("hosts.chat"), roster.ReserveChat, !p.Chat, !p.Chat),
		set(say("hosts.unmute"), roster.ReserveUnmute, !p.Unmute, !p.Unmute),
	}
	if w.state.Room.Me.Role == roster.Owner {
		items = append(items, widget.Item{Label: say("hosts.end"), Icon: "leave", OnTap: func() {
			w.confirm(say("hosts.end.ask"), say("hosts.end.yes"), func() { w.host(roster.EndForAll, "", true) })
		}})
	}
	return items
}

// personItems is the menu of a host for somebody else. It is empty once they have gone.
func (w *Window) personItems(id signal.ID) []widget.Item {
	m, here := w.state.Room.Member(id)
	if !here || !mayHost(w.state, m) {
		return nil
	}
	act := func(label string, kind roster.Kind) widget.Item {
		return widget.Item{Label: label, OnTap: func() { w.host(kind, id, true) }}
	}
	items := []widget.Item{{Label: orSomebody(m.Name)}}
	if m.Mic {
		items = append(items, act(say("hosts.mute"), roster.Mute))
	} else {
		items = append(items, act(say("hosts.ask-unmute"), roster.AskUnmute))
	}
	if m.Screen {
		items = append(items, act(say("hosts.stop-presenting"), roster.StopPresenting))
	}
	name := fill{"Name": firstName(m.Name)}
	if w.state.Room.Me.Role == roster.Owner {
		if m.Role == roster.CoHost {
			items = append(items, act(say("hosts.unmake"), roster.UnmakeCoHost))
		} else {
			items = append(items, act(say("hosts.make"), roster.MakeCoHost))
		}
		items = append(items, widget.Item{Label: say("hosts.hand-over"), OnTap: func() {
			w.confirm(sayWith("hosts.hand-over.ask", name), say("hosts.hand-over.yes"), func() { w.host(roster.HandOver, id, true) })
		}})
	}
	if m.Role == roster.Member || w.state.Room.Me.Role == roster.Owner {
		items = append(items, widget.Item{Label: say("hosts.remove"), Icon: "close", OnTap: func() {
			w.confirm(sayWith("hosts.remove.ask", name), say("hosts.remove.yes"), func() { w.host(roster.Remove, id, true) })
		}})
	}
	return items
}

// mayHost reports whether there is anything that we may do to somebody.
func mayHost(st call.State, m room.Member) bool { return hosts(st) && m.Role != roster.Owner }

// withRole puts a role before a note.
func withRole(role roster.Role, note string) string {
	switch role {
	case roster.Owner:
		note = strings.TrimSuffix(say("hosts.owner")+" · "+note, " · ")
	case roster.CoHost:
		note = strings.TrimSuffix(say("hosts.co-host")+" · "+note, " · ")
	}
	return note
}

// toldText says what a host last told us, or why we may not do something; nothing once it no longer matters.
func toldText(st call.State) string {
	by := fill{"Name": firstName(orSomebody(st.Told.By))}
	switch t := st.Told; {
	case t.Order == roster.Mute && !st.Mic.On:
		return sayWith("told.muted", by)
	case t.Order == roster.AskUnmute && !st.Mic.On:
		return sayWith("told.unmute", by)
	case t.Order == roster.StopPresenting && !st.Screen.On && t.By == "":
		return say("told.hosts-present")
	case t.Order == roster.StopPresenting && !st.Screen.On:
		return sayWith("told.stopped", by)
	}
	switch st.Told.Why {
	case call.HostsOnly:
		return say("told.hosts-only")
	case call.OwnerOnly:
		return say("told.owner-only")
	case call.NotToHosts:
		return say("told.not-to-hosts")
	case call.NotHere:
		return say("told.not-here")
	case call.NoHosts:
		return say("told.no-hosts")
	case call.Exhausted:
		return say("told.exhausted")
	case call.Forked:
		return say("told.forked")
	}
	return ""
}

// knocks is the line above the tiles that says who wants to come in.
type knocks struct {
	s           *stage
	box         *widget.Box
	icon        *widget.Icon
	text        *widget.Paragraph
	deny, admit *widget.Button
}

func newKnocks(s *stage) *knocks {
	k := &knocks{
		s: s, box: widget.NewBox(widget.Surface2, widget.Line, widget.RadiusTile),
		icon: widget.NewIcon("people", widget.Text2, 18), text: widget.NewParagraph("", widget.BodyMedium, widget.Text1, 2),
	}
	k.deny = widget.NewButton(say("knocks.deny"), "", widget.Plain, 40, k.answer(roster.Deny))
	k.admit = widget.NewButton(say("knocks.admit"), "", widget.Primary, 40, func() {
		if len(s.w.state.Room.Knocking) > 1 {
			s.w.host(roster.AdmitAll, "", true)
			return
		}
		k.answer(roster.Admit)()
	})
	k.show(false)
	return k
}

// answer is about the one who has knocked first.
func (k *knocks) answer(kind roster.Kind) func() {
	return func() {
		if waiting := k.s.w.state.Room.Knocking; len(waiting) > 0 {
			k.s.w.host(kind, waiting[0].ID, true)
		}
	}
}

func (k *knocks) objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{k.box, k.icon, k.text, k.deny, k.admit}
}

func (k *knocks) show(on bool) {
	for _, o := range k.objects() {
		widget.Show(o, on)
	}
}

func (k *knocks) update(st call.State) {
	waiting := st.Room.Knocking
	k.show(len(waiting) > 0)
	if len(waiting) == 0 {
		return
	}
	names := make([]string, 0, len(waiting))
	for _, m := range waiting {
		names = append(names, orSomebody(m.Name))
	}
	people := fill{"People": who(names)}
	text, admit, deny := sayWith("knocks.one", people), say("knocks.admit"), say("knocks.deny")
	if len(names) > 1 {
		text, admit, deny = sayWith("knocks.many", people), say("knocks.admit-all"), sayWith("knocks.deny-one", fill{"Name": firstName(names[0])})
	}
	k.text.Set(text, widget.Text1)
	k.admit.SetText(admit)
	k.deny.SetText(deny)
}

// place puts the line at the top of a and returns the rest.
func (k *knocks) place(a rect) rect {
	if !k.box.Visible() {
		return a
	}
	const side = 18 + widget.Space2
	deny, admit := k.deny.MinSize().Width, k.admit.MinSize().Width
	buttons := deny + widget.Space2 + admit
	most := min(a.w, 760)
	under := most-2*widget.Space4-side-buttons < 160 // in a narrow window the buttons stand below the text
	room := most - 2*widget.Space4 - side
	if !under {
		room -= buttons + widget.Space4
	}
	width := min(k.text.Width(), room)
	text := k.text.HeightFor(width + 1)
	total, high := widget.Space4+side+width+1+widget.Space4+buttons+widget.Space2, max(text+22, 56)
	if under {
		total, high = most, text+22+48
	}
	x, y := floor(a.x+(a.w-total)/2), a.y
	line := high
	if under {
		line = text + 22
	}
	widget.Place(k.box, x, y, total, high)
	widget.Place(k.icon, x+widget.Space4, y+(line-18)/2, 18, 18)
	widget.Place(k.text, x+widget.Space4+side, y+(line-text)/2, width+1, text)
	right := x + total - widget.Space2 - buttons
	top := y + (high-40)/2
	if under {
		top = y + high - 48
	}
	widget.Place(k.deny, right, top, deny, 40)
	widget.Place(k.admit, right+deny+widget.Space2, top, admit, 40)
	return a.below(high)
}

// confirm asks before what cannot be taken back.
func (w *Window) confirm(title, yes string, do func()) {
	q := w.newQuestion(title, say("cancel"))
	q.yes = widget.NewButton(yes, "", widget.Primary, 40, func() { q.answer(do) })
	w.ask(q)
}
