package call

import (
	"fmt"
	"net/url"

	"parley/signal"
)

// Host is the rendezvous in this process. Its methods may block for a moment; any goroutine may call
// them.
type Host interface {
	// Open hosts the meeting of a link in a room: a new meeting if the link has no server, else one
	// that was hosted here before. It returns nil for a meeting that is hosted elsewhere, and
	// PortTaken if it cannot be hosted again where its link says. From then on it calls changed when
	// others can reach the meeting by other addresses; changed may block until Open has returned. With
	// nil for changed, the link names no address of the internet.
	Open(link signal.Link, room string, changed func(*Hosted)) (*Hosted, error)
	// Close ends what Open began.
	Close(room string)
}

// Hosted is a meeting that this process hosts.
type Hosted struct {
	Link    signal.Link // for inviting others
	Own     *url.URL    // how this process reaches the rendezvous
	Hosting Hosting
}

// Hosting says who can open the link of a meeting that is hosted here.
type Hosting uint8

// The kinds of Hosting.
const (
	NotHosted      Hosting = iota // this app does not host the meeting
	HostedHere                    // whoever is on the same network can open it
	HostedAlone                   // only this computer can open it: there is no network
	HostedAnew                    // as HostedHere, but the opened link names an old address of this computer
	HostedAnywhere                // whoever is on the internet can open it
	HostedIPv6                    // whoever is on the internet and has IPv6 can open it
)

// PortTaken says that another program has the port of a meeting that was hosted here.
type PortTaken struct{ Port int }

func (e PortTaken) Error() string {
	return fmt.Sprintf("host the meeting again: port %d is taken", e.Port)
}
