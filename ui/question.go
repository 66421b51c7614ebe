package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fw "fyne.io/fyne/v2/widget"

	"parley/signal"
	"parley/ui/widget"
)

// maxHost is how many runes of a host name a question shows. It shows the end, which identifies the owner.
const maxHost = 60

// question is the dialog shown before a meeting is opened.
type question struct {
	fw.BaseWidget
	w       *Window
	shade   *canvas.Rectangle
	box     *widget.Box
	title   *widget.Paragraph
	text    *widget.Paragraph
	choices *flow // hidden if there is nothing to choose from
	rows    []*widget.Row
	no      *widget.Button
	yes     *widget.Button // hidden if the user picks from choices
	cancel  func()         // called if the user refuses; may be nil
	before  fyne.Focusable // had the focus before
}

// openQuestion asks about a clicked link.
func (w *Window) openQuestion(k click, open func()) {
	title, no, yes, text := say("question.open"), say("cancel"), say("question.open.yes"), ""
	if k.leave {
		title, no, yes = say("question.leave"), say("question.stay"), say("question.leave.yes")
	}
	if k.host != "" {
		host := fill{"Host": shortHost(k.host)}
		text = sayWith("question.new-server", host)
		if k.leave {
			text = sayWith("question.new-server.other", host)
		}
	}
	q := w.newQuestion(title, no)
	q.text.Set(text, widget.Text2)
	q.yes = widget.NewButton(yes, "", widget.Primary, 40, func() { q.answer(open) })
	w.ask(q)
}

// openChoice asks which of the meetings in a text is meant.
func (w *Window) openChoice(links []signal.Link, open func(signal.Link), cancel func()) {
	title := say("question.two-meetings")
	if len(links) > 2 {
		title = say("question.several-meetings")
	}
	q := w.newQuestion(title, say("cancel"))
	q.cancel = cancel
	rows := make([]fyne.CanvasObject, len(links))
	for i, link := range links {
		row := widget.NewRow(shortHost(link.Server.Host+link.Server.Path), link.Code.String(), "", func() { q.answer(func() { open(link) }) })
		q.rows, rows[i] = append(q.rows, row), row
	}
	q.choices = newFlow(func(width float32) float32 {
		for i, r := range rows { // a row's highlight is wider than the row
			widget.Place(r, widget.Space2, float32(i)*widget.RowHeight, width-2*widget.Space2, widget.RowHeight)
		}
		return float32(len(rows)) * widget.RowHeight
	}, rows...)
	q.yes.Hide()
	w.ask(q)
}

// shortHost cuts a host name to its end, which identifies the owner.
func shortHost(name string) string {
	host := []rune(name)
	if len(host) <= maxHost {
		return name
	}
	return "…" + string(host[len(host)-maxHost:])
}

// newQuestion makes a dialog whose only button refuses.
func (w *Window) newQuestion(title, no string) *question {
	q := &question{
		w: w, shade: canvas.NewRectangle(shadeColor),
		box:     widget.NewBox(widget.Surface1, widget.Line, widget.RadiusPanel),
		title:   widget.NewParagraph(title, widget.Title, widget.Text1, 0),
		text:    widget.NewParagraph("", widget.Body, widget.Text2, 0),
		choices: newFlow(func(float32) float32 { return 0 }),
		yes:     widget.NewButton("", "", widget.Primary, 40, nil),
	}
	q.no = widget.NewButton(no, "", widget.Plain, 40, func() { q.refuse() })
	return q
}

// ask shows a question. It replaces an unanswered one.
func (w *Window) ask(q *question) {
	w.menu.close()
	w.sharing.gone()
	w.question.close()
	q.before = w.win.Canvas().Focused()
	q.ExtendBaseWidget(q)
	w.question = q
	c := w.win.Canvas()
	c.Overlays().Add(q)
	q.Resize(c.Size())
	w.focus(q.no)
}

// refuse answers no, and reports whether a question was open.
func (q *question) refuse() bool {
	if !q.close() {
		return false
	}
	if q.cancel != nil {
		q.cancel()
	}
	return true
}

// answer closes the question and runs its action. The second click of a double click does nothing.
func (q *question) answer(do func()) {
	if q.close() {
		do()
	}
}

// close removes the question and reports whether one was open.
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

// Tapped swallows taps, so that they do not reach the window below.
func (q *question) Tapped(*fyne.PointEvent) {}

// Parts are the objects of the dialog.
func (q *question) Parts() []fyne.CanvasObject {
	return []fyne.CanvasObject{q.shade, q.box, q.title, q.text, q.choices.scroll, q.no, q.yes}
}

// CreateRenderer is for Fyne.
func (q *question) CreateRenderer() fyne.WidgetRenderer {
	return fw.NewSimpleRenderer(widget.Area(fyne.Size{}, q.place, q.Parts()...))
}

// place centres the dialog.
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
	list := min(float32(len(q.rows))*widget.RowHeight, max(s.Height-h-2*widget.Space4-widget.Space3, widget.RowHeight))
	if list > 0 {
		h += widget.Space3 + list
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
	if list > 0 {
		y += widget.Space3
	}
	q.choices.fit(x+pad-widget.Space2, y, inner+2*widget.Space2, list)
	y += list + widget.Space5
	right := x + w - pad
	if q.yes.Visible() {
		yes := q.yes.MinSize().Width
		widget.Place(q.yes, right-yes, y, yes, 40)
		right -= yes + widget.Space3
	}
	no := q.no.MinSize().Width
	widget.Place(q.no, right-no, y, no, 40)
}
