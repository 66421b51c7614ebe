package signal

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// wire is the JSON of every frame; which fields a type has is in PROTOCOL.md. Zero values are
// left out. t and n come first: the service relies on it to number one encoding for many.
type wire struct {
	T       string      `json:"t"`
	N       uint64      `json:"n,omitempty"`
	V       int         `json:"v,omitempty"`
	Room    string      `json:"room,omitempty"`
	ID      ID          `json:"id,omitempty"`
	Admit   []byte      `json:"admit,omitempty"`
	Sign    []byte      `json:"sign,omitempty"`
	DH      []byte      `json:"dh,omitempty"`
	Knows   []byte      `json:"knows,omitempty"`
	Owns    []byte      `json:"owns,omitempty"`
	Nonce   []byte      `json:"nonce,omitempty"`
	Session string      `json:"session,omitempty"`
	Resumed bool        `json:"resumed,omitempty"`
	Back    bool        `json:"back,omitempty"`
	Last    uint64      `json:"last,omitempty"`
	Members []ID        `json:"members,omitempty"`
	From    ID          `json:"from,omitempty"`
	To      ID          `json:"to,omitempty"`
	Seq     uint64      `json:"seq,omitempty"`
	Body    []byte      `json:"body,omitempty"`
	Code    ErrorCode   `json:"code,omitempty"`
	Text    string      `json:"text,omitempty"`
	ICE     []ICEServer `json:"ice,omitempty"`
}

func (f Join) wire() wire {
	return wire{
		T: "join", N: f.Try, V: f.Version, Room: f.Room, ID: f.ID, Session: f.Session, Last: f.Last,
		Admit: f.Admit, Sign: f.Sign, DH: f.DH, Knows: f.Knows, Owns: f.Owns,
	}
}
func (f Challenge) wire() wire { return wire{T: "challenge", V: f.Version, Nonce: f.Nonce} }

func (f Welcome) wire() wire {
	return wire{T: "welcome", V: f.Version, Session: f.Session, Resumed: f.Resumed, Last: f.Last, Members: f.Members, ICE: f.ICE}
}
func (f Joined) wire() wire { return wire{T: "joined", N: f.N, ID: f.ID} }
func (f Left) wire() wire   { return wire{T: "left", N: f.N, ID: f.ID, Back: f.Back} }
func (f Send) wire() wire   { return wire{T: "send", N: f.N, To: f.To, Seq: f.Seq, Body: f.Body} }
func (f Message) wire() wire {
	return wire{T: "message", N: f.N, From: f.From, To: f.To, Seq: f.Seq, Body: f.Body}
}
func (f Ack) wire() wire   { return wire{T: "ack", N: f.N} }
func (f Ping) wire() wire  { return wire{T: "ping", ICE: f.ICE} }
func (f Pong) wire() wire  { return wire{T: "pong"} }
func (f Leave) wire() wire { return wire{T: "leave"} }
func (f Error) wire() wire { return wire{T: "error", Code: f.Code, Text: f.Text} }

// Encode writes a frame as the text of one WebSocket message.
func Encode(f Frame) []byte { return Append(nil, f) }

// Append appends the text of a frame to b.
func Append(b []byte, f Frame) []byte {
	b, ok := appendFast(b, f)
	if ok {
		return b
	}
	text, err := json.Marshal(f.wire())
	if err != nil {
		panic(fmt.Sprintf("encode a frame: %v", err)) // wire has no value that JSON cannot write
	}
	return append(b, text...)
}

// Decode reads the text of one WebSocket message. Fields that it does not know are ignored, so
// that later versions can add some; everything else that is not as PROTOCOL.md says is refused
// with ErrTooLarge, ErrInvalid or ErrType. The errors carry nothing of the text.
func Decode(text []byte) (Frame, error) {
	if len(text) > MaxFrame {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(text))
	}
	if f, ok := decodeFast(text); ok {
		return checked(f, f.wire())
	}
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%w: not UTF-8", ErrInvalid)
	}
	var w wire
	if err := json.Unmarshal(text, &w); err != nil { // not wrapped: it may quote the text
		return nil, fmt.Errorf("%w: not the JSON of a frame", ErrInvalid)
	}
	f, err := w.frame()
	if err != nil {
		return nil, err
	}
	return checked(f, w)
}

// checked refuses a frame that breaks the limits of its kind.
func checked(f Frame, w wire) (Frame, error) {
	if field := w.broken(f); field != "" {
		return nil, fmt.Errorf("%w: field %q of a %s", ErrInvalid, field, w.T)
	}
	return f, nil
}

func (w wire) frame() (Frame, error) {
	switch w.T {
	case "join":
		return Join{
			Try: w.N, Version: w.V, Room: w.Room, ID: w.ID, Session: w.Session, Last: w.Last,
			Admit: w.Admit, Sign: w.Sign, DH: w.DH, Knows: w.Knows, Owns: w.Owns,
		}, nil
	case "challenge":
		return Challenge{Version: w.V, Nonce: w.Nonce}, nil
	case "welcome":
		return Welcome{Version: w.V, Session: w.Session, Resumed: w.Resumed, Last: w.Last, Members: w.Members, ICE: w.ICE}, nil
	case "joined":
		return Joined{N: w.N, ID: w.ID}, nil
	case "left":
		return Left{N: w.N, ID: w.ID, Back: w.Back}, nil
	case "send":
		return Send{N: w.N, To: w.To, Seq: w.Seq, Body: w.Body}, nil
	case "message":
		return Message{N: w.N, From: w.From, To: w.To, Seq: w.Seq, Body: w.Body}, nil
	case "ack":
		return Ack{N: w.N}, nil
	case "ping":
		return Ping{ICE: w.ICE}, nil
	case "pong":
		return Pong{}, nil
	case "leave":
		return Leave{}, nil
	case "error":
		return Error{Code: w.Code, Text: w.Text}, nil
	}
	return nil, ErrType
}

// broken names the first field that breaks the limits of its frame, or is empty.
func (w wire) broken(f Frame) string {
	switch f := f.(type) {
	case Join:
		return w.brokenJoin(f)
	case Welcome:
		switch {
		case f.Version < 1:
			return "v"
		case f.Version != Version:
			return "" // the rest may look different there
		case !isText(f.Session, sessionBytes):
			return "session"
		case f.Last > MaxNumber:
			return "last"
		case len(f.Members) > MaxMembers:
			return "members"
		case brokenICE(f.ICE):
			return "ice"
		}
		for _, id := range f.Members {
			if !id.Valid() {
				return "members"
			}
		}
	case Challenge:
		switch {
		case f.Version < 1:
			return "v"
		case f.Version == Version && len(f.Nonce) != NonceBytes:
			return "nonce"
		}
	case Ping:
		if brokenICE(f.ICE) {
			return "ice"
		}
	case Joined, Left:
		if !w.ID.Valid() {
			return "id"
		}
		return brokenNumber("n", w.N)
	case Send:
		return w.brokenBody()
	case Message:
		if !f.From.Valid() {
			return "from"
		}
		return w.brokenBody()
	case Ack:
		return brokenNumber("n", f.N)
	case Error:
		if f.Code == "" || len(f.Code) > 32 {
			return "code"
		}
		if len(f.Text) > MaxText {
			return "text"
		}
	}
	return ""
}

func (w wire) brokenJoin(f Join) string {
	switch {
	case f.Version < 1:
		return "v"
	case f.Version != Version:
		return "" // the rest may look different there
	case !ValidRoom(f.Room):
		return "room"
	case !f.ID.Valid():
		return "id"
	case len(f.Admit) != publicBytes:
		return "admit"
	case len(f.Sign) != publicBytes:
		return "sign"
	case len(f.DH) != publicBytes:
		return "dh"
	case len(f.Knows) != signatureBytes:
		return "knows"
	case len(f.Owns) != signatureBytes:
		return "owns"
	case f.Session != "" && !isText(f.Session, sessionBytes):
		return "session"
	case f.Last > MaxNumber:
		return "last"
	}
	return brokenNumber("n", f.Try)
}

func (w wire) brokenBody() string {
	switch {
	case w.To != "" && !w.To.Valid():
		return "to"
	case len(w.Body) == 0 || len(w.Body) > MaxBody:
		return "body"
	}
	if field := brokenNumber("n", w.N); field != "" {
		return field
	}
	return brokenNumber("seq", w.Seq)
}

func brokenNumber(field string, n uint64) string {
	if n < 1 || n > MaxNumber {
		return field
	}
	return ""
}

// NewSession draws the name of a session.
func NewSession() string { return randomText(sessionBytes) }
