// Package call decides who we see and hear. Its state changes in one pure function, next;
// one loop, Run, carries out the effects on rooms, peers and devices.
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

// The phases of a call. Ended stays ended until another meeting is opened.
const (
	Idle         Phase = iota // no meeting
	Lobby                     // a meeting is chosen; preview, not yet visible to others
	Joining                   // joining; the rendezvous has not answered yet
	Live                      // in the meeting
	Reconnecting              // in the meeting, the rendezvous is out of reach; media may still flow
	Ended                     // over; State.Reason says why
)

func (p Phase) String() string {
	return [...]string{"idle", "lobby", "joining", "live", "reconnecting", "ended"}[p]
}

// Inside says whether the user is in a meeting, past the lobby.
func (p Phase) Inside() bool {
	return p == Joining || p == Live || p == Reconnecting
}

// Reason is why a call ended.
type Reason uint8

// The reasons.
const (
	Left        Reason = iota // the user left
	Unreachable               // the rendezvous cannot be reached; State.Problem says why
	Refused                   // the rendezvous does not let us in; State.Problem says why
	Replaced                  // the same identity joined from somewhere else
)

// State is what the window draws. Snapshots are immutable.
type State struct {
	Phase   Phase
	Reason  Reason // of Ended
	Problem Problem
	// Candidates are the meetings that the text of the last Open names when there are
	// several; Open one of them.
	Candidates []signal.Link
	Shed       Shed    // what is given up because this computer cannot keep up
	Link       string  // to copy and pass on
	Hosting    Hosting // of the meeting, and who can open the link
	Code       string  // as shown: 7k3m-q9xt-2w8p
	Name       string  // the user's own
	Started    time.Time
	Room       room.State

	Mic     Local
	Camera  Local
	Screen  Local
	Speaker Local
	Sound   Sound
	Devices map[media.Kind][]media.Device

	Shareables Shareables // while the user looks what to share

	Peers []Peer // one for each other member present, longest here first
}

// Local is one of our own devices.
type Local struct {
	On       bool         // the user wants it on
	Switched int          // how many commands have switched it so far; see Switches
	Live     bool         // it delivers
	Choice   string       // a device ID or spec, as chosen
	Device   media.Device // what Choice came to; of a microphone, Muted follows the system
	Hidden   bool         // of a screen: the window is minimised, and others see its last picture
	Format   Format       // of the picture it delivers
	Problem  Problem
	Sound    bool                // of a screen: what the machine plays is shared with it
	Capture  media.ScreenOptions // of a screen
	Silenced bool                // of the microphone: it has brought nothing at all since it was opened
	Testing  bool                // of the speaker: the test sound plays
}

// Format is the size of a picture in pixels, and how many come a second.
type Format struct {
	Width, Height int
	FrameRate     float64
}

// PeerPhase is how things stand between us and another member.
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
	Quality  int // 1 (bad) to 4 (good); 0 while unknown
	Report   Report
}

// Report is what is measured of the way to a member, once a second, as far as people care.
type Report struct {
	Path  string        // host, srflx or relay; empty while unknown
	RTT   time.Duration // rounded so that it does not flicker; 0 while unknown
	W, H  int           // of their camera's picture as it arrives, 0 without one
	Limit string        // of our camera's picture on its way to them: none, bandwidth or cpu; empty without one
	Lossy bool          // packets are lost that repair has to make up for
}

// Command is what a user, or the command line, wants.
type Command interface{ command() }

// The commands.
type (
	// NewMeeting makes up a code and goes to its lobby, or straight in if Join.
	NewMeeting struct{ Join bool }
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
	// Choose picks a device by its ID; a screen is shared at once, with what the machine
	// plays if Sound, and captured as Capture says.
	Choose struct {
		Kind    media.Kind
		ID      string
		Sound   bool
		Capture media.ScreenOptions
	}
	// Browse keeps State.Shareables current from now on, or forgets it.
	Browse struct{ On bool }
	// StopScreen ends screen sharing.
	StopScreen struct{}
	// Room passes a command on to the meeting's room; outside a meeting it is lost.
	Room struct{ room.Command }
	// Dismiss clears State.Problem.
	Dismiss struct{}
)

func (NewMeeting) command() {}
func (Open) command()       {}
func (Join) command()       {}
func (Leave) command()      {}
func (Close) command()      {}
func (SetName) command()    {}
func (Turn) command()       {}
func (Choose) command()     {}
func (Browse) command()     {}
func (StopScreen) command() {}
func (Room) command()       {}
func (Dismiss) command()    {}

// Switches says which device a command switches on or off. Whoever counts the commands that it
// sends knows from Local.Switched which of them a State has seen.
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
