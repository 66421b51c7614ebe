package widget

import (
	"fyne.io/fyne/v2"
	fw "fyne.io/fyne/v2/widget"
)

// Message is a chat message: its author, unless the message above has the same one, its text and its delivery
// status.
type Message struct {
	fw.BaseWidget
	Text         *Passage
	author, time *Label
	status       *Label
	more, retry  *Button
	words        MessageWords
	onMore       func()
}

// MessageWords are the labels around a message's text.
type MessageWords struct {
	More            string // shows all of a long message
	Sending, Failed string
	Retry           string // resends it
}

// longMessage is how many lines of a message show until the user presses "more".
const longMessage = 12

// NewMessage makes a message. author is empty within a group. onMore is called after the message was expanded.
func NewMessage(author, time, text string, words MessageWords, onRetry, onMore func()) *Message {
	m := &Message{
		author: NewLabel(author, Strong, Text1), time: NewLabel(time, Caption, Text2),
		Text:   NewPassage(text, Body, Text1, longMessage),
		status: NewLabel("", Caption, Text2), retry: NewButton(words.Retry, "", Quiet, Target, onRetry),
		words: words, onMore: onMore,
	}
	m.more = NewButton(words.More, "", Quiet, Target, m.expand)
	Show(m.author, author != "")
	Show(m.time, author != "")
	m.status.Hide()
	m.retry.Hide()
	m.more.Hide()
	m.ExtendBaseWidget(m)
	return m
}

func (m *Message) expand() {
	m.Text.SetMost(0)
	m.more.Hide()
	m.onMore()
}

// SetStatus shows that the message is being sent, or that sending failed and can be retried. It reports whether
// the height may have changed.
func (m *Message) SetStatus(sending, failed bool) bool {
	text, color := "", Text2
	switch {
	case failed:
		text, color = m.words.Failed, Error
	case sending:
		text = m.words.Sending
	}
	m.status.Set(text, color)
	m.Text.Set(m.Text.text, map[bool]fyne.ThemeColorName{true: Text2, false: Text1}[text != ""])
	changed := Show(m.status, text != "")
	return Show(m.retry, failed) || changed
}

// Parts are the objects that can have the keyboard focus.
func (m *Message) Parts() []fyne.CanvasObject { return []fyne.CanvasObject{m.Text, m.more, m.retry} }

// HeightFor is the height the line takes when it is width wide.
func (m *Message) HeightFor(width float32) float32 {
	h := m.Text.HeightFor(width)
	Show(m.more, m.Text.clipped)
	if m.more.Visible() {
		h += Target
	}
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

// MinSize is small: the layout gives the width, and HeightFor the height.
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
		h := m.Text.HeightFor(s.Width)
		Place(m.Text, 0, y, s.Width, h)
		y += h
		if m.more.Visible() {
			PlaceMin(m.more, -Space3, y)
			y += Target
		}
		sw := m.status.Width()
		if m.retry.Visible() {
			Place(m.status, 0, y+8, sw, 16)
			PlaceMin(m.retry, sw, y)
			return
		}
		Place(m.status, 0, y+2, sw, 16)
	}
	return &renderer{
		objects: []fyne.CanvasObject{m.author, m.time, m.Text, m.status, m.more, m.retry},
		layout:  layout,
		refresh: func() {
			layout(m.Size())
			refreshAll([]fyne.CanvasObject{m.author, m.time, m.Text, m.status, m.more, m.retry})
		},
	}
}
