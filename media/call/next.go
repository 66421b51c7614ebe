package call

import (
	"crypto/ed25519"
	"net/url"
	"slices"
	"time"

	"parley/media"
	"parley/media/transport"
	"parley/signal"
	"parley/signal/identity"
	"parley/signal/room"
	"parley/signal/roster"
)

// event is something that happened. Commands are events too.
//
//	source            events
//	the user          Command
//	the rendezvous    prepared, hostingChanged, roomChanged, signalled, noticed
//	the transport     phaseChanged, observed
//	a device          devicesListed, deviceOpened, deviceFailed, soundFailed, screenHidden, browsed, chimeEnded, silenced
//	the clock         reopen, browseAgain
//	this machine      load
type event interface{}

type (
	// prepared: the meeting's keys are derived and its rendezvous is known.
	prepared struct {
		meeting  int
		link     signal.Link
		keys     signal.Keys
		identity *identity.Identity // drawn for this meeting alone, so that no message to an earlier one can reach us
		key      ed25519.PrivateKey // of the owner, if we created the meeting
		saved    []byte             // the roster kept with it
		hosted   *Hosted            // nil: elsewhere
		err      error
	}
	// hostingChanged: others reach the meeting that we host by other addresses.
	hostingChanged struct {
		meeting int
		hosted  *Hosted
	}
	roomChanged struct {
		meeting int
		state   room.State
	}
	// signalled: a call message arrived.
	signalled struct {
		meeting int
		from    signal.ID
		payload []byte
	}
	phaseChanged struct {
		id       signal.ID
		phase    PeerPhase
		obstacle transport.Obstacle
	}
	// observed: a new measurement of a member.
	observed struct {
		id       signal.ID
		speaking bool
		quality  int
		report   Report
	}
	devicesListed struct {
		kind media.Kind
		list []media.Device
	}
	deviceOpened struct {
		kind       media.Kind
		generation int
		device     media.Device
		format     Format
	}
	deviceFailed struct {
		kind       media.Kind
		generation int
		err        error
	}
	// soundFailed: sharing the system's sound failed.
	soundFailed struct {
		generation int // of the screen
		err        error
	}
	// screenHidden: the shared window was minimised, or is back.
	screenHidden struct {
		generation int // of the screen
		hidden     bool
	}
	// browsed: the list of what can be shared was fetched.
	browsed struct {
		round int
		list  []media.Shareable
		err   error
	}
	browseAgain struct{ round int }
	reopen      struct { // time to try a device again
		kind       media.Kind
		generation int
	}
)

// effect is something for the executor to do.
type effect interface{}

type (
	// prepare takes or draws the code, derives its keys, and hosts a rendezvous if needed.
	prepare struct {
		meeting int
		link    *signal.Link // nil: a new meeting
		short   bool         // its code is to be said aloud
		hidden  bool         // the link must not name an address of ours on the internet
	}
	openRoom struct {
		meeting  int
		keys     signal.Keys
		identity *identity.Identity
		key      ed25519.PrivateKey
		saved    []byte
		me       room.Member
		own      *url.URL // the rendezvous as this process reaches it; nil: as the link says
	}
	closeRoom struct{}
	unhost    struct{ room string } // a meeting that was prepared but is no longer wanted
	tell      struct{ command room.Command }
	// carry tells the transport whose tracks to carry.
	carry struct {
		members []transport.Member
		online  bool
		route   transport.Route
	}
	passOn struct { // a call message for the transport
		from    signal.ID
		payload []byte
	}
	openDevice struct {
		kind       media.Kind
		spec       string
		generation int
		sound      bool // of a screen: share the system's sound too
		capture    media.ScreenOptions
	}
	closeDevice struct{ kind media.Kind }
	browse      struct{ round int }
	mute        struct{ muted bool }
	silence     struct{ silent bool } // of the speaker
	setShed     struct{ shed Shed }   // to save processor time
	later       struct {
		wait time.Duration
		ev   event
	}
)

// retryDelay is how long to wait before a failed device is tried again.
const retryDelay = 3 * time.Second

// model is State, and what only next needs.
type model struct {
	State
	server    parser
	meeting   int  // counts meetings, to recognise late answers to an earlier one
	mayUnmute bool // a host asks us to, whatever the policy is
	me        signal.ID
	join      bool // enter as soon as the room is open
	short     bool // a new meeting's code is to be said aloud
	link      signal.Link
	loss      Problem // the Problem shown while the rendezvous is unreachable
	covered   Problem // the Problem that loss replaced
	devices   [4]slot // by media.Kind
	browsing  bool    // the user is choosing what to share
	round     int     // counts lookups, to recognise late answers
	budget    budget
	testErr   error // why the speaker's last test failed
}

// parser turns what the user typed or pasted into a meeting's link.
type parser func(text string) (signal.Link, error)

// slot is the state of one device.
type slot struct {
	generation int
	open       bool // opened or being opened
	fallback   bool // the chosen device failed; the default one is used
	failed     bool // nothing could be opened; waiting to try again
}

// next holds all the logic of a call: how an event changes the model, and which effects follow.
func next(m model, ev event, now time.Time) (model, []effect) {
	switch ev := ev.(type) {
	case Command:
		return m.command(ev, now)
	case prepared:
		return m.prepared(ev)
	case hostingChanged:
		return m.hostingChanged(ev)
	case roomChanged:
		return m.roomChanged(ev)
	case signalled:
		if ev.meeting == m.meeting {
			return m, []effect{passOn{ev.from, ev.payload}}
		}
	case noticed:
		return m.noticed(ev)
	case phaseChanged:
		m.phaseChanged(ev)
	case observed:
		m.updatePeer(ev.id, func(p *Peer) {
			p.Speaking, p.Quality, p.Report = ev.speaking && p.Mic, ev.quality, ev.report
		})
	case load:
		return m.loaded(ev)
	case devicesListed:
		return m.devicesListed(ev)
	case deviceOpened:
		return m.deviceOpened(ev)
	case deviceFailed:
		return m.deviceFailed(ev)
	case soundFailed:
		return m.soundFailed(ev)
	case screenHidden:
		if m.devices[media.Screen].generation == ev.generation {
			m.Screen.Hidden = ev.hidden
		}
	case silenced:
		return m.silenced(ev)
	case chimeEnded:
		return m.chimeEnded()
	case browsed:
		return m.browsed(ev)
	case browseAgain:
		return m.browseAgain(ev)
	case reopen:
		if m.devices[ev.kind].generation == ev.generation {
			return m.reopen(ev.kind)
		}
	}
	return m, nil
}

func (m model) command(c Command, now time.Time) (model, []effect) {
	m.Handled++
	if kind, _, ok := Switches(c); ok {
		m.local(kind).Switched++
	}
	switch c := c.(type) {
	case NewMeeting:
		m.short = c.Short
		return m.open(nil, c.Join, now)
	case Open:
		link, err := m.server(c.Text)
		if err != nil {
			m.Problem, m.Candidates = linkProblem(err), candidates(err)
			return m, nil
		}
		return m.open(&link, c.Join, now)
	case Join:
		return m.enter(now)
	case Leave:
		if m.Phase == Lobby {
			return m.close(Idle, Left)
		}
		if m.inside() {
			return m.close(Ended, Left)
		}
	case Close:
		if m.Phase == Ended {
			m.Phase, m.Problem = Idle, Problem{}
		}
	case SetName:
		m.Name = room.CleanName(c.Name)
		return m, []effect{tell{room.SetName{Name: m.Name}}}
	case Turn:
		return m.turn(c)
	case Choose:
		return m.choose(c)
	case TestSpeaker:
		return m.testSpeaker()
	case Browse:
		return m.browse(c)
	case SetSound:
		m.Sound = c.Sound
		return m, []effect{setSound{c.Sound}}
	case HideAddress:
		m.AddressHidden = c.On
		return m.follow()
	case StopScreen:
		m.Screen.On, m.Screen.Problem = false, Problem{}
		return m.reconcile()
	case Room:
		return m, []effect{tell{c.Command}}
	case Dismiss:
		m.Problem, m.covered, m.Candidates = Problem{}, Problem{}, nil
	}
	return m, nil
}

// inside says whether the user is in a meeting, past the lobby.
func (m model) inside() bool { return m.Phase.Inside() }

// open leaves any other meeting, then goes to the lobby of this one or straight in.
func (m model) open(link *signal.Link, join bool, now time.Time) (model, []effect) {
	var effects []effect
	if m.Phase != Idle && m.Phase != Ended {
		m, effects = m.close(Idle, Left)
	}
	m.meeting++
	m.mayUnmute, m.Told = false, Told{}
	m.join, m.Problem, m.Candidates, m.loss, m.covered, m.Reason = join, Problem{}, nil, Problem{}, Problem{}, Left
	m.Link, m.Code, m.link, m.Room, m.Hosting = "", "", signal.Link{}, room.State{}, NotHosted
	m.Phase = Lobby
	if join {
		m.Phase, m.Started = Joining, now
	}
	if link != nil {
		m.link, m.Link, m.Code = *link, link.String(), link.Code.String()
	}
	m, more := m.reconcile()
	return m, slices.Concat(effects, []effect{prepare{m.meeting, link, m.short, m.AddressHidden}}, more)
}

func (m model) prepared(ev prepared) (model, []effect) {
	if ev.meeting != m.meeting || m.Phase != Lobby && m.Phase != Joining {
		if ev.hosted != nil {
			return m, []effect{unhost{ev.keys.Room}}
		}
		return m, nil
	}
	if ev.err != nil {
		m, effects := m.close(Ended, Unreachable)
		m.Problem = hostProblem(ev.err)
		return m, effects
	}
	m.link, m.Link, m.Code = ev.link, ev.link.String(), ev.link.Code.String()
	m.me = ev.identity.ID()
	marks := m.marks()
	me := room.Member{ID: m.me, Name: m.Name, Present: m.join, Mic: marks.Mic, Camera: marks.Camera}
	m.Room = room.State{Me: me}
	open := openRoom{meeting: m.meeting, keys: ev.keys, identity: ev.identity, key: ev.key, saved: ev.saved, me: me}
	if ev.hosted != nil {
		m.Hosting, open.own = ev.hosted.Hosting, ev.hosted.Own
	}
	return m, []effect{open}
}

func (m model) hostingChanged(ev hostingChanged) (model, []effect) {
	if ev.meeting == m.meeting && m.Hosting != NotHosted && !m.AddressHidden {
		m.link, m.Link, m.Hosting = ev.hosted.Link, ev.hosted.Link.String(), ev.hosted.Hosting
	}
	return m, nil
}

// enter goes into the meeting, from the lobby or after it ended.
func (m model) enter(now time.Time) (model, []effect) {
	switch m.Phase {
	case Lobby:
		m.Phase, m.join, m.Started = Joining, true, now
		m, effects := m.reconcile()
		return m, append(effects, tell{room.Enter{}})
	case Ended:
		if m.link.Code == "" { // a new meeting that could not be hosted
			return m.open(nil, true, now)
		}
		link := m.link
		return m.open(&link, true, now)
	}
	return m, nil
}

// close ends the meeting or the lobby and goes to the given phase.
func (m model) close(to Phase, why Reason) (model, []effect) {
	m.Phase, m.Reason, m.Problem, m.join = to, why, Problem{}, false
	m.Peers, m.Screen.On = nil, false
	m.meeting++
	m, effects := m.reconcile()
	return m, append([]effect{closeRoom{}}, effects...)
}

func (m model) roomChanged(ev roomChanged) (model, []effect) {
	if ev.meeting != m.meeting {
		return m, nil
	}
	knocks := len(ev.state.Knocking) > len(m.Room.Knocking)
	m.Room = ev.state
	m, effects, goesOn := m.admission()
	if knocks && m.inside() && m.Speaker.On {
		effects = append(effects, playChime{})
	}
	if !goesOn {
		return m, effects
	}
	m, more := m.linkChanged(ev)
	return m, append(effects, more...)
}

// linkChanged follows the connection to the rendezvous.
func (m model) linkChanged(ev roomChanged) (model, []effect) {
	switch ev.state.Link {
	case room.Connected:
		if m.Problem == m.loss {
			m.Problem = m.covered
		}
		m.loss, m.covered = Problem{}, Problem{}
		if m.Room.Standing == roster.In && (m.Phase == Joining || m.Phase == Reconnecting) {
			m.Phase = Live
		}
	case room.Connecting, room.Reconnecting:
		if m.Phase == Live || m.Phase == Waiting {
			m.Phase = Reconnecting
		}
		if ev.state.Err != nil {
			if m.Problem != m.loss {
				m.covered = m.Problem
			}
			m.loss = lossProblem(m.link, ev.state.Err)
			m.Problem = m.loss
		}
	case room.Closed:
		if ev.state.Err != nil {
			m, effects := m.close(Ended, reasonOf(ev.state.Err))
			m.Problem = roomProblem(m.link, ev.state.Err)
			return m, effects
		}
	}
	return m.follow()
}
