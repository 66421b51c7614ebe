package room

import (
	"encoding/json"
	"errors"
)

// Limits of what members send to each other. Longer texts are refused when they come from others and cut when they
// are our own.
const (
	MaxName    = 64   // grapheme clusters
	MaxText    = 4000 // code points of one chat message
	maxChat    = 500  // messages kept and handed on
	maxPayload = 60 << 10
	historyRun = 32 << 10 // bytes of one part of the history, so that it fits a body
	historyMax = 1 << 20  // bytes handed on to one newcomer
)

// envelope is the plaintext of a sealed body; PROTOCOL.md, "Between members", describes it.
type envelope struct {
	T       string          `json:"t"`
	Card    *card           `json:"card,omitempty"`    // hello, card
	Chat    *chat           `json:"chat,omitempty"`    // chat
	History []chat          `json:"history,omitempty"` // history
	Call    json.RawMessage `json:"call,omitempty"`    // call
}

// kindCall is to one member: a payload of package call, which the room does not read.
const kindCall = "call"

// kinds has every kind of envelope and its check. A check may clean what it reads.
var kinds = map[string]func(*envelope) bool{
	kindHello:   validCard,
	kindCard:    validCard,
	kindChat:    validChat,
	kindHistory: validHistory,
	kindAsk:     func(*envelope) bool { return true },
	kindCall:    func(e *envelope) bool { return len(e.Call) > 0 },
}

// errEnvelope says that a member sent a message that is not of the protocol. It never quotes the message.
var errEnvelope = errors.New("message from a member makes no sense")

func parseEnvelope(plain []byte) (envelope, error) {
	var e envelope
	if len(plain) > maxPayload || json.Unmarshal(plain, &e) != nil {
		return envelope{}, errEnvelope
	}
	if valid, known := kinds[e.T]; !known || !valid(&e) {
		return envelope{}, errEnvelope
	}
	return e, nil
}

func (e envelope) encode() []byte {
	b, err := json.Marshal(e)
	if err != nil {
		panic("room: encode envelope: a call payload is not JSON")
	}
	return b
}
