package signal

import (
	"errors"
	"time"
)

// Version is the version of the protocol between client and rendezvous.
const Version = 1

// Subprotocol is the WebSocket subprotocol that both sides have to name. It stays the same in all versions:
// a server can then refuse another version with an Error.
const Subprotocol = "parley"

// Limits of the protocol; PROTOCOL.md lists them too.
const (
	// MaxBody is the largest sealed body that the service relays, in bytes.
	MaxBody = 64 << 10
	// MaxFrame is the longest WebSocket message, in bytes: a body of MaxBody in base64, and room
	// for the rest.
	MaxFrame = 96 << 10
	// MaxMembers is the most members a room takes.
	MaxMembers = 50
	// MaxNumber is the greatest n and seq: what a JavaScript number holds exactly.
	MaxNumber = 1<<53 - 1
	// MaxText is the longest text of an error, in bytes.
	MaxText = 256

	tokenBytes   = 24
	sessionBytes = 12
)

// Times of the protocol.
const (
	// Heartbeat is how often each side sends a ping.
	Heartbeat = 5 * time.Second
	// Silence is how long either side waits for a frame before it considers the connection lost: two heartbeats
	// and some slack.
	Silence = 12 * time.Second
	// ResumeWindow is how long a member without a socket stays a member.
	ResumeWindow = 30 * time.Second
)

// Errors of Decode.
var (
	ErrTooLarge = errors.New("frame is longer than the protocol allows")
	ErrInvalid  = errors.New("frame does not follow the protocol")
	ErrType     = errors.New("frame is of an unknown type")
)

// Frame is one message of the protocol between a client and the rendezvous. Its kinds are the
// structs of this file.
type Frame interface{ wire() wire }

// Join is a client's first frame: who it is and where it wants to be.
type Join struct {
	Try     uint64 // counts the client's connections from 1; one that arrives late does not replace a newer one
	Version int    // of the protocol; the other fields are read only if it is ours
	Room    string // as Derive names it
	ID      ID
	Token   string // drawn by the client once per membership; proves that a membership is its own
	Session string // of the last Welcome, to resume it; empty at first
	Last    uint64 // the last n received in that session
}

// Welcome answers a Join that is accepted.
type Welcome struct {
	Version int
	Session string
	Resumed bool   // whether this is the session the client asked for
	Last    uint64 // the last n of the client that the service has; 0 in a new session
	Members []ID   // the others, in order of arrival, as they were after the client's Last
	ICE     []ICEServer
}

// Joined tells that a member has come.
type Joined struct {
	N  uint64
	ID ID
}

// Left tells that a member has gone.
type Left struct {
	N    uint64
	ID   ID
	Back bool // in a new session already: Joined follows, and what was under way may be lost
}

// Send asks the service to relay a sealed body.
type Send struct {
	N    uint64 // counts the client's sends of this session from 1
	To   ID     // empty: everyone
	Seq  uint64 // the sender's, bound by the seal
	Body []byte
}

// Message is a relayed body.
type Message struct {
	N    uint64 // counts what the service sends in this session, Joined and Left too, from 1
	From ID
	To   ID // empty: everyone
	Seq  uint64
	Body []byte
}

// Ack says that everything up to and including N has arrived.
type Ack struct{ N uint64 }

// Ping asks for a Pong. The service's may renew the ICE servers of the Welcome.
type Ping struct{ ICE []ICEServer }

// Pong answers a Ping.
type Pong struct{}

// Leave ends the membership at once.
type Leave struct{}

// Error says why the service closes the connection. It implements Go's error.
type Error struct {
	Code ErrorCode
	Text string // for people, one line
}

// Error implements error.
func (e Error) Error() string { return string(e.Code) + ": " + e.Text }

// ErrorCode is the part of an Error that programs read.
type ErrorCode string

// The codes. A client treats a code that it does not know as CodeUnavailable.
const (
	CodeVersion     ErrorCode = "version"     // we speak no common version
	CodeBadMessage  ErrorCode = "bad-message" // a frame broke the protocol
	CodeTaken       ErrorCode = "taken"       // another member has this ID
	CodeFull        ErrorCode = "full"        // the room has MaxMembers
	CodeReplaced    ErrorCode = "replaced"    // the membership goes on over another socket
	CodeOverflow    ErrorCode = "overflow"    // the member's queue was full
	CodeGoingAway   ErrorCode = "going-away"  // the service stops: connect again at once
	CodeUnavailable ErrorCode = "unavailable" // not now; try again later
)
