package room

import (
	"time"

	"parley/signal"
	"parley/signal/identity"
	"parley/signal/roster"
	"parley/signal/trust"
)

// event is something that happened: on the connection, at another member, or here.
//
//	source            events
//	the connection    servers, up, down, joined, left, sent, unsent, refused, unread
//	another member    greeted, received
//	the user          a Command, leave, vouch, sendCall
//	the clock         overdue, missed, repeat, expired, tick
//	Run               over
type event any

type (
	// up: connected; the others in the room, longest here first. If not resumed, they may
	// have forgotten us.
	up struct {
		members []signal.ID
		resumed bool
	}
	servers struct{ ice []signal.ICEServer }
	down    struct{ err error }
	joined  struct{ id signal.ID }
	left    struct {
		id   signal.ID
		back bool // joined follows
	}
	sent    struct{ chat string }    // the service has our message
	unsent  struct{ chat string }    // it could not be sent
	refused struct{}                 // a message had a wrong seal or form
	unread  struct{ from signal.ID } // a message to everyone, from before its sender has given us the key
	greeted struct {
		from    signal.ID
		keys    identity.Public
		present bool
		roster  []byte
	}
	received struct {
		from   signal.ID
		env    envelope
		forged uint64 // chats of a history that were not signed by their authors, and are left out
	}
	repeat   struct{}                  // time to say again what may be lost
	overdue  struct{ asked signal.ID } // the history that we asked for has not come
	missed   struct{ from signal.ID }  // time to ask for what was unread
	expired  struct{ up int }          // the members who have not come back since that connection have gone
	tick     struct{}                  // time to mend what was lost of the roster
	over     struct{ err error }       // the connection has ended for good
	leave    struct{}
	vouch    struct{ voucher trust.Voucher } // our device's, to show to the others
	sendCall struct {
		to      signal.ID
		payload []byte
	}
)

// Command is what the user wants of the room: Enter, SetName, SetMarks, Say, Resend, Host, Compare or Verify.
type Command interface{ command() }

type (
	// Enter goes from the lobby into the meeting. From then on the others see us.
	Enter struct{}
	// SetName changes our name.
	SetName struct{ Name string }
	// SetMarks tells the others what we send.
	SetMarks struct{ Mic, Camera, Screen bool }
	// Say sends a chat message to everyone.
	Say struct {
		ID   string // random; empty: Do draws one
		Text string
	}
	// Resend tries a message that Failed again.
	Resend struct{ ID string }
	// Host does what only hosts may.
	Host struct{ roster.Action }
	// Compare keeps the safety phrase up to date while On, because the user looks at it.
	Compare struct{ On bool }
	// Verify says that the phrase of now is the same for these members, or for all if there are none.
	Verify struct{ IDs []signal.ID }
)

func (Enter) command()    {}
func (SetName) command()  {}
func (SetMarks) command() {}
func (Say) command()      {}
func (Resend) command()   {}
func (Host) command()     {}
func (Compare) command()  {}
func (Verify) command()   {}

// effect is something to do.
type effect any

type (
	send struct {
		to   signal.ID // empty: everyone
		env  envelope
		chat string // of our own chat message: sent or unsent will name it
	}
	deliver struct {
		from    signal.ID
		payload []byte
	}
	after struct { // an event after a while
		wait time.Duration
		ev   event
	}
	include struct{ id signal.ID } // the member gets the key to what we say to everyone
	exclude struct{ id signal.ID } // and does not any more: it is no longer in
	forget  struct{ id signal.ID } // or has gone
	notice  struct{ of Notice }
	keep    struct{ roster []byte }
	hangUp  struct{} // flush what was sent, say goodbye, close
)
