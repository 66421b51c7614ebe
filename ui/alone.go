package ui

import (
	"fyne.io/fyne/v2"

	"parley/media/call"
	"parley/ui/widget"
)

// alone fills the stage while nobody else is there.
type alone struct {
	root  *fyne.Container
	title *widget.Label
	line  *widget.Paragraph
	link  *widget.Paragraph
	copy  *copyButton
}

func newAlone(w *Window) *alone {
	a := &alone{
		title: widget.NewLabel(say("alone.title"), widget.Heading, widget.Text1).Align(fyne.TextAlignCenter),
		line:  widget.NewParagraph(say("alone.share"), widget.Body, widget.Text2, 2).Align(fyne.TextAlignCenter),
		link:  widget.NewParagraph("", widget.CodeLarge, widget.Text1, 3).Align(fyne.TextAlignCenter),
		copy:  newCopyButton(w, say("copy-link"), widget.Primary, 48),
	}
	a.link.OnLink = func(string) { a.copy.Tapped(nil) }
	a.root = widget.Area(fyne.Size{}, a.place, a.title, a.line, a.link, a.copy)
	return a
}

func (a *alone) update(st call.State) {
	a.link.Set(st.Link, widget.Text1)
	if note := hostingText(st.Hosting); note != "" {
		a.line.Set(note, widget.Error)
	} else {
		a.line.Set(say("alone.share"), widget.Text2)
	}
	widget.Relayout(a.root)
}

func (a *alone) place(s fyne.Size) {
	if s.Width <= 0 {
		return
	}
	w := min(s.Width-2*widget.Space4, 720)
	x := (s.Width - w) / 2
	line, link := a.line.HeightFor(w), a.link.HeightFor(w)
	total := widget.Heading.Line + widget.Space1 + line + widget.Space4 + link + widget.Space4 + 48
	y := max((s.Height-total)*0.4, widget.Space2)
	widget.Place(a.title, x, y, w, widget.Heading.Line)
	y += widget.Heading.Line + widget.Space1
	widget.Place(a.line, x, y, w, line)
	y += line + widget.Space4
	widget.Place(a.link, x, y, w, link)
	y += link + widget.Space4
	m := a.copy.MinSize()
	widget.Place(a.copy, (s.Width-m.Width)/2, y, m.Width, 48)
}

// hostingText warns about the link of a meeting hosted on this machine. It is empty when the link works
// for everybody.
func hostingText(h call.Hosting) string {
	switch h {
	case call.HostedAlone:
		return say("hosting.alone")
	case call.HostedAnew:
		return say("hosting.anew")
	}
	return ""
}
