package ui

import (
	"time"

	"fyne.io/fyne/v2"

	"parley/media/call"
	"parley/ui/widget"
)

// wait is the screen between the lobby and the stage, until the server answers.
type wait struct {
	w      *Window
	root   *fyne.Container
	title  *widget.Label
	code   *widget.Label
	line   *widget.Paragraph
	cancel *widget.Button
}

func newWait(w *Window) *wait {
	j := &wait{
		w:      w,
		title:  widget.NewLabel(say("wait.title"), widget.Heading, widget.Text1).Align(fyne.TextAlignCenter),
		code:   widget.NewLabel("", widget.Code, widget.Text2).Align(fyne.TextAlignCenter),
		line:   widget.NewParagraph("", widget.Body, widget.Warning, 3).Align(fyne.TextAlignCenter),
		cancel: widget.NewButton(say("cancel"), "", widget.Plain, 40, func() { w.do(call.Leave{}) }),
	}
	j.root = widget.Area(smallest, j.place, j.title, j.code, j.line, j.cancel)
	return j
}

func (j *wait) content() fyne.CanvasObject { return j.root }
func (j *wait) tiles() []*videoTile        { return nil }
func (j *wait) pulse(time.Time)            {}

func (j *wait) update(s call.State) {
	j.code.SetText(s.Code)
	j.line.Set(problemText(s.Problem), widget.Warning)
	widget.Relayout(j.root)
}

func (j *wait) place(s fyne.Size) {
	width := min(s.Width-2*widget.Space5, 480)
	x, y := (s.Width-width)/2, s.Height/2-80
	widget.Place(j.title, x, y, width, widget.Heading.Line)
	widget.Place(j.code, x, y+44, width, widget.Code.Line)
	y += 44 + widget.Code.Line + widget.Space4
	if h := j.line.HeightFor(width); h > 0 {
		widget.Place(j.line, x, y, width, h)
		y += h + widget.Space4
	}
	m := j.cancel.MinSize()
	widget.Place(j.cancel, (s.Width-m.Width)/2, y, m.Width, m.Height)
}
