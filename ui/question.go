package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fw "fyne.io/fyne/v2/widget"

	"parley/ui/widget"
)

// maxHost is how much of a host's name a question shows, in runes: its end, which says whose it is.
const maxHost = 60

// question asks the user before a clicked link is opened. It lies over the window.
type question struct {
	fw.BaseWidget
	w      *Window
	shade  *canvas.Rectangle
	box    *widget.Box
	title  *widget.Paragraph
	text   *widget.Paragraph
	no     *widget.Button
	yes    *widget.Button
	before fyne.Focusable // had the focus before
}

// openQuestion asks; the newest question takes the place of one that is not answered yet.
func (w *Window) openQuestion(k click, open func()) {
	w.menu.close()
	w.sharing.gone()
	w.question.close()
	title, no, yes, text := "Open this meeting?", "Cancel", "Open", ""
	if k.leave {
		title, no, yes = "Leave this meeting and open the other?", "Stay", "Leave and open"
	}
	if k.host != "" {
		host := []rune(k.host)
		if len(host) > maxHost {
			host = append([]rune("…"), host[len(host)-maxHost:]...)
		}
		text = "This meeting is at " + string(host) + ", where you have not been before."
	}
	q := &question{
		w: w, shade: canvas.NewRectangle(shadeColor),
		box:    widget.NewBox(widget.Surface1, widget.Line, widget.RadiusPanel),
		title:  widget.NewParagraph(title, widget.Title, widget.Text1, 0),
		text:   widget.NewParagraph(text, widget.Body, widget.Text2, 0),
		before: w.win.Canvas().Focused(),
	}
	q.no = widget.NewButton(no, "", widget.Plain, 40, func() { q.close() })
	q.yes = widget.NewButton(yes, "", widget.Primary, 40, func() { q.close(); open() })
	q.ExtendBaseWidget(q)
	w.question = q
	c := w.win.Canvas()
	c.Overlays().Add(q)
	q.Resize(c.Size())
	w.focus(q.no)
}

// close takes the question away and says whether there was one.
func (q *question) close() bool {
	if q == nil || q.w.question != q {
		return false
	}
	q.w.question = nil
	q.w.win.Canvas().Overlays().Remove(q)
	if q.before != nil {
		q.w.focus(q.before)
	}
	return true
}

// Tapped keeps taps from the window below.
func (q *question) Tapped(*fyne.PointEvent) {}

// Parts are what the question is made of.
func (q *question) Parts() []fyne.CanvasObject {
	return []fyne.CanvasObject{q.shade, q.box, q.title, q.text, q.no, q.yes}
}

// CreateRenderer is for Fyne.
func (q *question) CreateRenderer() fyne.WidgetRenderer {
	return fw.NewSimpleRenderer(widget.Area(fyne.Size{}, q.place, q.Parts()...))
}

// place puts the question into the middle.
func (q *question) place(s fyne.Size) {
	const pad = widget.Space5
	q.shade.Resize(s)
	w := min(s.Width-2*widget.Space4, 440)
	inner := w - 2*pad
	title, text := q.title.HeightFor(inner), q.text.HeightFor(inner)
	h := pad + title + widget.Space5 + 40 + pad
	if text > 0 {
		h += widget.Space3 + text
	}
	x, y := floor((s.Width-w)/2), max(floor((s.Height-h)*0.4), 0)
	widget.Place(q.box, x, y, w, h)
	y += pad
	widget.Place(q.title, x+pad, y, inner, title)
	y += title
	if text > 0 {
		y += widget.Space3
		widget.Place(q.text, x+pad, y, inner, text)
		y += text
	}
	y += widget.Space5
	yes, no := q.yes.MinSize().Width, q.no.MinSize().Width
	widget.Place(q.yes, x+w-pad-yes, y, yes, 40)
	widget.Place(q.no, x+w-pad-yes-widget.Space3-no, y, no, 40)
}
