package client

import (
	"errors"
	"time"

	"parley/signal"
)

// Event is what happens to a membership. Its kinds are the structs of this file.
type Event interface{ event() }

// Connected tells that the service has taken us in.
type Connected struct {
	Members []signal.ID // the others, in order of arrival; what changes follows as Joined and Left
	Resumed bool        // nothing was missed since the last event; false at first and after a loss
}

// Servers tells which STUN and TURN servers to use from now on. It comes before Connected, and again when the service
// renews their credentials; not from a service that names none.
type Servers struct{ ICE []signal.ICEServer }

// Joined tells that a member has come.
type Joined struct{ ID signal.ID }

// Left tells that a member has gone. With Back it is here again already, and Joined follows: anything may have been lost
// between.
type Left struct {
	ID   signal.ID
	Back bool
}

// Message is a sealed body that a member sent.
type Message struct {
	From signal.ID
	To   signal.ID // empty: everyone
	Seq  uint64
	Body []byte
}

// Disconnected tells that there is no connection now. It comes once for each attempt that fails.
type Disconnected struct {
	Err   error
	Retry time.Duration // until the next attempt
}

func (Servers) event()      {}
func (Connected) event()    {}
func (Joined) event()       {}
func (Left) event()         {}
func (Message) event()      {}
func (Disconnected) event() {}

// Errors that end Run: trying again would not help.
var (
	ErrFull          = errors.New("the meeting is full")
	ErrReplaced      = errors.New("this membership was taken over by another connection")
	ErrVersion       = errors.New("the server speaks a newer version of the Parley protocol: update this app")
	ErrOldServer     = errors.New("the server speaks an older version of the Parley protocol: whoever runs it has to update it")
	ErrNotRendezvous = errors.New("there is no Parley server at this address")
	ErrRefused       = errors.New("the server refused what we said")
)

// Errors of Send.
var (
	ErrQueueFull = errors.New("too much is waiting to be sent")
	ErrClosed    = errors.New("the connection is closed")
)

// Reasons in Disconnected that are about what the server does rather than the network.
var (
	errSilent   = errors.New("the server has gone silent")
	errRubbish  = errors.New("the server said something that is not the Parley protocol")
	errGap      = errors.New("the server left out a message")
	errKicked   = errors.New("the network has changed")
	errNoAnswer = errors.New("the server did not answer")

	errNoAddress = errors.New("the server has no address")
)
