package ui

import (
	"strings"

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
	note, tone := hostingText(st.Hosting)
	if tone != widget.Error {
		note = strings.TrimSpace(say("alone.share") + " " + note)
	}
	a.line.Set(note, tone)
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

// hostingText says for whom the link of a meeting hosted on this machine works. It is empty for a meeting that is
// hosted elsewhere.
func hostingText(h call.Hosting) (text string, tone fyne.ThemeColorName) {
	switch h {
	case call.HostedHere:
		return say("hosting.here"), widget.Text2
	case call.HostedAnywhere:
		return say("hosting.anywhere"), widget.Text2
	case call.HostedIPv6:
		return say("hosting.ipv6"), widget.Text2
	case call.HostedAlone:
		return say("hosting.alone"), widget.Error
	case call.HostedAnew:
		return say("hosting.anew"), widget.Error
	}
	return "", widget.Text2
}
