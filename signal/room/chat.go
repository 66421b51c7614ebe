package room

import (
	"cmp"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"parley/signal"
	"parley/signal/identity"
	"parley/signal/seal"
)

// The kinds of envelope about chat.
const (
	kindChat    = "chat"     // to all: a message
	kindAsk     = "history?" // to one: what was said before I came?
	kindHistory = "history"  // to one: that
)

// chat is one message as its author has signed it. It is handed on as it came; what is shown of it is cleaned.
type chat struct {
	ID   string    `json:"id"`
	From signal.ID `json:"from"`
	Name string    `json:"name"`
	Text string    `json:"text"`
	At   int64     `json:"at"` // Unix milliseconds, by the author's clock
	N    uint64    `json:"n"`
	Sig  []byte    `json:"sig"`
}

// told is a chat in a history. Time and place are of the member who tells it, and nobody signs them.
type told struct {
	chat
	Seen  int64  `json:"seen"`  // Unix milliseconds
	Place uint64 `json:"place"` // Lamport time
}

func validChat(e *envelope) bool { return e.Chat != nil && e.Chat.valid() }

func validHistory(e *envelope) bool {
	for i := range e.History {
		if !e.History[i].valid() {
			return false
		}
	}
	return len(e.History) <= maxChat && len(e.Authors) <= maxChat
}

func (c *chat) valid() bool {
	return c.ID != "" && len(c.ID) <= 32 && c.From.Valid() && c.N < signal.MaxNumber && len(c.Sig) == identity.SignatureBytes &&
		len(c.Name) <= maxNameBytes && utf8.RuneCountInString(c.Text) <= MaxText && cleanText(c.Text) != ""
}

// maxNameBytes is the longest name, in UTF-8.
const maxNameBytes = MaxName * maxCluster * utf8.UTFMax

// statement is what the author's signature covers.
func (c *chat) statement(room string) seal.Chat {
	return seal.Chat{Room: room, Author: c.From, ID: c.ID, Name: c.Name, Text: c.Text, At: c.At, N: c.N}
}

// maxClock is the latest Lamport time that is accepted. It leaves our own clock room to tick above it within the
// range of JSON's numbers.
const maxClock = signal.MaxNumber / 2

// size is the most that a message takes as JSON, in bytes, together with its author's keys.
func (c chat) size() int { return 6*len(c.Text) + 6*len(c.Name) + 6*len(c.ID) + 384 }

// chat is the message as its author signed it. One of ours is signed when it is sent.
func (m Message) chat() chat {
	if m.signed != nil {
		return *m.signed
	}
	return chat{ID: m.ID, From: m.From, Name: m.Name, Text: m.Text, At: m.At.UnixMilli(), N: m.N}
}

// historyPatience is how long a member may take to send the history before another is asked.
const historyPatience = 3 * time.Second

// historyInterval is the least time between two histories to the same member, so that one member's requests do not
// fill our outgoing queue.
const historyInterval = 30 * time.Second

// After a loss each of us says again, once and after repeatDelay, what we said within the last repeatSpan: the node that took
// it may have gone before everybody had it. By then those who come back at the same time are back, and whoever has it already
// ignores it. A message waits at a node for 30 s at most.
const (
	repeatDelay = 2 * time.Second
	repeatSpan  = time.Minute
)

// conversation is the chat, and how far we have got in fetching the history from before we came.
type conversation struct {
	messages []Message               // in order
	clock    uint64                  // Lamport time
	fullAt   map[signal.ID]time.Time // when an author's token bucket is full again
	overRate uint64                  // messages refused because their author sent too many
	asked    []signal.ID             // for the history, the current one last
	owed     map[signal.ID]int       // how many chats we still take from those we asked
	missing  []signal.ID             // whom to ask for what we could not read
	complete bool                    // the history has come, or there is nobody to ask
	handed   map[signal.ID]time.Time
	repeats  bool      // repeat is on its way
	lost     time.Time // when our last session was found lost; zero if none was
}

func (c conversation) next(ev event, p presence, now time.Time) (conversation, []effect) {
	switch ev := ev.(type) {
	case up:
		if !ev.resumed { // what was said in the meantime has to be asked for
			c.asked, c.owed, c.complete = nil, nil, false
		}
		if len(ev.members) == 0 && len(p.members) == 0 {
			c.complete = true
		}
		if !ev.resumed && p.ups > 1 {
			if now.Sub(c.lost) >= mendTime { // losses in a row are mended together
				c.lost = now
			}
			return c.repeatSoon()
		}
	case joined:
		if p.find(ev.id) >= 0 { // back after a loss
			return c.repeatSoon()
		}
	case repeat:
		return c.repeat(p, now)
	case parts: // they may be asked again when we meet again: so far they have not listened to us
		c.asked = slices.DeleteFunc(slices.Clone(c.asked), func(id signal.ID) bool { return id == ev.id })
		c.owed = maps.Clone(c.owed)
		delete(c.owed, ev.id)
	case left, expired:
		if ev, ok := ev.(left); ok && ev.back {
			return c.repeatSoon()
		}
		if n := len(c.asked); n > 0 && p.find(c.asked[n-1]) < 0 {
			return c.ask(p)
		}
	case unread:
		if _, asked := c.owed[ev.from]; !asked && !slices.Contains(c.missing, ev.from) {
			c.missing = append(slices.Clone(c.missing), ev.from)
			return c, []effect{after{repeatDelay, missed(ev)}}
		}
	case missed:
		c.missing = slices.DeleteFunc(slices.Clone(c.missing), func(id signal.ID) bool { return id == ev.from })
		if i := p.find(ev.from); i >= 0 && p.members[i].Present {
			return c.askOf(ev.from)
		}
	case greeted, meets:
		if len(c.asked) == 0 {
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
		return c.resend(ev.ID, p, now)
	case received:
		return c.receive(ev, p, now)
	}
	return c, nil
}

func (c conversation) receive(ev received, p presence, now time.Time) (conversation, []effect) {
	switch {
	case ev.env.T == kindCard:
		if len(c.asked) == 0 {
			return c.ask(p)
		}
	case ev.env.T == kindChat:
		return c.hear(ev.from, *ev.env.Chat, p, now), nil
	case ev.env.T == kindAsk:
		last, again := c.handed[ev.from]
		if !again || now.Sub(last) >= historyInterval {
			c.handed = maps.Clone(c.handed)
			if c.handed == nil {
				c.handed = make(map[signal.ID]time.Time)
			}
			c.handed[ev.from] = now
			return c, c.sendHistory(ev.from, p.me.Keys)
		}
	case ev.env.T == kindHistory && c.owes(ev.from):
		if slices.Contains(c.asked, ev.from) {
			c.complete = true
		}
		c.owed = maps.Clone(c.owed)
		c.owed[ev.from] -= len(ev.env.History) + int(ev.forged)
		return c.addHistory(ev, p, now), nil
	}
	return c, nil
}

// owes reports whether to take a history from a member: we have asked for it, and it has not sent one yet.
func (c conversation) owes(from signal.ID) bool { return c.owed[from] > 0 }

// hear adds a live message. Its author is its sender; only a history holds messages of others.
func (c conversation) hear(from signal.ID, x chat, p presence, now time.Time) conversation {
	if c.has(x.ID) {
		return c
	}
	var ok bool
	if c, ok = c.allow(from, now); !ok {
		c.overRate++
		return c
	}
	author := p.members[p.find(from)]
	x.From = from
	return c.add(Message{
		ID: x.ID, From: from, Name: author.Name, Text: cleanText(x.Text), At: now, heard: now, got: now,
		N: c.place(from, x.N, now), Status: Delivered, by: from, signed: &x, author: author.Keys,
	})
}

// addHistory adds a history, whose signatures have been checked. Its times are by the sender's clock, clamped to now.
func (c conversation) addHistory(ev received, p presence, now time.Time) conversation {
	names, keys := p.names(), map[signal.ID]identity.Public{}
	for _, m := range c.messages {
		if _, taken := names[skeleton(m.Name)]; !taken {
			names[skeleton(m.Name)] = m.From
		}
	}
	for _, author := range ev.env.Authors {
		keys[author.ID()] = author
	}
	var news []Message
	for _, x := range ev.env.History {
		if c.has(x.ID) || slices.ContainsFunc(news, func(m Message) bool { return m.ID == x.ID }) {
			continue
		}
		at := time.UnixMilli(x.Seen)
		if at.After(now) {
			at = now
		}
		name := distinct(CleanName(x.Name), x.From, names)
		names[skeleton(name)] = x.From
		news = append(news, Message{
			ID: x.ID, From: x.From, Name: name, Text: cleanText(x.Text), At: at, got: now, N: min(x.Place, maxClock),
			Mine: x.From == p.me.ID, Status: Delivered, by: ev.from, signed: &x.chat, author: keys[x.From],
		})
	}
	return c.add(news...)
}

func (c conversation) has(id string) bool {
	return slices.ContainsFunc(c.messages, func(m Message) bool { return m.ID == id })
}

// ask requests the history from the member who is here longest among those not asked yet.
func (c conversation) ask(p presence) (conversation, []effect) {
	if c.complete {
		return c, nil
	}
	for _, x := range p.members {
		if x.Present && !slices.Contains(c.asked, x.ID) {
			c.asked = append(slices.Clone(c.asked), x.ID)
			c, effects := c.askOf(x.ID)
			return c, append(effects, after{historyPatience, overdue{x.ID}})
		}
	}
	return c, nil
}

func (c conversation) askOf(id signal.ID) (conversation, []effect) {
	c.owed = maps.Clone(c.owed)
	if c.owed == nil {
		c.owed = make(map[signal.ID]int)
	}
	c.owed[id] = maxChat
	return c, []effect{send{to: id, env: envelope{T: kindAsk}}}
}

func (c conversation) repeatSoon() (conversation, []effect) {
	if c.repeats {
		return c, nil
	}
	c.repeats = true
	return c, []effect{after{repeatDelay, repeat{}}}
}

// repeat sends what we said lately to everyone once more.
func (c conversation) repeat(p presence, now time.Time) (conversation, []effect) {
	c.repeats = false
	var effects []effect
	for _, m := range c.messages {
		if m.From == p.me.ID && m.Status == Delivered && now.Sub(m.At) < repeatSpan {
			x := m.chat()
			effects = append(effects, send{env: envelope{T: kindChat, Chat: &x}})
		}
	}
	return c, effects
}

// sendHistory sends the history to a newcomer, in parts that fit a sealed body, each with the keys of its authors.
func (c conversation) sendHistory(to signal.ID, ours identity.Public) []effect {
	var effects []effect
	var part envelope
	size := 0
	flush := func() {
		part.T = kindHistory
		effects = append(effects, send{to: to, env: part})
		part, size = envelope{}, 0
	}
	for _, m := range c.handedOn() {
		x := told{m.chat(), m.At.UnixMilli(), m.N}
		if size+x.size() > historyRun && len(part.History) > 0 {
			flush()
		}
		author := m.author
		if x.Sig == nil {
			author = ours
		}
		if !slices.Contains(part.Authors, author) {
			part.Authors = append(part.Authors, author)
		}
		part.History = append(part.History, x)
		size += x.size()
	}
	flush() // an empty history is sent too: it ends the newcomer's wait
	return effects
}

// handedOn is the messages for a newcomer, as many as fit into historyMax. One of ours that is still on its way is among
// them: it was sealed before the newcomer had the key to it.
func (c conversation) handedOn() []Message {
	said := slices.DeleteFunc(slices.Clone(c.messages), func(m Message) bool { return m.Status == Failed })
	author := func(m Message) signal.ID { return m.From }
	return fair(said, maxChat, historyMax, author, func(m Message) int { return m.chat().size() })
}

// add inserts the messages that are new to us in order, and drops those above the limits.
func (c conversation) add(news ...Message) conversation {
	c.messages = append(slices.Clone(c.messages), news...)
	for _, m := range news {
		c.clock = max(c.clock, m.N)
	}
	slices.SortStableFunc(c.messages, func(a, b Message) int {
		return cmp.Or(cmp.Compare(a.N, b.N), cmp.Compare(a.ID, b.ID))
	})
	sender := func(m Message) signal.ID { return m.by }
	c.messages = fair(c.messages, maxChat, maxKept, sender, func(m Message) int { return len(m.Text) })
	return c
}

func (c conversation) say(ev Say, p presence, now time.Time) (conversation, []effect) {
	text := cleanText(ev.Text)
	if text == "" || c.has(ev.ID) {
		return c, nil
	}
	m := Message{
		ID: ev.ID, From: p.me.ID, Name: p.me.Name, Text: text, At: now, heard: now, got: now,
		N: c.clock + 1, Mine: true, Status: Failed, by: p.me.ID,
	}
	return c.add(m).resend(m.ID, p, now)
}

// resend sends a message of ours that has failed, unless the others would refuse it because we have sent too many.
func (c conversation) resend(id string, p presence, now time.Time) (conversation, []effect) {
	i := slices.IndexFunc(c.messages, func(m Message) bool { return m.ID == id && m.Status == Failed })
	if i < 0 {
		return c, nil
	}
	var ok bool
	if c, ok = c.allow(p.me.ID, now); !ok {
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
