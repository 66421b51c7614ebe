package ui

import (
	"net/url"
	"strings"

	"fyne.io/fyne/v2"

	"parley/media/call"
	"parley/signal/room"
	"parley/ui/widget"
)

// fieldHeight is the height of the message field with one line of text.
const fieldHeight float32 = 40

// chat is the panel of messages.
type chat struct {
	s      *stage
	root   *fyne.Container
	box    *widget.Box
	title  *widget.Label
	close  *widget.RoundButton
	empty  *widget.Paragraph
	flow   *flow
	field  *widget.Field
	send   *widget.RoundButton
	shown  []room.Message
	lines  []*widget.Message
	seen   map[string]bool // messages that were read or are ours
	unread int
	code   string // of the meeting
}

func newChat(s *stage) *chat {
	c := &chat{
		s: s, box: widget.NewBox(widget.Surface1, widget.None, widget.RadiusPanel),
		title: widget.NewLabel(say("chat"), widget.Title, widget.Text1),
		close: widget.NewSmallButton(say("chat.close"), "close", s.closePanel),
		empty: widget.NewParagraph(say("chat.empty"), widget.Body, widget.Text2, 0),
	}
	c.send = widget.NewSmallButton(say("chat.send"), "send", c.say)
	c.field = widget.NewField(say("chat.field"), say("chat.field"), fieldHeight, c.send).Lines(5)
	c.field.Entry.MaxRunes = room.MaxText
	c.field.Entry.OnChanged = func(string) { widget.Relayout(c.root) }
	c.field.Entry.OnSubmitted = func(string) { c.say() }
	c.flow = newFlow(c.placeLines)
	c.flow.gutter = widget.Space3
	c.root = widget.Area(fyne.Size{}, c.place, c.box, c.title, c.close, c.empty, c.flow.scroll, c.field)
	c.root.Hide()
	return c
}

// begin resets the chat for a new meeting. After a rejoin it keeps what was read.
func (c *chat) begin(code string) {
	if c.code == code && c.seen != nil {
		return
	}
	c.code, c.seen, c.unread = code, map[string]bool{}, 0
	c.field.Entry.SetText("")
}

func (c *chat) say() {
	text := strings.TrimSpace(c.field.Entry.Text)
	if text == "" {
		return
	}
	c.field.Entry.SetText("")
	c.s.w.do(call.Room{Command: room.Say{Text: text}})
}

func (c *chat) update(st call.State) {
	messages := st.Room.Chat
	if c.rebuild(messages) {
		widget.Show(c.empty, len(messages) == 0)
		end := c.atEnd()
		widget.Relayout(c.root)
		if end {
			c.flow.scroll.ScrollToBottom()
		}
	}
	for i, m := range messages {
		c.lines[i].SetStatus(m.Mine && m.Status == room.Sending, m.Mine && m.Status == room.Failed)
	}
	if c.s.panel == chatPanel {
		c.read()
		return
	}
	c.unread = 0
	for _, m := range messages {
		if !m.Mine && !c.seen[m.ID] {
			c.unread++
		}
	}
}

// read marks everything as seen.
func (c *chat) read() {
	c.unread = 0
	for _, m := range c.shown {
		c.seen[m.ID] = true
	}
}

// rebuild creates the lines of new and changed messages, and reports whether there were any.
func (c *chat) rebuild(messages []room.Message) bool {
	same := 0
	for same < min(len(messages), len(c.shown)) && messages[same] == c.shown[same] {
		same++
	}
	if same == len(messages) && same == len(c.shown) {
		return false
	}
	c.shown = messages
	c.lines = c.lines[:same:same]
	for i := same; i < len(messages); i++ {
		m := messages[i]
		author := m.Name
		if m.Mine {
			author = say("you")
		}
		if i > 0 && grouped(messages[i-1], m) {
			author = ""
		}
		line := widget.NewMessage(author, dated("time", m.At), m.Text, messageWords(),
			func() { c.s.w.do(call.Room{Command: room.Resend{ID: m.ID}}) },
			func() { widget.Relayout(c.root) })
		c.bind(line.Text)
		line.SetStatus(m.Mine && m.Status == room.Sending, m.Mine && m.Status == room.Failed)
		c.lines = append(c.lines, line)
	}
	c.flow.box.Objects = make([]fyne.CanvasObject, len(c.lines))
	for i, l := range c.lines {
		c.flow.box.Objects[i] = l
	}
	c.flow.box.Refresh()
	return true
}

// messageWords are the labels around the text of a message.
func messageWords() widget.MessageWords {
	return widget.MessageWords{
		More: say("chat.more"), Sending: say("chat.sending"), Failed: say("chat.failed"), Retry: say("chat.retry"),
	}
}

// bind connects a message's callbacks: links, selection, typing and the context menu.
func (c *chat) bind(p *widget.Passage) {
	p.OnLink = c.openLink
	p.OnSelect = func() {
		for _, l := range c.lines {
			if l.Text != p {
				l.Text.Unselect()
			}
		}
		c.s.w.focus(p)
	}
	p.OnRune = func(r rune) { // typed text goes to the message field
		c.s.w.focus(c.field.Entry)
		c.field.Entry.TypedRune(r)
	}
	p.OnMenu = func() {
		c.s.w.openMenu(p, false, func() []widget.Item {
			return []widget.Item{
				{Label: say("chat.copy"), Icon: "copy", OnTap: func() { p.CopyTo(c.s.w.app.Clipboard()) }},
				{Label: say("chat.select-all"), OnTap: func() { p.OnSelect(); p.SelectAll() }},
			}
		})
	}
}

// grouped reports whether b follows a without repeating the author's name.
func grouped(a, b room.Message) bool {
	return a.From == b.From && a.Mine == b.Mine && b.At.Sub(a.At).Abs().Minutes() < 5
}

func (c *chat) openLink(address string) {
	u, err := url.Parse(address)
	if err != nil {
		return // not a URL after all
	}
	if meetingLink(u) {
		c.s.w.click(address)
		return
	}
	if err := c.s.w.app.OpenURL(u); err != nil {
		fyne.LogError("open a link from chat", err)
	}
}

func (c *chat) atEnd() bool {
	s := c.flow.scroll
	return s.Offset.Y >= s.Content.Size().Height-s.Size().Height-40
}

func (c *chat) placeLines(width float32) float32 {
	y := float32(0)
	for i, l := range c.lines {
		if i > 0 {
			y += widget.Space4
			if grouped(c.shown[i-1], c.shown[i]) {
				y -= widget.Space3
			}
		}
		h := l.HeightFor(width)
		widget.Place(l, 0, y, width, h)
		y += h
	}
	return y
}

func (c *chat) place(s fyne.Size) {
	if s.Width <= 0 {
		return
	}
	const pad = widget.Space4
	c.box.Resize(s)
	widget.Place(c.title, pad, 16, s.Width-2*pad-36, 24)
	widget.Place(c.close, s.Width-42, 10, 36, 36)
	inner := s.Width - 2*pad
	widget.Place(c.empty, pad, 64, inner, c.empty.HeightFor(inner))
	end := c.atEnd()
	h := c.field.HeightFor(inner)
	c.flow.fit(pad, 60, inner, max(s.Height-60-32-h, 0))
	if end {
		c.flow.scroll.ScrollToBottom()
	}
	widget.Place(c.field, pad, s.Height-16-h, inner, h)
}
