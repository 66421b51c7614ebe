package signal

import (
	"errors"
	"time"
)

// Version is the version of the protocol between client and rendezvous.
const Version = 2

// Subprotocol is the WebSocket subprotocol of this version.
const Subprotocol = "parley.2"

// Subprotocol1 is that of version 1, which had no challenge. Both sides still name it, after their own, to tell each
// other which of them is older; neither speaks it.
const Subprotocol1 = "parley"

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

	// NonceBytes is how long the nonce of a Challenge is.
	NonceBytes = 32

	sessionBytes   = 12
	publicBytes    = 32 // a public key of Ed25519 or X25519
	signatureBytes = 64 // of Ed25519
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

// Challenge is the service's first frame. A join is good for the connection whose nonce it signs, and for no other.
type Challenge struct {
	Version int    // of the protocol; the nonce is read only if it is ours
	Nonce   []byte // NonceBytes, random
}

// Join is a client's first frame: who it is and where it wants to be, with the proofs. Package identity makes and
// checks them.
type Join struct {
	Try     uint64 // counts the client's connections from 1; one that arrives late does not replace a newer one
	Version int    // of the protocol; the other fields are read only if it is ours
	Room    string // the hash of Admit
	ID      ID     // the hash of Sign and DH
	Admit   []byte // the public key that the code gives, Ed25519
	Sign    []byte // the member's public key of Ed25519
	DH      []byte // and of X25519
	Knows   []byte // signature by Admit: whoever joins knows the code
	Owns    []byte // signature by Sign: and owns the ID
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
	CodeRefused     ErrorCode = "refused"     // a join proves nothing
	CodeFull        ErrorCode = "full"        // the room has MaxMembers
	CodeReplaced    ErrorCode = "replaced"    // the membership goes on over another socket
	CodeOverflow    ErrorCode = "overflow"    // the member's queue was full
	CodeGoingAway   ErrorCode = "going-away"  // the service stops: connect again at once
	CodeUnavailable ErrorCode = "unavailable" // not now; try again later
)
