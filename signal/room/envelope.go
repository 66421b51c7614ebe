package room

import (
	"encoding/json"
	"errors"
	"slices"

	"parley/signal/identity"
	"parley/signal/seal"
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
	T       string            `json:"t"`
	Present bool              `json:"present,omitempty"` // hello
	Card    *card             `json:"card,omitempty"`    // card, knock
	Chat    *chat             `json:"chat,omitempty"`    // chat
	History []told            `json:"history,omitempty"` // history
	Authors []identity.Public `json:"authors,omitempty"` // history: whose keys its signatures are checked with
	Phrase  *part             `json:"phrase,omitempty"`  // phrase
	Call    json.RawMessage   `json:"call,omitempty"`    // call
	Roster  []byte            `json:"roster,omitempty"`  // roster, hello: package roster reads it
	Order   string            `json:"order,omitempty"`   // order
}

// kindCall is to one member: a payload of package call, which the room does not read.
const kindCall = "call"

// kinds has every kind of envelope, the seals that it comes under, and its check. A check may clean what it reads. The
// code's seal, which whoever knows the code can make and open, is for the hello alone.
var kinds = map[string]struct {
	seals []seal.Kind
	valid func(*envelope) bool
}{
	kindHello:   {[]seal.Kind{seal.Hello}, anything},
	kindCard:    {[]seal.Kind{seal.One, seal.All}, validCard},
	kindChat:    {[]seal.Kind{seal.All}, validChat}, // a message to only some members is not chat
	kindHistory: {[]seal.Kind{seal.One}, validHistory},
	kindAsk:     {[]seal.Kind{seal.One}, anything},
	kindPhrase:  {[]seal.Kind{seal.One, seal.All}, validPart},
	kindCall:    {[]seal.Kind{seal.One}, func(e *envelope) bool { return len(e.Call) > 0 }},
	kindRoster:  {[]seal.Kind{seal.One}, anything},
	kindKnock:   {[]seal.Kind{seal.One}, validCard},
	kindOrder:   {[]seal.Kind{seal.One}, validOrder},
}

func anything(*envelope) bool { return true }

// errEnvelope says that a member sent a message that is not of the protocol. It never quotes the message.
var errEnvelope = errors.New("message from a member makes no sense")

func parseEnvelope(under seal.Kind, plain []byte) (envelope, error) {
	var e envelope
	if len(plain) > maxPayload || json.Unmarshal(plain, &e) != nil {
		return envelope{}, errEnvelope
	}
	if kind, known := kinds[e.T]; !known || !slices.Contains(kind.seals, under) || !kind.valid(&e) {
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
