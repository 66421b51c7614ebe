package call

import (
	"errors"
	"net/url"
	"slices"
	"testing"

	"parley/signal/identity"
)

// We reach a meeting that this app hosts at an address of our own, and others by its link.
func TestHostedMeeting(t *testing.T) {
	own := &url.URL{Scheme: "http", Host: "127.0.0.1:8443"}
	hosted := func(m model) event {
		return prepared{meeting: m.meeting, link: meeting, identity: identity.New(), hosted: &Hosted{Link: meeting, Own: own, Hosting: HostedAlone}}
	}
	m, effects := play(t, fresh(), NewMeeting{}, hosted)
	if m.Hosting != HostedAlone || m.Link != meeting.String() {
		t.Errorf("hosting %d, link %t", m.Hosting, m.Link == meeting.String())
	}
	if open, ok := effects[0].(openRoom); !ok || open.own != own {
		t.Errorf("the room is opened by %+v", effects)
	}
	if m, _ = play(t, m, Open{Text: "good"}); m.Hosting != NotHosted {
		t.Error("another meeting is said to be hosted here")
	}
	// A meeting that cannot be hosted is tried again with a code of the same kind.
	short := func(effects []effect) bool {
		return slices.ContainsFunc(effects, func(e effect) bool { p, ok := e.(prepare); return ok && p.short })
	}
	for _, want := range []bool{true, false} {
		m, effects := play(t, m, NewMeeting{Short: want})
		if short(effects) != want {
			t.Errorf("a meeting with a short code, %v, prepares %v", want, effects)
		}
		m, _ = play(t, m, func(m model) event { return prepared{meeting: m.meeting, err: errors.New("no port")} })
		if _, effects = play(t, m, Join{}); short(effects) != want {
			t.Errorf("the second try with a short code, %v, prepares %v", want, effects)
		}
	}
	// Whoever gave up meanwhile hosts nothing.
	m, _ = play(t, fresh(), NewMeeting{})
	late := hosted(m)
	if _, effects = play(t, m, Leave{}, late); !slices.Contains(effects, effect(unhost{""})) {
		t.Errorf("a meeting that was given up stays hosted: %v", effects)
	}
}

// TestHostingChanged: the link of a meeting that we host follows the router, and that of another one does not.
func TestHostingChanged(t *testing.T) {
	own := &url.URL{Scheme: "http", Host: "127.0.0.1:8443"}
	hosted := func(m model) event {
		return prepared{meeting: m.meeting, link: meeting, identity: identity.New(), hosted: &Hosted{Link: meeting, Own: own, Hosting: HostedHere}}
	}
	wide := meeting
	wide.At = []string{"5.0.0.10:8443"}
	changed := func(m model) event {
		return hostingChanged{m.meeting, &Hosted{Link: wide, Own: own, Hosting: HostedAnywhere}}
	}
	m, effects := play(t, fresh(), NewMeeting{}, hosted, changed)
	if m.Hosting != HostedAnywhere || m.Link != wide.String() || len(effects) != 0 {
		t.Errorf("hosting %d, link %t, %v", m.Hosting, m.Link == wide.String(), effects)
	}
	hidden := fresh()
	hidden.AddressHidden = true
	if m, effects := play(t, hidden, NewMeeting{}); !slices.ContainsFunc(effects, func(e effect) bool { p, ok := e.(prepare); return ok && p.hidden }) {
		t.Errorf("who hides the address prepares %v", effects)
	} else if m, _ = play(t, m, hosted, changed); m.Hosting != HostedHere || m.Link == wide.String() {
		t.Errorf("who hides the address gives the router's away: hosting %d", m.Hosting)
	}
	late := changed(m)
	if m, _ = play(t, m, Leave{}, NewMeeting{}, hosted, late); m.Hosting != HostedHere || m.Link == wide.String() {
		t.Errorf("in the next meeting: hosting %d", m.Hosting)
	}
	if m, _ = play(t, fresh(), Open{Text: "good"}, changed); m.Hosting != NotHosted || m.Link == wide.String() {
		t.Errorf("a meeting that is hosted elsewhere: hosting %d", m.Hosting)
	}
}

func TestHostProblem(t *testing.T) {
	if p := hostProblem(PortTaken{8443}); p != (Problem{Kind: PortInUse, Port: 8443}) {
		t.Errorf("%v", p)
	}
	if p := hostProblem(errors.New("no")); p != (Problem{Kind: CannotHost}) {
		t.Errorf("%v", p)
	}
}
