package ui

import (
	"cmp"

	"fyne.io/fyne/v2"

	"parley/media/call"
	"parley/ui/widget"
)

// personHeight is the least that the list of people has to have room for.
const personHeight float32 = 52

// people is the panel that lists the participants.
type people struct {
	s     *stage
	root  *fyne.Container
	box   *widget.Box
	title *widget.Label
	close *widget.RoundButton
	more  *widget.RoundButton // what hosts decide for the meeting
	copy  *copyButton
	note  *widget.Paragraph // warns about the link
	safe  *safety
	flow  *flow
	rows  []*widget.Person
}

func newPeople(s *stage) *people {
	p := &people{
		s: s, box: widget.NewBox(widget.Surface1, widget.None, widget.RadiusPanel),
		title: widget.NewLabel(say("people"), widget.Title, widget.Text1),
		close: widget.NewSmallButton(say("people.close"), "close", s.closePanel),
		copy:  newCopyButton(s.w, say("copy-link"), widget.Plain, 40),
		note:  widget.NewParagraph("", widget.Body, widget.Error, 3),
	}
	p.more = widget.NewSmallButton(say("hosts"), "more", func() { s.w.openMenu(p.more, false, s.w.meetingItems) })
	p.safe = newSafety(s)
	p.flow = newFlow(func(width float32) float32 {
		y := float32(0)
		for _, r := range p.rows {
			widget.Place(r, 0, y, width, r.Height())
			y += r.Height()
		}
		return y
	})
	p.flow.gutter = widget.Space3
	p.root = widget.Area(fyne.Size{}, p.place, p.box, p.title, p.more, p.close, p.flow.scroll, p.safe.root, p.copy, p.note)
	p.root.Hide()
	return p
}

func (p *people) update(st call.State) {
	p.title.SetText(sayWith("people.count", fill{"Count": len(st.Peers) + 1}))
	for len(p.rows) < len(st.Peers)+1 {
		p.rows = append(p.rows, widget.NewPerson(say("hosts.person")))
	}
	p.rows = p.rows[:len(st.Peers)+1]
	widget.Show(p.more, hosts(st))
	p.rows[0].Set(orSomebody(st.Name), withRole(st.Room.Me.Role, ownNote(st)), "", mark(st.Mic), mark(st.Camera), st.Screen.On && st.Screen.Live)
	for i, peer := range st.Peers {
		m, _ := st.Room.Member(peer.ID)
		row := p.rows[i+1]
		detail := cmp.Or(peerDetour(peer), p.s.w.people.note(m, p.s.w.now()))
		row.Set(orSomebody(peer.Name), withRole(m.Role, peerNote(peer)), detail, widget.MarkOf(peer.Mic), widget.MarkOf(peer.Camera), peer.Screen)
		row.SetVerified(m.Verified)
		more := row.SetMore(mayHost(st, m))
		more.OnTap = func() { p.s.w.openMenu(more, false, func() []widget.Item { return p.s.w.personItems(peer.ID) }) }
	}
	p.safe.update(st)
	if len(p.flow.box.Objects) != len(p.rows) {
		p.flow.box.Objects = nil
		for _, r := range p.rows {
			p.flow.box.Objects = append(p.flow.box.Objects, r)
		}
		p.flow.box.Refresh()
	}
	p.note.Set(hostingText(st.Hosting))
	widget.Relayout(p.root)
}

// ownNote is the line below our own name: which of our devices are broken. It has room for one reason.
func ownNote(st call.State) string {
	mic, camera := brokenText(st.Mic), brokenText(st.Camera)
	if mic != "" && camera != "" {
		return say("broken.both")
	}
	return cmp.Or(mic, camera, say("you"))
}

func (p *people) place(s fyne.Size) {
	if s.Width <= 0 {
		return
	}
	p.box.Resize(s)
	widget.Place(p.title, widget.Space4, 16, s.Width-2*widget.Space4-36, 24)
	widget.Place(p.close, s.Width-42, 10, 36, 36)
	widget.Place(p.more, s.Width-42-40, 10, 36, 36)
	widget.Place(p.copy, widget.Space4, s.Height-56, s.Width-2*widget.Space4, 40)
	inner := s.Width - 2*widget.Space4
	note := p.note.HeightFor(inner)
	if note > 0 {
		note += widget.Space2 // between the safety phrase and the note
	}
	safe, below := p.safe.heightFor(inner), float32(64)
	if widget.Show(p.copy, s.Height-56-64-note-safe >= personHeight); !p.copy.Visible() {
		below = widget.Space3
	}
	widget.Place(p.note, widget.Space4, s.Height-below-p.note.HeightFor(inner), inner, p.note.HeightFor(inner))
	widget.Place(p.safe.root, widget.Space4, s.Height-below-note-safe, inner, safe)
	list := s.Height - 56 - below - note - safe - widget.Space2
	widget.Show(p.flow.scroll, list >= personHeight/2)
	p.flow.fit(widget.Space4, 56, inner, max(list, 0))
}
