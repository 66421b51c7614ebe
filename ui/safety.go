package ui

import (
	"strings"

	"fyne.io/fyne/v2"

	"parley/media/call"
	"parley/signal"
	"parley/signal/room"
	"parley/ui/widget"
)

// safety is the part of the people's panel in which people compare the safety phrase. It is closed until somebody wants to,
// since a phrase takes messages of everybody.
type safety struct {
	s      *stage
	root   *fyne.Container
	box    *widget.Box
	line   *widget.Paragraph // what has changed since the user compared
	button *widget.Button    // opens it
	words  *widget.Paragraph
	emoji  *widget.Paragraph
	hint   *widget.Paragraph
	later  *widget.Button // closes it
	same   *widget.Button
	open   bool
}

func newSafety(s *stage) *safety {
	p := &safety{
		s: s, box: widget.NewBox(widget.Surface2, widget.None, widget.RadiusTile),
		line:  widget.NewParagraph("", widget.Caption, widget.Warning, 2),
		words: widget.NewParagraph("", widget.BodyMedium, widget.Text1, 2).Align(fyne.TextAlignCenter),
		emoji: widget.NewParagraph("", widget.Heading, widget.Text1, 1).Align(fyne.TextAlignCenter),
		hint:  widget.NewParagraph("", widget.Caption, widget.Text2, 4).Align(fyne.TextAlignCenter),
	}
	p.button = widget.NewButton(say("safety.compare"), "lock", widget.Plain, 40, func() { p.show(true) })
	p.later = widget.NewButton(say("safety.hide"), "", widget.Plain, 40, func() { p.show(false) })
	p.same = widget.NewButton(say("safety.same"), "", widget.Primary, 40, func() {
		s.w.do(call.Room{Command: room.Verify{}})
		p.show(false)
	})
	p.root = widget.Area(fyne.Size{}, p.place, p.box, p.line, p.button, p.words, p.emoji, p.hint, p.later, p.same)
	return p
}

// show opens and closes it. While it is open the room keeps the phrase up to date.
func (p *safety) show(open bool) {
	if p.open == open {
		return
	}
	p.open = open
	p.s.w.do(call.Room{Command: room.Compare{On: open}})
	p.update(p.s.w.state)
	widget.Relayout(p.s.people.root)
}

func (p *safety) update(st call.State) {
	safe := st.Room.Safety
	p.line.Set("", widget.Warning)
	if len(safe.Changed) > 0 {
		p.line.Set(sayWith("safety.changed", fill{"Names": namesOf(st, safe.Changed)}), widget.Warning)
	}
	if allVerified(st) {
		p.button.SetText(say("safety.verified"))
	} else {
		p.button.SetText(say("safety.compare"))
	}
	widget.Show(p.button, !p.open)
	for _, o := range []fyne.CanvasObject{p.box, p.words, p.emoji, p.hint, p.later} {
		widget.Show(o, p.open)
	}
	widget.Show(p.same, p.open && safe.Known && len(st.Peers) > 0)
	p.words.Set("", widget.Text1)
	p.emoji.Set("", widget.Text1)
	switch {
	case len(st.Peers) == 0:
		p.hint.Set(say("safety.alone"), widget.Text2)
	case safe.Known:
		p.words.Set(pairs(safe.Phrase.Words), widget.Text1)
		p.emoji.Set(strings.Join(safe.Phrase.Emoji[:], " "), widget.Text1)
		p.hint.Set(say("safety.hint"), widget.Text2)
	default:
		p.hint.Set(sayWith("safety.waiting", fill{"Names": namesOf(st, safe.Missing)}), widget.Text2)
	}
}

// allVerified reports whether the user has compared the phrase with everybody who is there.
func allVerified(st call.State) bool {
	for _, m := range st.Room.Present() {
		if !m.Verified {
			return false
		}
	}
	return len(st.Room.Present()) > 0
}

// namesOf lists members by name.
func namesOf(st call.State, ids []signal.ID) string {
	var names []string
	for _, id := range ids {
		if m, here := st.Room.Member(id); here {
			names = append(names, orSomebody(m.Name))
		}
	}
	return strings.Join(names, ", ")
}

// pairs writes two words on each line, as people read them aloud.
func pairs(w [4]string) string { return w[0] + " " + w[1] + "\n" + w[2] + " " + w[3] }

// heightFor is the height it takes at a width.
func (p *safety) heightFor(width float32) float32 { return p.arrange(width, false) }

func (p *safety) place(s fyne.Size) {
	if s.Width > 0 {
		p.arrange(s.Width, true)
	}
}

// arrange goes through the parts from the top, places them if asked to, and returns the height.
func (p *safety) arrange(width float32, place bool) (y float32) {
	put := func(o fyne.CanvasObject, x, width, height float32) {
		if place {
			widget.Place(o, x, y, width, height)
		}
	}
	if line := p.line.HeightFor(width); line > 0 {
		put(p.line, 0, width, line)
		y += line + widget.Space2
	}
	if !p.open {
		put(p.button, 0, width, 40)
		return y + 40
	}
	top, inner := y, width-2*widget.Space3
	y += widget.Space3
	for _, o := range []*widget.Paragraph{p.words, p.emoji, p.hint} {
		if part := o.HeightFor(inner); part > 0 {
			put(o, widget.Space3, inner, part)
			y += part + widget.Space2
		}
	}
	y += widget.Space1
	later := inner*2/5 - widget.Space1
	if p.same.Visible() {
		put(p.later, widget.Space3, later, 40)
		put(p.same, widget.Space3+later+widget.Space2, inner-later-widget.Space2, 40)
	} else {
		put(p.later, widget.Space3, inner, 40)
	}
	y += 40 + widget.Space3
	if place {
		widget.Place(p.box, 0, top, width, y-top)
	}
	return y
}
