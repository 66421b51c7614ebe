package room

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"parley/signal"
)

// event is something that happened: on the connection, at another member, or here.
//
//	source            events
//	the connection    up, down, joined, left, sent
//	another member    received, refused
//	the user          Enter, SetName, SetMarks, Say, Resend, leave, sendCall
//	the clock         overdue, expired
//	Run               over
type event interface{}

type (
	// up: connected; the others in the room, longest here first. If not resumed, they may
	// have forgotten us.
	up struct {
		members []signal.ID
		resumed bool
	}
	down     struct{ err error }
	joined   struct{ id signal.ID }
	left     struct{ id signal.ID }
	sent     struct{ chat string } // the service has our message
	unsent   struct{ chat string } // it could not be sent
	received struct {
		from signal.ID
		all  bool // addressed to everyone
		env  envelope
	}
	overdue  struct{ asked signal.ID } // the history that we asked for has not come
	refused  struct{}                  // a message was not what its seal or its form promise
	expired  struct{ up int }          // who has not come back since that connection is gone
	over     struct{ err error }       // the connection is gone for good
	leave    struct{}
	sendCall struct {
		to      signal.ID
		payload []byte
	}
)

// Commands of the user. They are events too.
type (
	// Enter goes from the lobby into the meeting: from now on the others see us.
	Enter struct{}
	// SetName changes our name.
	SetName struct{ Name string }
	// SetMarks tells the others what we send.
	SetMarks struct{ Mic, Camera, Screen bool }
	// Say sends a chat message to everyone.
	Say struct {
		ID   string // random
		Text string
	}
	// Resend tries a message that Failed again.
	Resend struct{ ID string }
)

// effect is something to do.
type effect interface{}

type (
	send struct {
		to   signal.ID // empty: everyone
		env  envelope
		chat string // the message whose delivery this decides
	}
	deliver struct {
		from    signal.ID
		payload []byte
	}
	after struct { // an event after a while
		wait time.Duration
		ev   event
	}
	hangUp struct{} // flush what was sent, say goodbye, close
)

// historyPatience is how long a member may take to hand the history on before another is
// asked.
const historyPatience = 3 * time.Second

// handInterval is how long a member waits for the history a second time, so that asking for
// it over and over does not fill our line.
const handInterval = 30 * time.Second

// returnPatience is how long members are kept that a restarted service does not name yet:
// they are on their way back, and their pictures and sound still flow.
const returnPatience = 20 * time.Second

// model is State and what nobody else needs to know.
type model struct {
	State
	here    []signal.ID // everyone the service names, greeted or not, longest here first
	earlier []signal.ID // those of them that were here before us
	ups     int         // counts connections
	clock   uint64      // Lamport time
	asked   []signal.ID // for the history, the current one last
	history bool        // has come, or there is nobody to ask
	handed  map[signal.ID]time.Time
}

// next is all the logic of a room: what an event changes and what is to be done about it.
func next(m model, ev event, now time.Time) (model, []effect) {
	switch ev := ev.(type) {
	case up:
		return m.connected(ev)
	case down:
		m.Link, m.Err = Reconnecting, ev.err
	case joined:
		if slices.Contains(m.here, ev.id) {
			return m, nil
		}
		m.here = append(slices.Clone(m.here), ev.id)
		return m, []effect{m.hello(ev.id)}
	case left:
		return m.without(ev.id)
	case received:
		return m.receive(ev, now)
	case refused:
		m.Refused++
	case overdue:
		if len(m.asked) > 0 && m.asked[len(m.asked)-1] == ev.asked {
			return m.askHistory()
		}
	case expired:
		if ev.up == m.ups {
			return m.expire()
		}
	case over:
		return m.over(ev)
	case leave:
		return m, []effect{hangUp{}}
	case sendCall:
		return m, []effect{send{to: ev.to, env: envelope{T: kindCall, Call: json.RawMessage(ev.payload)}}}
	case sent:
		m.Chat = withStatus(m.Chat, ev.chat, Delivered)
	case unsent:
		m.Chat = withStatus(m.Chat, ev.chat, Failed)
	case Enter:
		me := m.Me
		if !me.Present {
			me.Present, me.Since = true, now
		}
		return m.present(me)
	case SetName:
		me := m.Me
		me.Name = CleanName(ev.Name)
		return m.present(me)
	case SetMarks:
		me := m.Me
		me.Mic, me.Camera, me.Screen = ev.Mic, ev.Camera, ev.Screen
		return m.present(me)
	case Say:
		return m.say(ev, now)
	case Resend:
		i := slices.IndexFunc(m.Chat, func(c Message) bool { return c.ID == ev.ID && c.Status == Failed })
		if i >= 0 {
			m.Chat = withStatus(m.Chat, ev.ID, Sending)
			return m, []effect{sendChat(m.Chat[i])}
		}
	}
	return m, nil
}

// connected takes the list of who is here as the truth. Who is missing from it after a
// restart of the service gets some time to come back.
func (m model) connected(ev up) (model, []effect) {
	var effects []effect
	m.Link, m.Err = Connected, nil
	for _, id := range ev.members {
		if !ev.resumed || !slices.Contains(m.here, id) {
			effects = append(effects, m.hello(id))
		}
	}
	m.here = slices.Clone(ev.members)
	m.ups++
	if !ev.resumed {
		// What was said in the meantime has to be asked for.
		m.earlier, m.asked, m.history = m.here, nil, false
	}
	if len(ev.members) == 0 && len(m.Members) == 0 {
		m.history = true
	}
	if len(m.Members) > 0 {
		effects = append(effects, after{returnPatience, expired{m.ups}})
	}
	return m, effects
}

// over closes the room: what was not delivered will not be.
func (m model) over(ev over) (model, []effect) {
	m.Link, m.Err = Closed, ev.err
	for _, c := range m.Chat {
		if c.Status == Sending {
			m.Chat = withStatus(m.Chat, c.ID, Failed)
		}
	}
	return m, nil
}

// expire drops the members that the service no longer names.
func (m model) expire() (model, []effect) {
	if m.Link != Connected {
		return m, nil // the next connection brings a new list and a new deadline
	}
	var effects []effect
	for _, x := range m.Members {
		if !slices.Contains(m.here, x.ID) {
			var e []effect
			m, e = m.without(x.ID)
			effects = append(effects, e...)
		}
	}
	return m, effects
}

func (m model) without(id signal.ID) (model, []effect) {
	m.here = slices.DeleteFunc(slices.Clone(m.here), func(x signal.ID) bool { return x == id })
	// Who comes back under the same id is then later than us.
	m.earlier = slices.DeleteFunc(slices.Clone(m.earlier), func(x signal.ID) bool { return x == id })
	m.Members = slices.DeleteFunc(slices.Clone(m.Members), func(x Member) bool { return x.ID == id })
	if !m.history && len(m.asked) > 0 && m.asked[len(m.asked)-1] == id {
		return m.askHistory()
	}
	return m, nil
}

// present changes how we present ourselves and tells everyone, if it is news.
func (m model) present(me Member) (model, []effect) {
	if me == m.Me {
		return m, nil
	}
	m.Me = me
	return m, []effect{send{env: envelope{T: kindCard, Card: m.card()}}}
}

func (m model) card() *card {
	return &card{Name: m.Me.Name, Present: m.Me.Present, Mic: m.Me.Mic, Camera: m.Me.Camera, Screen: m.Me.Screen}
}

func (m model) hello(to signal.ID) effect {
	return send{to: to, env: envelope{T: kindHello, Card: m.card()}}
}

func (m model) receive(ev received, now time.Time) (model, []effect) {
	i := slices.IndexFunc(m.Members, func(x Member) bool { return x.ID == ev.from })
	// A member exists once it has greeted us: that message is bound to our own fresh id, so
	// it cannot be a recording of an earlier meeting. Nothing before it counts.
	if i < 0 && (ev.env.T != kindHello || ev.all || !slices.Contains(m.here, ev.from)) {
		return m, nil
	}
	switch ev.env.T {
	case kindHello, kindCard:
		return m.meet(ev, i, now)
	case kindChat:
		if ev.all { // what only some are told is no chat
			c := *ev.env.Chat
			c.From, c.Name = ev.from, m.Members[i].Name // nobody speaks for others, but in a history
			m = m.remember([]chat{c})
		}
	case kindAsk:
		last, again := m.handed[ev.from]
		if !ev.all && (!again || now.Sub(last) >= handInterval) {
			m.handed = maps.Clone(m.handed)
			if m.handed == nil {
				m.handed = make(map[signal.ID]time.Time)
			}
			m.handed[ev.from] = now
			return m, m.handOn(ev.from)
		}
	case kindHistory:
		// Only whom we have asked may tell us what was said.
		if !ev.all && slices.Contains(m.asked, ev.from) {
			m.history = true
			m = m.remember(ev.env.History)
		}
	case kindCall:
		if !ev.all {
			return m, []effect{deliver{ev.from, ev.env.Call}}
		}
	}
	return m, nil
}

// meet takes in how a member presents itself; i is its place or -1.
func (m model) meet(ev received, i int, now time.Time) (model, []effect) {
	c := ev.env.Card
	x := Member{ID: ev.from, Name: c.Name, Present: c.Present, Mic: c.Mic, Camera: c.Camera, Screen: c.Screen}
	x.Earlier = slices.Contains(m.earlier, x.ID)
	m.Members = slices.Clone(m.Members)
	if i >= 0 {
		x.Since = m.Members[i].Since
	}
	if x.Present && x.Since.IsZero() {
		x.Since = now
	}
	if i >= 0 {
		m.Members[i] = x
	} else {
		m.Members = append(m.Members, x)
		slices.SortStableFunc(m.Members, func(a, b Member) int {
			return cmp.Compare(slices.Index(m.here, a.ID), slices.Index(m.here, b.ID))
		})
	}
	if !m.history && len(m.asked) == 0 && x.Present {
		return m.askHistory()
	}
	return m, nil
}

// askHistory asks the member longest here that was not asked yet.
func (m model) askHistory() (model, []effect) {
	if m.history {
		return m, nil
	}
	for _, x := range m.Members {
		if x.Present && !slices.Contains(m.asked, x.ID) {
			m.asked = append(slices.Clone(m.asked), x.ID)
			return m, []effect{send{to: x.ID, env: envelope{T: kindAsk}}, after{historyPatience, overdue{x.ID}}}
		}
	}
	return m, nil
}

// handOn tells a newcomer what was said, in parts that fit a sealed body.
func (m model) handOn(to signal.ID) []effect {
	var effects []effect
	var part []chat
	size := 0
	flush := func() {
		effects = append(effects, send{to: to, env: envelope{T: kindHistory, History: part}})
		part, size = nil, 0
	}
	for _, c := range m.said() {
		if size+c.size() > historyRun && len(part) > 0 {
			flush()
		}
		part = append(part, c)
		size += c.size()
	}
	flush() // an empty one too: it says that there is nothing
	return effects
}

// said is what everyone has been told, as much of the newest as fits historyMax.
func (m model) said() []chat {
	var all []chat
	total := 0
	for _, x := range slices.Backward(m.Chat) {
		if x.Status != Delivered {
			continue
		}
		c := x.chat()
		if total += c.size(); total > historyMax {
			break
		}
		all = append(all, c)
	}
	slices.Reverse(all)
	return all
}

// remember adds messages that are new to us, in the order that is the same for everyone.
func (m model) remember(news []chat) model {
	m.Chat = slices.Clone(m.Chat)
	for _, c := range news {
		m.clock = max(m.clock, c.N)
		if !slices.ContainsFunc(m.Chat, func(x Message) bool { return x.ID == c.ID }) {
			m.Chat = append(m.Chat, c.message(m.Me.ID))
		}
	}
	slices.SortStableFunc(m.Chat, func(a, b Message) int {
		return cmp.Or(cmp.Compare(a.N, b.N), a.At.Compare(b.At), cmp.Compare(a.ID, b.ID))
	})
	if over := len(m.Chat) - maxChat; over > 0 {
		m.Chat = m.Chat[over:]
	}
	return m
}

func (m model) say(ev Say, now time.Time) (model, []effect) {
	text := cleanText(ev.Text)
	if text == "" {
		return m, nil
	}
	m.clock = min(m.clock+1, maxClock)
	c := chat{ID: ev.ID, From: m.Me.ID, Name: m.Me.Name, Text: text, At: now.UnixMilli(), N: m.clock}
	m = m.remember([]chat{c})
	m.Chat = withStatus(m.Chat, c.ID, Sending)
	return m, []effect{send{env: envelope{T: kindChat, Chat: &c}, chat: c.ID}}
}

func sendChat(x Message) effect {
	c := x.chat()
	return send{env: envelope{T: kindChat, Chat: &c}, chat: c.ID}
}

func withStatus(list []Message, id string, s Delivery) []Message {
	i := slices.IndexFunc(list, func(c Message) bool { return c.ID == id })
	if i < 0 {
		return list
	}
	list = slices.Clone(list)
	list[i].Status = s
	return list
}
