// Package call decides who we see and hear. Its state changes in one pure function, next; one loop, Run,
// carries out the effects on room, transport and devices.
package call

import (
	"time"

	"parley/media"
	"parley/media/transport"
	"parley/signal"
	"parley/signal/room"
)

// Phase is where the user stands on the way into and out of a meeting.
type Phase uint8

// The phases of a call. Ended lasts until the user closes it, joins again or opens another meeting.
const (
	Idle         Phase = iota // no meeting
	Lobby                     // a meeting is chosen; preview, not yet visible to others
	Joining                   // the rendezvous has not answered yet
	Waiting                   // a host has to let us in
	Live                      // in the meeting
	Reconnecting              // in the meeting, but the rendezvous is unreachable; media may still flow
	Ended                     // over; State.Reason says why
)

func (p Phase) String() string {
	return [...]string{"idle", "lobby", "joining", "waiting", "live", "reconnecting", "ended"}[p]
}

// Inside reports whether the user is in a meeting, past the lobby.
func (p Phase) Inside() bool {
	return p == Joining || p == Waiting || p == Live || p == Reconnecting
}

// Reason is why a call ended.
type Reason uint8

// The reasons.
const (
	Left        Reason = iota // the user left
	Unreachable               // the rendezvous cannot be reached; State.Problem says why
	Refused                   // the rendezvous does not let us in; State.Problem says why
	Replaced                  // the same identity joined from somewhere else
	Removed                   // by a host
	Denied                    // a host did not let us in
	EndedForAll               // by the owner
)

// State is what the window draws. Snapshots are immutable.
type State struct {
	Phase   Phase
	Reason  Reason // of Ended
	Problem Problem
	// Candidates are the meetings that the last Open's text named, if there were several. Open
	// one of them.
	Candidates []signal.Link
	Shed       Shed    // what this computer gives up because it is too busy
	Link       string  // for inviting others
	Hosting    Hosting // whether this app hosts the meeting, and who can open the link
	Code       string  // as shown: 7k3m-q9xt-2w8p
	Name       string  // the user's own
	Started    time.Time
	Room       room.State
	Told       Told // by a host

	Mic           Local
	Camera        Local
	Screen        Local
	Speaker       Local
	Sound         Sound
	NoiseStays    bool // this build cannot remove noise: Sound.Noise has no effect, and the window shows no switch for it
	AddressHidden bool // others are reached by relays alone
	Devices       map[media.Kind][]media.Device

	Shareables Shareables // while the user is choosing what to share

	Peers []Peer // the other members present, in order of arrival

	Handled int // how many commands have been carried out
}

// Local is one of our own devices.
type Local struct {
	On       bool         // the user wants it on
	Switched int          // how many commands have switched it so far, see Switches
	Live     bool         // it is open and works
	Choice   string       // a device ID or spec, as chosen
	Device   media.Device // the one in use; a microphone's Muted follows the system
	Hidden   bool         // of a screen: the window is minimised, and others see its last picture
	Format   Format       // of its picture
	Problem  Problem
	Sound    bool                // of a screen: the system's sound is shared too
	Capture  media.ScreenOptions // of a screen
	Silenced bool                // of the microphone: it has delivered nothing since it was opened
	Testing  bool                // of the speaker: the test sound is playing
}

// Format is a picture's size in pixels and its frames a second.
type Format struct {
	Width, Height int
	FrameRate     float64
}

// PeerPhase is the state of the connection between us and another member.
type PeerPhase = transport.Phase

// The phases of a peer, see package transport.
const (
	PeerConnecting   = transport.Connecting
	PeerConnected    = transport.Connected
	PeerReconnecting = transport.Reconnecting
	PeerFailed       = transport.Failed
)

// Peer is another member as we see and hear them.
type Peer struct {
	ID       signal.ID
	Name     string
	Phase    PeerPhase
	Mic      bool // not muted
	Camera   bool // sends a camera picture
	Screen   bool // shares a screen
	Speaking bool
	Problem  Problem // why there is no connection, until there is one
	Quality  int     // 1 (bad) to 4 (good); 0 while unknown
	Report   Report
}

// Detour says why a path leads through a relay.
type Detour = transport.Detour

// The detours, see package transport.
const (
	NoDetour      = transport.NoDetour
	DetourHidden  = transport.DetourHidden
	DetourNoUDP   = transport.DetourNoUDP
	DetourTheirs  = transport.DetourTheirs
	DetourFamily  = transport.DetourFamily
	DetourRouters = transport.DetourRouters
)

// Report is what the window shows of the path to a member. It is measured once a second.
type Report struct {
	Path  string        // host, srflx or relay; empty while unknown
	Relay string        // of a relay: how we reach it, udp, tcp, dtls or tls
	Why   Detour        // of a relay: why
	RTT   time.Duration // rounded, so that the display does not flicker; 0 while unknown
	W, H  int           // of their camera's picture as received; 0 without one
	Limit string        // what limits our camera's picture to them: none, bandwidth or cpu; empty if none is sent
	Lossy bool          // many packets are lost
}

// Command is what the user or the command line asks for.
type Command interface{ command() }

// The commands.
type (
	// NewMeeting draws a code and goes to its lobby, or straight in if Join. A Short code can be said aloud.
	NewMeeting struct{ Join, Short bool }
	// Open goes to the lobby of the meeting that Text, a link or a code, names, or straight
	// in if Join. Text that is neither sets State.Problem and changes nothing else.
	Open struct {
		Text string
		Join bool
	}
	// Join goes from the lobby, or from Ended, into the meeting.
	Join struct{}
	// Leave ends the call, or goes back from the lobby to Idle.
	Leave struct{}
	// Close goes from Ended to Idle.
	Close struct{}
	// SetName changes the user's name, in the meeting too.
	SetName struct{ Name string }
	// Turn switches the microphone, camera or speaker on or off.
	Turn struct {
		Kind media.Kind
		On   bool
	}
	// Choose picks a device by its ID. A screen is shared at once, with the system's sound if
	// Sound, and captured as Capture says.
	Choose struct {
		Kind    media.Kind
		ID      string
		Sound   bool
		Capture media.ScreenOptions
	}
	// Browse keeps State.Shareables up to date from now on, or clears it.
	Browse struct{ On bool }
	// HideAddress says whether others are to be reached by relays alone, so that they do not learn our address.
	HideAddress struct{ On bool }
	// StopScreen ends screen sharing.
	StopScreen struct{}
	// Room passes a command to the meeting's room. Outside of a meeting it is ignored.
	Room struct{ room.Command }
	// Dismiss clears State.Problem.
	Dismiss struct{}
)

func (NewMeeting) command()  {}
func (Open) command()        {}
func (Join) command()        {}
func (Leave) command()       {}
func (Close) command()       {}
func (SetName) command()     {}
func (Turn) command()        {}
func (Choose) command()      {}
func (Browse) command()      {}
func (StopScreen) command()  {}
func (HideAddress) command() {}
func (Room) command()        {}
func (Dismiss) command()     {}

// Switches says which device a command switches on or off. A sender that counts its commands can tell from
// Local.Switched which of them a State includes.
func Switches(c Command) (kind media.Kind, on, ok bool) {
	switch c := c.(type) {
	case Turn:
		return c.Kind, c.On, true
	case Choose:
		return c.Kind, true, c.Kind == media.Screen
	case StopScreen:
		return media.Screen, false, true
	}
	return 0, false, false
}

// Self is the ID under which the user's own camera and screen are viewed.
const Self signal.ID = ""
