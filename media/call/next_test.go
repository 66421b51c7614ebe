package call

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/media"
	"parley/media/transport"
	"parley/signal"
	"parley/signal/identity"
	"parley/signal/room"
)

// The other members in these tables.
const (
	ada = signal.ID("-AAAAAAAAAAAAAAA") // less than any of ours in the tables
	bo  = signal.ID("zzzzzzzzzzzzzzzz") // greater
)

var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

var meeting = signal.Link{Server: &url.URL{Scheme: "http", Host: "meet.example"}, Code: "3n5r7t9v2x4z"}

// fresh is a new call: everything on, nothing open.
func fresh() model {
	m := model{server: func(text string) (signal.Link, error) {
		if text != "good" {
			return signal.Link{}, signal.ErrLink
		}
		return meeting, nil
	}}
	m.Mic = Local{On: true, Choice: media.SpecDefault}
	m.Camera = Local{On: true, Choice: media.SpecDefault}
	m.Speaker = Local{On: true, Choice: media.SpecDefault}
	return m
}

// play feeds events and returns the model and the effects of the last event. A function in place of an
// event makes it from the current model.
func play(t *testing.T, m model, events ...any) (model, []effect) {
	t.Helper()
	var effects []effect
	for _, ev := range events {
		if f, ok := ev.(func(model) event); ok {
			ev = f(m)
		}
		old, before := m, fmt.Sprintf("%+v", m)
		m, effects = next(m, ev, noon)
		if after := fmt.Sprintf("%+v", old); before != after {
			t.Fatalf("%T changed the model it was given:\n%s\n%s", ev, before, after)
		}
	}
	return m, effects
}

// ready: the keys of the present meeting are derived.
func ready(m model) event {
	return prepared{meeting: m.meeting, link: meeting, identity: identity.New()}
}

func member(id signal.ID, name string) room.Member {
	return room.Member{ID: id, Name: name, Present: true}
}

func earlier(x room.Member) room.Member { x.Earlier = true; return x }

// roomIs: the room of the present meeting changed.
func roomIs(link room.Link, members ...room.Member) func(model) event {
	return func(m model) event {
		return roomChanged{m.meeting, room.State{Link: link, Me: m.Room.Me, Members: members}}
	}
}

func roomFails(link room.Link, err error) func(model) event {
	return func(m model) event { return roomChanged{m.meeting, room.State{Link: link, Err: err}} }
}

func says(from signal.ID) func(model) event {
	return func(m model) event { return signalled{m.meeting, from, []byte(`{}`)} }
}

func opens(k media.Kind) func(model) event {
	return func(m model) event {
		return deviceOpened{k, m.devices[k].generation, media.Device{Kind: k, ID: "id", Name: "Thing"}, Format{640, 480, 30}}
	}
}

func fails(k media.Kind, err error) func(model) event {
	return func(m model) event { return deviceFailed{k, m.devices[k].generation, err} }
}

func again(k media.Kind) func(model) event {
	return func(m model) event { return reopen{k, m.devices[k].generation} }
}

// brief writes effects as a short text. It leaves out what reconcile repeats every time.
func brief(effects []effect) string {
	var out []string
	for _, e := range effects {
		switch e := e.(type) {
		case mute, silence, carry:
		case tell:
			if _, marks := e.command.(room.SetMarks); !marks {
				out = append(out, fmt.Sprintf("tell %T", e.command))
			}
		case passOn:
			out = append(out, "pass on "+who(e.from))
		case openDevice:
			spec := e.spec
			if e.sound {
				spec += " with sound"
			}
			out = append(out, fmt.Sprintf("open %s %s", e.kind, spec))
		case closeDevice:
			out = append(out, fmt.Sprintf("close %s", e.kind))
		case later:
			out = append(out, fmt.Sprintf("%s in %s", strings.TrimPrefix(fmt.Sprintf("%T", e.ev), "call."), e.wait))
		default:
			out = append(out, strings.TrimPrefix(fmt.Sprintf("%T", e), "call."))
		}
	}
	return strings.Join(out, ", ")
}

func who(id signal.ID) string {
	switch id {
	case ada:
		return "Ada"
	case bo:
		return "Bo"
	}
	return "somebody"
}

// live is a call in a meeting with these members.
func live(t *testing.T, members ...room.Member) model {
	t.Helper()
	m, _ := play(t, fresh(), Open{Text: "good", Join: true}, ready, roomIs(room.Connected))
	m.me = "MMMMMMMMMMMMMMMM"
	if len(members) > 0 {
		m, _ = play(t, m, roomIs(room.Connected, members...))
	}
	return m
}

func TestPhases(t *testing.T) {
	lost := errors.New("lost")
	in := []any{Open{Text: "good", Join: true}, ready, roomIs(room.Connected)}
	with := func(more ...any) []any { return append(in[:len(in):len(in)], more...) }
	const devices = "open camera default, open microphone default"
	const off = "closeRoom, close camera, close microphone, close speaker"
	for name, c := range map[string]struct {
		events  []any
		phase   Phase
		reason  Reason
		problem string
		effects string
	}{
		"new":                           {[]any{NewMeeting{}}, Lobby, Left, "", "prepare, " + devices},
		"new, straight in":              {[]any{NewMeeting{Join: true}}, Joining, Left, "", "prepare, " + devices + ", open speaker default"},
		"open":                          {[]any{Open{Text: "good"}}, Lobby, Left, "", "prepare, " + devices},
		"open rubbish":                  {[]any{Open{Text: "bad"}}, Idle, Left, "bad-link", ""},
		"open rubbish while in one":     {with(Open{Text: "bad"}), Live, Left, "bad-link", ""},
		"ready":                         {[]any{Open{Text: "good"}, ready}, Lobby, Left, "", "openRoom"},
		"ready too late":                {[]any{Open{Text: "good"}, prepared{meeting: 0, link: meeting}}, Lobby, Left, "", ""},
		"ready after leaving":           {[]any{Open{Text: "good"}, Leave{}, ready}, Idle, Left, "", ""},
		"host fails":                    {[]any{NewMeeting{}, func(m model) event { return prepared{meeting: m.meeting, err: lost} }}, Ended, Unreachable, "cannot-host", "closeRoom, close camera, close microphone"},
		"and is tried again":            {[]any{NewMeeting{}, func(m model) event { return prepared{meeting: m.meeting, err: lost} }, Join{}}, Joining, Left, "", "prepare, " + devices + ", open speaker default"},
		"connected in the lobby":        {[]any{Open{Text: "good"}, ready, roomIs(room.Connected, member(ada, "Ada"))}, Lobby, Left, "", ""},
		"join":                          {[]any{Open{Text: "good"}, ready, Join{}}, Joining, Left, "", "open speaker default, tell room.Enter"},
		"join before ready":             {[]any{Open{Text: "good"}, Join{}, ready}, Joining, Left, "", "openRoom"},
		"live":                          {in, Live, Left, "", ""},
		"join while live":               {with(Join{}), Live, Left, "", ""},
		"unreachable while joining":     {[]any{in[0], in[1], roomFails(room.Reconnecting, lost)}, Joining, Left, "server-unreachable: meet.example", ""},
		"unreachable in the lobby":      {[]any{Open{Text: "good"}, ready, roomFails(room.Reconnecting, lost)}, Lobby, Left, "server-unreachable: meet.example", ""},
		"connection lost":               {with(roomFails(room.Reconnecting, lost)), Reconnecting, Left, "server-unreachable: meet.example", ""},
		"and found again":               {with(roomFails(room.Reconnecting, lost), roomIs(room.Connected)), Live, Left, "", ""},
		"other lines stay":              {with(Open{Text: "bad"}, roomIs(room.Connected)), Live, Left, "bad-link", ""},
		"until dismissed":               {with(Open{Text: "bad"}, Dismiss{}), Live, Left, "", ""},
		"full":                          {[]any{in[0], in[1], roomFails(room.Closed, room.ErrFull)}, Ended, Refused, "meeting-full", off},
		"full, seen from the lobby":     {[]any{Open{Text: "good"}, ready, roomFails(room.Closed, room.ErrFull)}, Ended, Refused, "meeting-full", "closeRoom, close camera, close microphone"},
		"replaced":                      {with(roomFails(room.Closed, room.ErrReplaced)), Ended, Replaced, "joined-elsewhere", off},
		"wrong-version: meet.example":   {with(roomFails(room.Closed, room.ErrVersion)), Ended, Refused, "wrong-version: meet.example", off},
		"old-server: meet.example":      {with(roomFails(room.Closed, room.ErrOldServer)), Ended, Refused, "old-server: meet.example", off},
		"no rendezvous":                 {[]any{in[0], in[1], roomFails(room.Closed, room.ErrNotRendezvous)}, Ended, Unreachable, "not-rendezvous: meet.example", off},
		"leave the lobby":               {[]any{Open{Text: "good"}, ready, Leave{}}, Idle, Left, "", "closeRoom, close camera, close microphone"},
		"leave while unreachable":       {[]any{in[0], in[1], roomFails(room.Reconnecting, lost), Leave{}}, Ended, Left, "", off},
		"leave":                         {with(Leave{}), Ended, Left, "", off},
		"leave twice":                   {with(Leave{}, Leave{}), Ended, Left, "", ""},
		"ended stays ended":             {with(Leave{}, func(m model) event { return roomChanged{m.meeting - 1, room.State{Link: room.Connected}} }), Ended, Left, "", ""},
		"rejoin":                        {with(Leave{}, Join{}), Joining, Left, "", "prepare, " + devices + ", open speaker default"},
		"close":                         {with(Leave{}, Close{}), Idle, Left, "", ""},
		"close while live":              {with(Close{}), Live, Left, "", ""},
		"another meeting while in one":  {with(Open{Text: "good"}), Lobby, Left, "", off + ", prepare, " + devices},
		"the last word of the one left": {with(Open{Text: "good"}, func(m model) event { return roomChanged{m.meeting - 2, room.State{Link: room.Closed, Err: lost}} }), Lobby, Left, "", ""},
		"leave before any meeting":      {[]any{Leave{}}, Idle, Left, "", ""},
		"say":                           {with(Room{room.Say{Text: "hi"}}), Live, Left, "", "tell room.Say"},
		"say again":                     {with(Room{room.Resend{ID: "1"}}), Live, Left, "", "tell room.Resend"},
		"name":                          {with(SetName{"A\nda"}), Live, Left, "", "tell room.SetName"},
	} {
		t.Run(name, func(t *testing.T) {
			m, effects := play(t, fresh(), c.events...)
			if m.Phase != c.phase || m.Reason != c.reason {
				t.Errorf("phase %s, reason %d; want %s, %d", m.Phase, m.Reason, c.phase, c.reason)
			}
			if got := m.Problem.String(); got != c.problem {
				t.Errorf("problem %q, want %q", got, c.problem)
			}
			if got := brief(effects); got != c.effects {
				t.Errorf("effects %q, want %q", got, c.effects)
			}
		})
	}
}

func TestOpenForgetsTheMeetingBefore(t *testing.T) {
	m := live(t, member(ada, "Ada"))
	id := m.me
	m, _ = play(t, m, Open{Text: "good"})
	if len(m.Room.Members) != 0 || len(m.Peers) != 0 {
		t.Errorf("the lobby shows the meeting before: %+v", m.Room)
	}
	m, _ = play(t, m, ready)
	if m.me == id || m.me == "" {
		t.Error("the same id in two meetings")
	}
}

// A new room learns which of our devices really run, not which ones are switched on.
func TestMarksAtTheStart(t *testing.T) {
	for name, c := range map[string]struct {
		events      []any
		mic, camera bool
	}{
		"nothing runs yet": {[]any{NewMeeting{}, ready}, false, false},
		"both run":         {[]any{NewMeeting{}, opens(media.Camera), opens(media.Microphone), ready}, true, true},
		"no camera":        {[]any{NewMeeting{}, opens(media.Microphone), fails(media.Camera, media.ErrNoDevice), ready}, true, false},
		"muted":            {[]any{Turn{media.Microphone, false}, NewMeeting{}, opens(media.Microphone), ready}, false, false},
	} {
		_, effects := play(t, fresh(), c.events...)
		me := effects[0].(openRoom).me
		if me.Mic != c.mic || me.Camera != c.camera {
			t.Errorf("%s: mic %v, camera %v", name, me.Mic, me.Camera)
		}
	}
}

// TestCarry: the transport learns who is in the meeting.
func TestCarry(t *testing.T) {
	offline := func(m model) event {
		return roomChanged{m.meeting, room.State{Link: room.Reconnecting, Members: m.Room.Members}}
	}
	in := earlier(member(ada, "Ada"))
	for name, c := range map[string]struct {
		model  model
		event  any
		member []transport.Member
		online bool
		told   bool
	}{
		"nobody":                   {live(t), roomIs(room.Connected), nil, true, true},
		"one who came before us":   {live(t), roomIs(room.Connected, in), []transport.Member{{ID: ada, Earlier: true}}, true, true},
		"and one who came after":   {live(t, in), roomIs(room.Connected, in, member(bo, "Bo")), []transport.Member{{ID: ada, Earlier: true}, {ID: bo}}, true, true},
		"one in the lobby":         {live(t, in), roomIs(room.Connected, in, room.Member{ID: bo}), []transport.Member{{ID: ada, Earlier: true}}, true, true},
		"one leaves":               {live(t, in, member(bo, "Bo")), roomIs(room.Connected, in), []transport.Member{{ID: ada, Earlier: true}}, true, true},
		"the rendezvous is lost":   {live(t, in), offline, []transport.Member{{ID: ada, Earlier: true}}, false, true},
		"we leave":                 {live(t, in), Leave{}, nil, false, false},
		"of an earlier meeting":    {live(t, in), roomChanged{0, room.State{Link: room.Connected}}, nil, false, false},
		"a call message":           {live(t, in), says(ada), nil, false, false},
		"one of another meeting":   {live(t, in), signalled{0, ada, nil}, nil, false, false},
		"a phase of one that left": {live(t, in), phaseChanged{bo, PeerFailed, 0}, nil, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, effects := play(t, c.model, c.event)
			told := false
			for _, e := range effects {
				if e, ok := e.(carry); ok {
					told = true
					if !slices.Equal(e.members, c.member) || e.online != c.online {
						t.Errorf("%+v, want %+v, online %v", e, c.member, c.online)
					}
				}
			}
			if told != c.told {
				t.Errorf("told %v, want %v; effects %q", told, c.told, brief(effects))
			}
		})
	}
	if _, effects := play(t, live(t, in), says(ada)); brief(effects) != "pass on Ada" {
		t.Errorf("effects %q", brief(effects))
	}
	if _, effects := play(t, live(t, in), signalled{0, ada, nil}); len(effects) != 0 {
		t.Errorf("effects %q", brief(effects))
	}
}

// TestWhoFailedDoesNotSpeak: a failed connection clears what was measured before.
func TestWhoFailedDoesNotSpeak(t *testing.T) {
	m := live(t, room.Member{ID: ada, Name: "Ada", Present: true, Mic: true})
	m, _ = play(t, m, phaseChanged{ada, PeerConnected, 0}, observed{ada, true, 4, Report{}})
	if p := m.Peers[0]; p.Phase != PeerConnected || !p.Speaking || p.Quality != 4 {
		t.Fatalf("%+v", p)
	}
	m, _ = play(t, m, phaseChanged{ada, PeerFailed, 0})
	if p := m.Peers[0]; p.Phase != PeerFailed || p.Speaking || p.Quality != 0 {
		t.Errorf("%+v", p)
	}
}

func TestPeersFollowTheirCards(t *testing.T) {
	m := live(t, member(ada, "Ada"), member(bo, "Bo"))
	x := room.Member{ID: bo, Name: "Bob", Present: true, Mic: true, Camera: true, Screen: true}
	m, _ = play(t, m, roomIs(room.Connected, x, member(ada, "Ada")), observed{bo, true, 4, Report{}}, observed{ada, true, 2, Report{}})
	want := Peer{ID: bo, Name: "Bob", Mic: true, Camera: true, Screen: true, Speaking: true, Quality: 4}
	if m.Peers[0] != want || m.Peers[1].Speaking {
		t.Errorf("%+v; who is muted does not speak", m.Peers)
	}
	x.Mic = false
	if m, _ = play(t, m, roomIs(room.Connected, x)); m.Peers[0].Speaking || m.Peers[0].Mic {
		t.Error("muted, and still speaking")
	}
}

func listed(k media.Kind, names ...string) devicesListed {
	ev := devicesListed{kind: k}
	for _, n := range names {
		ev.list = append(ev.list, media.Device{Kind: k, ID: n, Name: "The " + n})
	}
	return ev
}

func TestDevices(t *testing.T) {
	const cam, mic = media.Camera, media.Microphone
	stop := errors.New("stopped")
	pick := func(more ...any) []any { return append([]any{Choose{Kind: cam, ID: "usb"}}, more...) }
	for name, c := range map[string]struct {
		kind    media.Kind
		events  []any // when live
		want    Local
		effects string
	}{
		"opens":                         {cam, []any{opens(cam)}, Local{On: true, Live: true, Choice: "default"}, ""},
		"late news of it":               {cam, []any{deviceOpened{kind: cam}}, Local{On: true, Choice: "default"}, ""},
		"off":                           {cam, []any{opens(cam), Turn{cam, false}}, Local{Choice: "default"}, "close camera"},
		"on":                            {cam, []any{Turn{cam, false}, Turn{cam, true}}, Local{On: true, Choice: "default"}, "open camera default"},
		"on twice":                      {cam, []any{Turn{cam, true}}, Local{On: true, Choice: "default"}, ""},
		"opened after it was off":       {cam, []any{func(m model) event { return Turn{cam, false} }, deviceOpened{cam, 1, media.Device{}, Format{}}}, Local{Choice: "default"}, ""},
		"failed after off and on":       {cam, []any{Turn{cam, false}, Turn{cam, true}, deviceFailed{cam, 1, stop}}, Local{On: true, Choice: "default"}, ""},
		"muted, the microphone is open": {mic, []any{opens(mic), Turn{mic, false}}, Local{Live: true, Choice: "default"}, ""},
		"another one":                   {cam, pick(), Local{On: true, Choice: "usb"}, "close camera, open camera usb"},
		"the same one":                  {cam, []any{Choose{Kind: cam, ID: "usb"}, opens(cam), Choose{Kind: cam, ID: "usb"}}, Local{On: true, Live: true, Choice: "usb"}, ""},
		"another one while off":         {cam, []any{Turn{cam, false}, Choose{Kind: cam, ID: "usb"}}, Local{Choice: "usb"}, ""},
		"none":                          {cam, []any{Choose{Kind: cam, ID: media.SpecOff}}, Local{Choice: "off"}, "close camera"},
		"none, then on":                 {cam, []any{Choose{Kind: cam, ID: media.SpecOff}, Turn{cam, true}}, Local{On: true, Choice: "default"}, "open camera default"},
		"the chosen one fails":          {cam, pick(fails(cam, media.ErrBusy)), Local{On: true, Choice: "usb", Problem: Problem{Kind: DeviceBusy, Device: cam}}, "open camera default"},
		"another stands in":             {cam, pick(fails(cam, media.ErrBusy), opens(cam)), Local{On: true, Live: true, Choice: "usb"}, ""},
		"the chosen one is back":        {cam, pick(fails(cam, media.ErrLost), opens(cam), listed(cam, "usb")), Local{On: true, Choice: "usb"}, "close camera, open camera usb"},
		"by its name too":               {cam, []any{Choose{Kind: cam, ID: "The usb"}, fails(cam, media.ErrLost), opens(cam), listed(cam, "usb")}, Local{On: true, Choice: "The usb"}, "close camera, open camera The usb"},
		"another is plugged in":         {cam, pick(fails(cam, media.ErrLost), opens(cam), listed(cam, "other")), Local{On: true, Live: true, Choice: "usb"}, ""},
		"nothing stands in":             {cam, pick(fails(cam, media.ErrLost), fails(cam, media.ErrNoDevice)), Local{On: true, Choice: "usb", Problem: Problem{Kind: DeviceMissing, Device: cam}}, ""},
		"until one is plugged in":       {cam, pick(fails(cam, media.ErrLost), fails(cam, media.ErrNoDevice), listed(cam, "other")), Local{On: true, Choice: "usb", Problem: Problem{Kind: DeviceMissing, Device: cam}}, "close camera, open camera default"},
		"and works":                     {cam, pick(fails(cam, media.ErrLost), fails(cam, media.ErrNoDevice), listed(cam, "other"), opens(cam)), Local{On: true, Live: true, Choice: "usb"}, ""},
		"a list while it opens":         {cam, []any{listed(cam, "usb")}, Local{On: true, Choice: "default"}, ""},
		"the same list":                 {cam, []any{listed(cam, "usb"), fails(cam, media.ErrNoDevice), listed(cam, "usb")}, Local{On: true, Choice: "default", Problem: Problem{Kind: DeviceMissing, Device: cam}}, ""},
		"busy is tried again":           {cam, []any{fails(cam, media.ErrBusy)}, Local{On: true, Choice: "default", Problem: Problem{Kind: DeviceBusy, Device: cam}}, "reopen in 3s"},
		"so is what stopped":            {mic, []any{opens(mic), fails(mic, stop)}, Local{On: true, Choice: "default", Problem: Problem{Kind: DeviceFailed, Device: mic}}, "reopen in 3s"},
		"no device is not":              {cam, []any{fails(cam, media.ErrNoDevice)}, Local{On: true, Choice: "default", Problem: Problem{Kind: DeviceMissing, Device: cam}}, ""},
		"again":                         {cam, []any{fails(cam, media.ErrBusy), again(cam)}, Local{On: true, Choice: "default", Problem: Problem{Kind: DeviceBusy, Device: cam}}, "close camera, open camera default"},
		"not when it is off by then":    {cam, []any{fails(cam, media.ErrBusy), Turn{cam, false}, reopen{cam, 2}}, Local{Choice: "default"}, ""},
		"off and on tries the choice":   {cam, pick(fails(cam, media.ErrBusy), opens(cam), Turn{cam, false}, Turn{cam, true}), Local{On: true, Choice: "usb"}, "open camera usb"},
		"unmuting tries again":          {mic, []any{fails(mic, media.ErrNoDevice), Turn{mic, false}, Turn{mic, true}}, Local{On: true, Choice: "default", Problem: Problem{Kind: DeviceMissing, Device: mic}}, "close microphone, open microphone default"},
		"muting hides no problem":       {mic, []any{fails(mic, media.ErrNoDevice), Turn{mic, false}}, Local{Choice: "default", Problem: Problem{Kind: DeviceMissing, Device: mic}}, ""},
		"no speaker, so a silent one":   {media.Speaker, []any{fails(media.Speaker, media.ErrNoDevice)}, Local{On: true, Choice: "default", Problem: Problem{Kind: DeviceMissing, Device: media.Speaker}}, "open speaker off"},
		"the chosen speaker first":      {media.Speaker, []any{Choose{Kind: media.Speaker, ID: "hdmi"}, fails(media.Speaker, media.ErrLost)}, Local{On: true, Choice: "hdmi", Problem: Problem{Kind: DeviceUnplugged, Device: media.Speaker}}, "open speaker default"},
		"a speaker comes":               {media.Speaker, []any{fails(media.Speaker, media.ErrNoDevice), listed(media.Speaker, "x")}, Local{On: true, Choice: "default", Problem: Problem{Kind: DeviceMissing, Device: media.Speaker}}, "close speaker, open speaker default"},
		"the speaker off is silent":     {media.Speaker, []any{opens(media.Speaker), Turn{media.Speaker, false}}, Local{Live: true, Choice: "default"}, ""},
		"a screen":                      {media.Screen, []any{Choose{Kind: media.Screen, ID: "1"}}, Local{On: true, Choice: "1"}, "open screen 1"},
		"another screen":                {media.Screen, []any{Choose{Kind: media.Screen, ID: "1"}, opens(media.Screen), Choose{Kind: media.Screen, ID: "2"}}, Local{On: true, Choice: "2"}, "close screen, open screen 2"},
		"no such screen":                {media.Screen, []any{Choose{Kind: media.Screen, ID: "9"}, fails(media.Screen, media.ErrNoDevice)}, Local{Choice: "9"}, ""},
		"no screen any more":            {media.Screen, []any{Choose{Kind: media.Screen, ID: "1"}, opens(media.Screen), StopScreen{}}, Local{Choice: "1"}, "close screen"},
		"its sound is not to be had":    {media.Screen, []any{Choose{Kind: media.Screen, ID: "1", Sound: true}, opens(media.Screen), soundFailed{1, media.ErrUnsupported}}, Local{On: true, Live: true, Choice: "1"}, ""},
		"the same with sound":           {media.Screen, []any{Choose{Kind: media.Screen, ID: "1"}, opens(media.Screen), Choose{Kind: media.Screen, ID: "1", Sound: true}}, Local{On: true, Choice: "1", Sound: true}, "close screen, open screen 1 with sound"},
		"which screen?":                 {media.Screen, []any{Turn{media.Screen, true}}, Local{}, ""},
		"it ends with the meeting":      {media.Screen, []any{Choose{Kind: media.Screen, ID: "1"}, Leave{}}, Local{Choice: "1"}, "closeRoom, close camera, close microphone, close speaker, close screen"},
		"never by surprise":             {media.Screen, []any{Leave{}, Choose{Kind: media.Screen, ID: "1"}, Join{}}, Local{}, "prepare, open camera default, open microphone default, open speaker default"},
	} {
		t.Run(name, func(t *testing.T) {
			m, effects := play(t, live(t), c.events...)
			l := *m.local(c.kind)
			if l.On != c.want.On || l.Live != c.want.Live || l.Choice != c.want.Choice || l.Sound != c.want.Sound ||
				l.Problem != c.want.Problem {
				t.Errorf("%+v, want %+v", l, c.want)
			}
			if got := brief(effects); got != c.effects {
				t.Errorf("effects %q, want %q", got, c.effects)
			}
		})
	}
}

// A muted microphone is muted before it opens.
func TestMutedBeforeOpen(t *testing.T) {
	_, effects := play(t, fresh(), Turn{media.Microphone, false}, NewMeeting{})
	muted := false
	for _, e := range effects {
		switch e := e.(type) {
		case mute:
			muted = e.muted
		case openDevice:
			if !muted {
				t.Fatalf("%s opens before the microphone is muted", e.kind)
			}
		}
	}
}

func TestStandInIsSaidOnce(t *testing.T) {
	m := live(t)
	m, _ = play(t, m, Choose{Kind: media.Camera, ID: "usb"}, fails(media.Camera, media.ErrLost), opens(media.Camera))
	if m.Problem != (Problem{Kind: DeviceReplaced, Device: media.Camera, Name: "Thing"}) {
		t.Errorf("problem %q", m.Problem)
	}
	if m, _ = play(t, m, listed(media.Camera, "usb")); m.Problem != (Problem{}) {
		t.Errorf("the chosen one is back, but %q", m.Problem)
	}
}

// TestLossCoversNoProblem: what was wrong before the rendezvous was out of reach is said again after that.
func TestLossCoversNoProblem(t *testing.T) {
	lost := func(err string) func(model) event { return roomFails(room.Reconnecting, errors.New(err)) }
	missing := replacedProblem(media.Camera, media.Device{Name: "Thing"})
	m := live(t)
	m, _ = play(t, m, Choose{Kind: media.Camera, ID: "usb"}, fails(media.Camera, media.ErrLost), opens(media.Camera), lost("a"), lost("b"))
	if m.Problem.Kind != ServerUnreachable {
		t.Fatalf("out of reach, and %q", m.Problem)
	}
	back, _ := play(t, m, roomIs(room.Connected))
	if back.Problem != missing {
		t.Errorf("back, and %q", back.Problem)
	}
	back, _ = play(t, m, Dismiss{}, roomIs(room.Connected))
	if back.Problem != (Problem{}) {
		t.Errorf("dismissed, and %q", back.Problem)
	}
}

// TestCommandsAreCounted: each command, whether or not it changes anything, and nothing else.
func TestCommandsAreCounted(t *testing.T) {
	m := live(t)
	before := m.Handled
	m, _ = play(t, m, NewMeeting{}, Leave{}, Leave{}, Join{}, Close{}, TestSpeaker{}, Dismiss{}, Open{Text: "x"}, Room{}, roomIs(room.Connected))
	if n := m.Handled - before; n != 9 {
		t.Errorf("%d commands are counted, want 9", n)
	}
}

// TestSwitchesAreCounted: each command that switches a device, whether or not it changes anything.
func TestSwitchesAreCounted(t *testing.T) {
	m, _ := play(t, live(t), Turn{media.Camera, true}, Turn{media.Camera, false}, Turn{media.Microphone, true},
		Choose{Kind: media.Camera, ID: "usb"}, Choose{Kind: media.Screen, ID: "1"}, StopScreen{}, StopScreen{})
	if m.Camera.Switched != 2 || m.Mic.Switched != 1 || m.Screen.Switched != 3 || m.Speaker.Switched != 0 {
		t.Errorf("camera %d, microphone %d, screen %d, speaker %d", m.Camera.Switched, m.Mic.Switched, m.Screen.Switched, m.Speaker.Switched)
	}
}

// TestProblems: each error maps to its Problem, which contains no secret.
func TestProblems(t *testing.T) {
	kinds := map[ProblemKind]bool{}
	see := func(p Problem, want ProblemKind) {
		t.Helper()
		kinds[p.Kind] = true
		if p.Kind != want || p.String() == "" {
			t.Errorf("%q, want %q", p, want)
		}
		if s := fmt.Sprintf("%+v", p); strings.Contains(s, string(meeting.Code)) || strings.Contains(s, meeting.Code.String()) {
			t.Errorf("a code in %q", s)
		}
	}
	for _, k := range []media.Kind{media.Camera, media.Microphone, media.Speaker} {
		see(replacedProblem(k, media.Device{Name: "Thing"}), DeviceReplaced)
		for err, want := range map[error]ProblemKind{
			media.ErrNoDevice: DeviceMissing, media.ErrBusy: DeviceBusy, media.ErrLost: DeviceUnplugged,
			media.ErrFormat: DeviceFormat, fs.ErrPermission: DeviceDenied, media.ErrUnsupported: DeviceUnsupported, media.ErrCorrupt: DeviceFailed,
		} {
			see(deviceProblem(k, fmt.Errorf("open: %w", err)), want)
		}
	}
	for err, want := range map[error]ProblemKind{
		room.ErrFull: MeetingFull, room.ErrReplaced: JoinedElsewhere,
		room.ErrVersion: WrongVersion, room.ErrOldServer: OldServer, room.ErrNotRendezvous: NotRendezvous, errors.New("x"): ServerRefuses,
	} {
		see(roomProblem(meeting, fmt.Errorf("join: %w", err)), want)
	}
	for err, want := range map[error]ProblemKind{
		signal.ErrLink: BadLink, signal.ErrCode: BadCode, signal.ErrNoServer: NoServer, signal.ErrServer: BadServer,
	} {
		see(linkProblem(err), want)
	}
	see(serverProblem(meeting, ServerUnreachable), ServerUnreachable)
	see(serverProblem(signal.Link{}, ServerUnreachable), ServerUnreachable)
	names := map[string]bool{}
	for _, k := range ProblemKinds() {
		if k.String() == "" || names[k.String()] {
			t.Errorf("kind %d is named %q, as another is, or not at all", k, k)
		}
		names[k.String()] = true
	}
}

func TestLatestRoomKeepsTheLaterMeeting(t *testing.T) {
	l := latestRoom{ready: make(chan struct{}, 1)}
	l.put(roomChanged{meeting: 2})
	l.put(roomChanged{meeting: 1}) // the last word of the room that is being left
	if got := l.take(); len(got) != 1 || got[0].(roomChanged).meeting != 2 {
		t.Errorf("%+v", got)
	}
	if got := l.take(); got != nil {
		t.Errorf("taken twice: %+v", got)
	}
}

// TestSoundIsSetAtOnce: SetSound changes the microphone's encoding and processing.
func TestSoundIsSetAtOnce(t *testing.T) {
	original := Sound{Noise: true, Original: true}
	m, effects := next(fresh(), SetSound{original}, time.Time{})
	if m.Sound != original || len(effects) != 1 || effects[0] != (setSound{original}) {
		t.Errorf("%+v, %+v", m.Sound, effects)
	}
	if p := original.processing(); p != (media.AudioProcessing{}) {
		t.Errorf("original sound is processed: %+v", p)
	}
	if c := original.coding(soundPaths{loss: 0.3, lean: true}); !c.Music || c.DTX || c.BitRate < 96_000 || c.Loss != 0.3 {
		t.Errorf("original sound is coded as %+v", c)
	}
	if p, c := (Sound{Noise: true}).processing(), (Sound{}).coding(soundPaths{}); !p.Echo || !p.Noise || !p.Gain || c.Music || !c.DTX {
		t.Errorf("a voice: %+v, %+v", p, c)
	}
}

// TestSoundFollowsThePaths: one narrow path makes a voice lean, until all are wide again.
func TestSoundFollowsThePaths(t *testing.T) {
	path := func(estimate int, loss float64, repeats bool) transport.Stats {
		return transport.Stats{Estimate: estimate, Loss: loss, Repeats: repeats, Pace: transport.Pace{Limited: estimate < 1_000_000}}
	}
	p := unmeasured
	for _, step := range []struct {
		name string
		all  map[signal.ID]transport.Stats
		want soundPaths
	}{
		{"wide", map[signal.ID]transport.Stats{"a": path(2_000_000, 0, true)}, soundPaths{}},
		{"one of two is narrow", map[signal.ID]transport.Stats{"a": path(2_000_000, 0, true), "b": path(300_000, 0, true)}, soundPaths{lean: true}},
		{"it wanders", map[signal.ID]transport.Stats{"b": path(500_000, 0, true)}, soundPaths{lean: true}},
		{"it is wide again", map[signal.ID]transport.Stats{"b": path(700_000, 0, true)}, soundPaths{}},
		{"it wanders back", map[signal.ID]transport.Stats{"b": path(500_000, 0, true)}, soundPaths{}},
		{"small pictures need no more", map[signal.ID]transport.Stats{"b": {Estimate: 300_000, Repeats: true}}, soundPaths{}},
		{"loss without RED", map[signal.ID]transport.Stats{"a": path(2_000_000, 0.2, false), "b": path(2_000_000, 0.5, true)}, soundPaths{loss: 0.2}},
		{"nobody", nil, soundPaths{}},
	} {
		if p = p.next(step.all); p != step.want {
			t.Errorf("%s: %+v, want %+v", step.name, p, step.want)
		}
	}
	if full, lean := (Sound{}).coding(soundPaths{}), (Sound{}).coding(soundPaths{lean: true}); full.BitRate != voice.BitRate || lean.BitRate != leanVoice {
		t.Errorf("a voice is coded as %+v, and over a narrow path as %+v", full, lean)
	}
}

// TestInside: the phases in which the user is in a meeting.
func TestInside(t *testing.T) {
	for p, want := range map[Phase]bool{
		Idle: false, Lobby: false, Joining: true, Live: true, Reconnecting: true, Ended: false,
	} {
		if p.Inside() != want {
			t.Errorf("%v: %v", p, p.Inside())
		}
	}
}
