package widget

import (
	"fyne.io/fyne/v2"
	fw "fyne.io/fyne/v2/widget"
)

// Message is one line of chat: its author, unless the line above is by the same, its text,
// and how the sending goes.
type Message struct {
	fw.BaseWidget
	author, time *Label
	text         *Paragraph
	status       *Label
	retry        *Button
}

// NewMessage makes a line of chat; author is empty within a group.
func NewMessage(author, time, text string, onLink func(string), onRetry func()) *Message {
	m := &Message{
		author: NewLabel(author, Strong, Text1), time: NewLabel(time, Caption, Text2),
		text:   NewParagraph(text, Body, Text1, 0),
		status: NewLabel("", Caption, Text2), retry: NewButton("Send again", "", Quiet, Target, onRetry),
	}
	m.text.OnLink = onLink
	Show(m.author, author != "")
	Show(m.time, author != "")
	m.status.Hide()
	m.retry.Hide()
	m.ExtendBaseWidget(m)
	return m
}

// SetStatus shows that the line is on its way, or that it failed and can be sent again. It
// says whether the height may have changed.
func (m *Message) SetStatus(sending, failed bool) bool {
	text, color := "", Text2
	switch {
	case failed:
		text, color = "Not sent", Error
	case sending:
		text = "Sending…"
	}
	m.status.Set(text, color)
	m.text.Set(m.text.text, map[bool]fyne.ThemeColorName{true: Text2, false: Text1}[text != ""])
	changed := Show(m.status, text != "")
	return Show(m.retry, failed) || changed
}

// HeightFor is the height the line takes when it is width wide.
func (m *Message) HeightFor(width float32) float32 {
	h := m.text.HeightFor(width)
	if m.author.Visible() {
		h += 22
	}
	if m.retry.Visible() {
		h += Target
	} else if m.status.Visible() {
		h += 18
	}
	return h
}

// MinSize is narrow: the width is given, the height is HeightFor it.
func (m *Message) MinSize() fyne.Size { return fyne.NewSize(1, 1) }

// CreateRenderer is for Fyne.
func (m *Message) CreateRenderer() fyne.WidgetRenderer {
	layout := func(s fyne.Size) {
		y := float32(0)
		if m.author.Visible() {
			tw := m.time.Width()
			aw := min(m.author.Width(), s.Width-tw-Space2)
			Place(m.author, 0, 0, aw, 20)
			Place(m.time, aw+6, 3, tw, 16)
			y = 22
		}
		h := m.text.HeightFor(s.Width)
		Place(m.text, 0, y, s.Width, h)
		y += h
		sw := m.status.Width()
		if m.retry.Visible() {
			Place(m.status, 0, y+8, sw, 16)
			PlaceMin(m.retry, sw, y)
			return
		}
		Place(m.status, 0, y+2, sw, 16)
	}
	return &renderer{
		objects: []fyne.CanvasObject{m.author, m.time, m.text, m.status, m.retry},
		layout:  layout,
		refresh: func() {
			layout(m.Size())
			refreshAll([]fyne.CanvasObject{m.author, m.time, m.text, m.status, m.retry})
		},
	}
}
