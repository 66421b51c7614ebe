package room

import (
	"cmp"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"parley/signal"
)

// The kinds of envelope about chat.
const (
	kindChat    = "chat"     // to all: a message
	kindAsk     = "history?" // to one: what was said before I came?
	kindHistory = "history"  // to one: that
)

// chat is one message as it travels.
type chat struct {
	ID   string    `json:"id"`
	From signal.ID `json:"from"`
	Name string    `json:"name"`
	Text string    `json:"text"`
	At   int64     `json:"at"` // Unix milliseconds
	N    uint64    `json:"n"`
}

func validChat(e *envelope) bool { return e.Chat != nil && e.Chat.valid() }

func validHistory(e *envelope) bool {
	for i := range e.History {
		if !e.History[i].valid() {
			return false
		}
	}
	return len(e.History) <= maxChat
}

func (c *chat) valid() bool {
	if utf8.RuneCountInString(c.Text) > MaxText {
		return false
	}
	c.Name, c.Text = CleanName(c.Name), cleanText(c.Text)
	return c.ID != "" && len(c.ID) <= 32 && c.From.Valid() && c.Text != "" && c.N <= maxClock
}

// maxClock is where Lamport time stops: whoever claims a later one is refused, and ours stays
// there, so that a member who claims the last moment cannot make us say what others refuse.
const maxClock = signal.MaxNumber - 1

// size is the most that a message takes as JSON, in bytes.
func (c chat) size() int { return 6*len(c.Text) + 6*len(c.Name) + 128 }

func (c chat) message(me signal.ID) Message {
	return Message{
		ID: c.ID, From: c.From, Name: c.Name, Text: c.Text, At: time.UnixMilli(c.At), N: c.N,
		Mine: c.From == me, Status: Delivered,
	}
}

func (m Message) chat() chat {
	return chat{ID: m.ID, From: m.From, Name: m.Name, Text: m.Text, At: m.At.UnixMilli(), N: m.N}
}

// historyPatience is how long a member may take to hand the history on before another is
// asked.
const historyPatience = 3 * time.Second

// handInterval is how long a member waits for the history a second time, so that asking for
// it over and over does not fill our line.
const handInterval = 30 * time.Second

// conversation is what was said, and how far we are in learning what was said before we came.
type conversation struct {
	messages []Message
	clock    uint64      // Lamport time
	asked    []signal.ID // for the history, the current one last
	complete bool        // the history has come, or there is nobody to ask
	handed   map[signal.ID]time.Time
}

func (c conversation) next(ev event, p presence, now time.Time) (conversation, []effect) {
	switch ev := ev.(type) {
	case up:
		if !ev.resumed { // what was said in the meantime has to be asked for
			c.asked, c.complete = nil, false
		}
		if len(ev.members) == 0 && len(p.members) == 0 {
			c.complete = true
		}
	case left, expired:
		if n := len(c.asked); n > 0 && p.find(c.asked[n-1]) < 0 {
			return c.ask(p)
		}
	case overdue:
		if n := len(c.asked); n > 0 && c.asked[n-1] == ev.asked {
			return c.ask(p)
		}
	case over:
		for _, x := range c.messages {
			if x.Status == Sending {
				c.messages = withStatus(c.messages, x.ID, Failed)
			}
		}
	case sent:
		c.messages = withStatus(c.messages, ev.chat, Delivered)
	case unsent:
		c.messages = withStatus(c.messages, ev.chat, Failed)
	case Say:
		return c.say(ev, p, now)
	case Resend:
		return c.resend(ev.ID)
	case received:
		return c.receive(ev, p, now)
	}
	return c, nil
}

func (c conversation) receive(ev received, p presence, now time.Time) (conversation, []effect) {
	switch {
	case ev.env.T == kindHello || ev.env.T == kindCard:
		if len(c.asked) == 0 {
			return c.ask(p)
		}
	case ev.env.T == kindChat && ev.all: // what only some are told is no chat
		x := *ev.env.Chat
		x.From, x.Name = ev.from, p.members[p.find(ev.from)].Name // nobody speaks for others, but in a history
		return c.remember([]chat{x}, p), nil
	case ev.env.T == kindAsk && !ev.all:
		last, again := c.handed[ev.from]
		if !again || now.Sub(last) >= handInterval {
			c.handed = maps.Clone(c.handed)
			if c.handed == nil {
				c.handed = make(map[signal.ID]time.Time)
			}
			c.handed[ev.from] = now
			return c, c.handOn(ev.from)
		}
	case ev.env.T == kindHistory && !ev.all && slices.Contains(c.asked, ev.from): // nobody else may tell us what was said
		c.complete = true
		return c.remember(ev.env.History, p), nil
	}
	return c, nil
}

// ask asks for the history: the member longest here that was not asked yet.
func (c conversation) ask(p presence) (conversation, []effect) {
	if c.complete {
		return c, nil
	}
	for _, x := range p.members {
		if x.Present && !slices.Contains(c.asked, x.ID) {
			c.asked = append(slices.Clone(c.asked), x.ID)
			return c, []effect{send{to: x.ID, env: envelope{T: kindAsk}}, after{historyPatience, overdue{x.ID}}}
		}
	}
	return c, nil
}

// handOn tells a newcomer what was said, in parts that fit a sealed body.
func (c conversation) handOn(to signal.ID) []effect {
	var effects []effect
	var part []chat
	size := 0
	flush := func() {
		effects = append(effects, send{to: to, env: envelope{T: kindHistory, History: part}})
		part, size = nil, 0
	}
	for _, x := range c.said() {
		if size+x.size() > historyRun && len(part) > 0 {
			flush()
		}
		part = append(part, x)
		size += x.size()
	}
	flush() // an empty one too: it says that there is nothing
	return effects
}

// said is what everyone has been told, as much of the newest as fits historyMax.
func (c conversation) said() []chat {
	var all []chat
	total := 0
	for _, x := range slices.Backward(c.messages) {
		if x.Status != Delivered {
			continue
		}
		m := x.chat()
		if total += m.size(); total > historyMax {
			break
		}
		all = append(all, m)
	}
	slices.Reverse(all)
	return all
}

// remember adds messages that are new to us, in the order that is the same for everyone.
func (c conversation) remember(news []chat, p presence) conversation {
	c.messages = slices.Clone(c.messages)
	for _, x := range news {
		c.clock = max(c.clock, x.N)
		if !slices.ContainsFunc(c.messages, func(m Message) bool { return m.ID == x.ID }) {
			c.messages = append(c.messages, x.message(p.me.ID))
		}
	}
	slices.SortStableFunc(c.messages, func(a, b Message) int {
		return cmp.Or(cmp.Compare(a.N, b.N), a.At.Compare(b.At), cmp.Compare(a.ID, b.ID))
	})
	if over := len(c.messages) - maxChat; over > 0 {
		c.messages = c.messages[over:]
	}
	return c
}

func (c conversation) say(ev Say, p presence, now time.Time) (conversation, []effect) {
	text := cleanText(ev.Text)
	if text == "" {
		return c, nil
	}
	c.clock = min(c.clock+1, maxClock)
	x := chat{ID: ev.ID, From: p.me.ID, Name: p.me.Name, Text: text, At: now.UnixMilli(), N: c.clock}
	c = c.remember([]chat{x}, p)
	c.messages = withStatus(c.messages, x.ID, Sending)
	return c, []effect{send{env: envelope{T: kindChat, Chat: &x}, chat: x.ID}}
}

func (c conversation) resend(id string) (conversation, []effect) {
	i := slices.IndexFunc(c.messages, func(m Message) bool { return m.ID == id && m.Status == Failed })
	if i < 0 {
		return c, nil
	}
	c.messages = withStatus(c.messages, id, Sending)
	x := c.messages[i].chat()
	return c, []effect{send{env: envelope{T: kindChat, Chat: &x}, chat: x.ID}}
}

func withStatus(list []Message, id string, s Delivery) []Message {
	i := slices.IndexFunc(list, func(m Message) bool { return m.ID == id })
	if i < 0 {
		return list
	}
	list = slices.Clone(list)
	list[i].Status = s
	return list
}
