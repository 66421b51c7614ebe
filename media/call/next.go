package call

import (
	"net/url"
	"slices"
	"time"

	"parley/media"
	"parley/media/transport"
	"parley/signal"
	"parley/signal/room"
)

// event is something that happened. Commands are events too.
//
//	source            events
//	the user          Command
//	the rendezvous    prepared, roomChanged, signalled
//	the transport     phaseChanged, observed
//	a device          devicesListed, deviceOpened, deviceFailed, soundFailed, screenHidden, browsed, chimed, silenced
//	the clock         reopen, browseAgain
//	this machine      strain
type event interface{}

type (
	// prepared: the meeting's keys are derived and its rendezvous is known.
	prepared struct {
		meeting int
		link    signal.Link
		keys    signal.Keys
		hosted  *Hosted // nil: elsewhere
		err     error
	}
	roomChanged struct {
		meeting int
		state   room.State
	}
	// signalled: a call message came.
	signalled struct {
		meeting int
		from    signal.ID
		payload []byte
	}
	phaseChanged struct {
		id    signal.ID
		phase PeerPhase
	}
	// observed: what is measured about a member from time to time.
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
	// soundFailed: what the machine plays cannot be shared, or no longer.
	soundFailed struct {
		generation int // of the screen
		err        error
	}
	// screenHidden: the shared window was minimised, or is back.
	screenHidden struct {
		generation int // of the screen
		hidden     bool
	}
	// browsed: what can be shared was looked up.
	browsed struct {
		round int
		list  []media.Shareable
		err   error
	}
	browseAgain struct{ round int }
	reopen      struct { // it is time to try a device again
		kind       media.Kind
		generation int
	}
)

// effect is something to do.
type effect interface{}

type (
	// prepare finds or makes the code, derives its keys, and hosts a rendezvous if need be.
	prepare struct {
		meeting int
		link    *signal.Link // nil: a new meeting
	}
	openRoom struct {
		meeting int
		keys    signal.Keys
		me      room.Member
		own     *url.URL // the rendezvous as this process reaches it; nil: as the link says
	}
	closeRoom struct{}
	unhost    struct{ room string } // a meeting that was prepared in vain
	tell      struct{ command room.Command }
	// carry has the transport carry tracks to and from these members.
	carry struct {
		members []transport.Member
		online  bool
	}
	passOn struct { // a call message, to the transport
		from    signal.ID
		payload []byte
	}
	openDevice struct {
		kind       media.Kind
		spec       string
		generation int
		sound      bool // of a screen: with what the machine plays
		capture    media.ScreenOptions
	}
	closeDevice struct{ kind media.Kind }
	browse      struct{ round int }
	mute        struct{ muted bool }
	silence     struct{ silent bool } // of the speaker
	spare       struct{ shed Shed }   // what costs processor time
	later       struct {
		wait time.Duration
		ev   event
	}
)

// retryPatience is how long a device that failed is left alone.
const retryPatience = 3 * time.Second

// model is State and what nobody else needs to know.
type model struct {
	State
	server   parser
	meeting  int // counts meetings, so that late answers to an earlier one are known
	me       signal.ID
	join     bool // go in as soon as the room is there
	link     signal.Link
	loss     Problem // the Problem of a rendezvous out of reach
	covered  Problem // what Problem was before loss took its place
	devices  [4]slot // by media.Kind
	browsing bool    // the user looks at what can be shared
	round    int     // counts those looks, so that late answers are known
	budget   budget
	untested error // why the speaker's last test failed
}

// parser reads what the user typed or pasted as a meeting.
type parser func(text string) (signal.Link, error)

// slot is the place of one device.
type slot struct {
	generation int
	open       bool // asked for
	fallback   bool // the choice is not to be had; the default stands in
	failed     bool // given up for now: nothing is open although it is asked for
}

// next is all the logic of a call: what an event changes and what is to be done about it.
func next(m model, ev event, now time.Time) (model, []effect) {
	switch ev := ev.(type) {
	case Command:
		return m.command(ev, now)
	case prepared:
		return m.prepared(ev)
	case roomChanged:
		return m.roomChanged(ev)
	case signalled:
		if ev.meeting == m.meeting {
			return m, []effect{passOn{ev.from, ev.payload}}
		}
	case phaseChanged:
		m.phaseChanged(ev)
	case observed:
		m.updatePeer(ev.id, func(p *Peer) {
			p.Speaking, p.Quality, p.Report = ev.speaking && p.Mic, ev.quality, ev.report
		})
	case strain:
		return m.strained(ev)
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
	case chimed:
		return m.chimed()
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
	if kind, _, ok := Switches(c); ok {
		m.local(kind).Switched++
	}
	switch c := c.(type) {
	case NewMeeting:
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
	case StopScreen:
		m.Screen.On, m.Screen.Problem = false, Problem{}
		return m.settle()
	case Room:
		return m, []effect{tell{c.Command}}
	case Dismiss:
		m.Problem, m.covered, m.Candidates = Problem{}, Problem{}, nil
	}
	return m, nil
}

// inside says whether the user is in a meeting, past the lobby.
func (m model) inside() bool { return m.Phase.Inside() }

// open goes to the lobby of a meeting, or straight in, leaving any other meeting first.
func (m model) open(link *signal.Link, join bool, now time.Time) (model, []effect) {
	var effects []effect
	if m.Phase != Idle && m.Phase != Ended {
		m, effects = m.close(Idle, Left)
	}
	m.meeting++
	m.join, m.Problem, m.Candidates, m.loss, m.covered, m.Reason = join, Problem{}, nil, Problem{}, Problem{}, Left
	m.Link, m.Code, m.link, m.Room, m.Hosting = "", "", signal.Link{}, room.State{}, NotHosted
	m.Phase = Lobby
	if join {
		m.Phase, m.Started = Joining, now
	}
	if link != nil {
		m.link, m.Link, m.Code = *link, link.String(), link.Code.String()
	}
	m, more := m.settle()
	return m, slices.Concat(effects, []effect{prepare{m.meeting, link}}, more)
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
	// A fresh id for each meeting: nothing that was said to an earlier one can reach it.
	m.me = signal.NewID()
	marks := m.marks()
	me := room.Member{ID: m.me, Name: m.Name, Present: m.join, Mic: marks.Mic, Camera: marks.Camera}
	m.Room = room.State{Me: me}
	open := openRoom{meeting: m.meeting, keys: ev.keys, me: me}
	if ev.hosted != nil {
		m.Hosting, open.own = ev.hosted.Hosting, ev.hosted.Own
	}
	return m, []effect{open}
}

// enter goes from the lobby, or back from the end, into the meeting.
func (m model) enter(now time.Time) (model, []effect) {
	switch m.Phase {
	case Lobby:
		m.Phase, m.join, m.Started = Joining, true, now
		m, effects := m.settle()
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

// close ends whatever is going on and lands in the given phase.
func (m model) close(to Phase, why Reason) (model, []effect) {
	m.Phase, m.Reason, m.Problem, m.join = to, why, Problem{}, false
	m.Peers, m.Screen.On = nil, false
	m.meeting++
	m, effects := m.settle()
	return m, append([]effect{closeRoom{}}, effects...)
}

func (m model) roomChanged(ev roomChanged) (model, []effect) {
	if ev.meeting != m.meeting {
		return m, nil
	}
	m.Room = ev.state
	switch ev.state.Link {
	case room.Connected:
		if m.Problem == m.loss {
			m.Problem = m.covered
		}
		m.loss, m.covered = Problem{}, Problem{}
		if m.Phase == Joining || m.Phase == Reconnecting {
			m.Phase = Live
		}
	case room.Connecting, room.Reconnecting:
		if m.Phase == Live {
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
