package room

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"parley/signal"
)

// Limits of what members say to each other. What is longer is refused when it comes from
// others and cut when it is our own.
const (
	MaxName    = 64   // characters
	MaxText    = 4000 // characters of one chat message
	maxChat    = 500  // messages kept and handed on
	maxPayload = 60 << 10
	historyRun = 32 << 10 // bytes of one part of the history, so that it fits a body
	historyMax = 1 << 20  // bytes handed on to one newcomer, newest first
)

// envelope is the plaintext of a sealed body; PROTOCOL.md, "Between members", describes it.
type envelope struct {
	T       string          `json:"t"`
	Card    *card           `json:"card,omitempty"`    // hello, card
	Chat    *chat           `json:"chat,omitempty"`    // chat
	History []chat          `json:"history,omitempty"` // history
	Call    json.RawMessage `json:"call,omitempty"`    // call
}

// The kinds of envelope.
const (
	kindHello   = "hello"    // to one: who I am, bound to the receiver's fresh id
	kindCard    = "card"     // to all: what changed about me
	kindChat    = "chat"     // to all
	kindAsk     = "history?" // to one: what was said before I came?
	kindHistory = "history"  // to one: that
	kindCall    = "call"     // to one: opaque, for package call
)

// card is how a member presents itself.
type card struct {
	Name    string `json:"name"`
	Present bool   `json:"present"`
	Mic     bool   `json:"mic"`
	Camera  bool   `json:"camera"`
	Screen  bool   `json:"screen"`
}

// chat is one message as it travels.
type chat struct {
	ID   string    `json:"id"`
	From signal.ID `json:"from"`
	Name string    `json:"name"`
	Text string    `json:"text"`
	At   int64     `json:"at"` // Unix milliseconds
	N    uint64    `json:"n"`
}

// errEnvelope says that a member sent what no Parley sends. It never quotes it.
var errEnvelope = errors.New("message from a member makes no sense")

func parseEnvelope(plain []byte) (envelope, error) {
	var e envelope
	if len(plain) > maxPayload || json.Unmarshal(plain, &e) != nil {
		return e, errEnvelope
	}
	ok := true
	switch e.T {
	case kindHello, kindCard:
		if ok = e.Card != nil; ok {
			e.Card.Name = CleanName(e.Card.Name)
		}
	case kindChat:
		ok = e.Chat != nil && e.Chat.valid()
	case kindHistory:
		ok = len(e.History) <= maxChat
		for i := range e.History {
			ok = ok && e.History[i].valid()
		}
	case kindCall:
		ok = len(e.Call) > 0
	case kindAsk:
	default:
		ok = false
	}
	if !ok {
		return envelope{}, errEnvelope
	}
	return e, nil
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

func (e envelope) encode() []byte {
	b, err := json.Marshal(e)
	if err != nil {
		panic("room: encode envelope: a call payload is not JSON")
	}
	return b
}

func (c chat) message(me signal.ID) Message {
	return Message{
		ID: c.ID, From: c.From, Name: c.Name, Text: c.Text, At: time.UnixMilli(c.At), N: c.N,
		Mine: c.From == me, Status: Delivered,
	}
}

func (m Message) chat() chat {
	return chat{ID: m.ID, From: m.From, Name: m.Name, Text: m.Text, At: m.At.UnixMilli(), N: m.N}
}

// CleanName makes a name fit to show: one line, no control characters, at most MaxName
// characters.
func CleanName(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
	}), " ")
	if r := []rune(s); len(r) > MaxName {
		s = strings.TrimSpace(string(r[:MaxName]))
	}
	return s
}

// cleanText keeps a message's lines and drops what cannot be shown.
func cleanText(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, s))
	if r := []rune(s); len(r) > MaxText {
		s = string(r[:MaxText])
	}
	return s
}
