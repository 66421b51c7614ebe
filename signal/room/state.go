// Package room knows who is here and what they say: members, their marks, chat. Its state
// changes in one pure function, next; one loop, Run, carries out what that decides.
package room

import (
	"slices"
	"time"

	"parley/signal"
	"parley/signal/client"
	"parley/signal/identity"
	"parley/signal/roster"
	"parley/signal/trust"
)

// Errors by which the service refuses us for good, in State.Err of a Closed link.
var (
	ErrReplaced      = client.ErrReplaced
	ErrFull          = client.ErrFull
	ErrVersion       = client.ErrVersion
	ErrOldServer     = client.ErrOldServer
	ErrNotRendezvous = client.ErrNotRendezvous
)

// Failure says what stands between us and the rendezvous, in State.Err.
type Failure = client.Failure

// FailureKind is what it is.
type FailureKind = client.Kind

// The kinds of Failure: see package client.
const (
	Unreachable      = client.Unreachable
	NoSuchHost       = client.NoSuchHost
	NobodyListens    = client.NobodyListens
	Silent           = client.Silent
	SignIn           = client.SignIn
	Moved            = client.Moved
	Status           = client.Status
	Foreign          = client.Foreign
	NoTLS            = client.NoTLS
	CertExpired      = client.CertExpired
	CertNotYet       = client.CertNotYet
	CertName         = client.CertName
	CertIssuer       = client.CertIssuer
	CertRevoked      = client.CertRevoked
	CertBad          = client.CertBad
	ProxyUnreachable = client.ProxyUnreachable
	ProxyRefused     = client.ProxyRefused
	ProxyPassword    = client.ProxyPassword
	ProxySilent      = client.ProxySilent
	ProxyRubbish     = client.ProxyRubbish
	ProxySetting     = client.ProxySetting
)

// Link is the state of the connection to the rendezvous.
type Link uint8

// The states of Link.
const (
	Connecting   Link = iota
	Connected         // members and messages are current
	Reconnecting      // lost; the client is trying again and resumes
	Closed            // gone for good; State.Err says why
)

// State is the members and their chat. A State is immutable: next copies what it changes.
type State struct {
	Link    Link
	Err     error // why Link is Closed or Reconnecting
	Me      Member
	Members []Member // the others that have greeted us, longest here first
	Chat    []Message
	ICE     []signal.ICEServer // to connect with
	// Standing is whether we are in, wait, or are out, and Hosted whether anybody hosts the meeting. With nobody
	// it is open, as the zero Policy says.
	Standing  roster.Standing
	Hosted    bool
	FirstSeen bool // the owner is believed because they came first: the link does not name one
	Policy    roster.Policy
	Knocking  []Member // who waits and wants to come in; empty for who is no host
	Safety    Safety
	Refused   uint64 // messages that were changed, replayed, reflected, reordered, malformed or too many
}

// Member is one participant, as its hello and its card say. The card comes a moment after the hello; until then the
// name is empty.
type Member struct {
	ID       signal.ID
	Keys     identity.Public // what the ID is the hash of
	Device   trust.Key       // of the device that vouches for them; zero: none does that we are shown
	Name     string          // unique in the meeting: a second Ada is "Ada (2)"
	Present  bool            // in the meeting; false while still in the lobby
	Role     roster.Role
	Mic      bool
	Camera   bool
	Screen   bool      // shares a screen
	Earlier  bool      // came to the rendezvous before us
	Verified bool      // the user compared the safety phrase with them
	Since    time.Time // when we saw them go from lobby to meeting

	claimed string // the name that they gave
}

// Message is one line of chat.
type Message struct {
	ID     string // random, chosen by the author; the same wherever the message is shown
	From   signal.ID
	Name   string // the author's name when it was written
	Text   string
	At     time.Time // when it arrived, by our clock; for one from a history, by the clock of the member who sent that
	N      uint64    // Lamport time: after everything its author had seen (Lamport 1978)
	Mine   bool
	Status Delivery // of our own messages

	heard  time.Time       // zero: learnt from a history
	got    time.Time       // when we learnt it, from whomever
	by     signal.ID       // who sent it to us: its author, or the sender of the history
	signed *chat           // by its author; nil for one of ours
	author identity.Public // whose keys the signature is checked with
}

// Delivery is the delivery status of a message of ours.
type Delivery uint8

// The stages of Delivery.
const (
	Sending   Delivery = iota
	Delivered          // the service has taken it for everyone
	Failed             // it could not be sent; send it again
)

// Present lists the members in the meeting itself, without those in the lobby.
func (s State) Present() []Member {
	return slices.DeleteFunc(slices.Clone(s.Members), func(m Member) bool { return !m.Present })
}

// Member finds a member by id.
func (s State) Member(id signal.ID) (Member, bool) {
	i := slices.IndexFunc(s.Members, func(m Member) bool { return m.ID == id })
	if i < 0 {
		return Member{}, false
	}
	return s.Members[i], true
}
