package ui

import (
	"strings"
	"time"

	"fyne.io/fyne/v2"

	"parley/media/call"
	"parley/ui/widget"
)

// ended is the screen after a meeting. It says why the meeting is over.
type ended struct {
	w      *Window
	root   *fyne.Container
	top    *topbar
	title  *widget.Label
	note   *widget.Label
	line   *widget.Paragraph
	rejoin *widget.Button
	back   *widget.Button
}

func newEnded(w *Window) *ended {
	e := &ended{
		w: w, top: newTopbar(w),
		title:  widget.NewLabel("", widget.Heading, widget.Text1).Align(fyne.TextAlignCenter),
		note:   widget.NewLabel("", widget.Body, widget.Text2).Align(fyne.TextAlignCenter),
		line:   widget.NewParagraph("", widget.Body, widget.Warning, 4).Align(fyne.TextAlignCenter),
		rejoin: widget.NewButton(say("ended.rejoin"), "", widget.Primary, 48, func() { w.do(call.Join{}) }),
		back:   widget.NewButton(say("back"), "", widget.Plain, 48, func() { w.do(call.Close{}) }),
	}
	e.root = widget.Area(smallest, e.place, append([]fyne.CanvasObject{e.title, e.note, e.line, e.rejoin, e.back}, e.top.parts()...)...)
	return e
}

func (e *ended) content() fyne.CanvasObject { return e.root }
func (e *ended) tiles() []*videoTile        { return nil }

func (e *ended) pulse(now time.Time) {
	if e.top.pulse(now) {
		widget.Relayout(e.root)
	}
}

func (e *ended) update(s call.State) {
	e.top.update()
	title, line, again := ending(s)
	e.title.SetText(title)
	e.line.Set(line, widget.Warning)
	e.rejoin.SetText(again)
	note := []string{s.Code}
	if r := e.w.prefs.Recents(); len(r) > 0 && r[0].Code == s.Code && r[0].Duration > 0 {
		note = append(note, lasted(r[0].Duration))
		if len(r[0].Names) > 0 {
			note = append(note, sayWith("ended.with", fill{"People": who(r[0].Names)}))
		}
	}
	e.note.SetText(strings.Join(note, " · "))
	widget.Relayout(e.root)
}

// ending returns the text for the reason: a title, what to do, and the label of the button that does it.
func ending(s call.State) (title, line, again string) {
	line = problemText(s.Problem)
	switch s.Reason {
	case call.Unreachable:
		title, again = say("ended.unreachable"), say("ended.again")
		if line == "" {
			line = say("ended.network")
		}
	case call.Refused:
		title, again = say("ended.refused"), say("ended.again")
	case call.Replaced:
		title, again = say("ended.replaced"), say("ended.join-here")
		if line == "" {
			line = say("ended.replaced.note")
		}
	case call.Removed:
		title, line, again = say("ended.removed"), say("ended.removed.note"), say("ended.rejoin")
	case call.Denied:
		title, again = say("ended.denied"), say("ended.again")
	case call.EndedForAll:
		title, again = say("ended.for-all"), say("ended.rejoin")
	default:
		title, again = say("ended.left"), say("ended.rejoin")
	}
	return title, line, again
}

func (e *ended) place(s fyne.Size) {
	e.top.place(s)
	width := min(s.Width-2*widget.Space5, 520)
	x, y := (s.Width-width)/2, s.Height/2-90
	widget.Place(e.title, x, y, width, widget.Heading.Line)
	widget.Place(e.note, x, y+44, width, widget.Body.Line)
	y += 44 + widget.Body.Line + widget.Space3
	if h := e.line.HeightFor(width); h > 0 {
		widget.Place(e.line, x, y, width, h)
		y += h
	}
	y += widget.Space5
	a, b := e.rejoin.MinSize(), e.back.MinSize()
	left := (s.Width - a.Width - b.Width - widget.Space3) / 2
	widget.Place(e.rejoin, left, y, a.Width, 48)
	widget.Place(e.back, left+a.Width+widget.Space3, y, b.Width, 48)
}
