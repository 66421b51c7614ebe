package call

import (
	"testing"

	"parley/media/transport"
	"parley/signal"
	"parley/signal/room"
)

// The transport is told the newest servers, and whether our address is hidden, in the meeting and from then on.
func TestTransportIsToldHowToReachOthers(t *testing.T) {
	turn := []signal.ICEServer{{URLs: []string{"stun:a.example", "turn:a.example"}, Username: "u", Credential: "c"}}
	told := func(effects []effect) (r transport.Route, ok bool) {
		for _, e := range effects {
			if e, is := e.(carry); is {
				return e.route, true
			}
		}
		return r, false
	}
	m := live(t)
	m, effects := play(t, m, roomChanged{m.meeting, room.State{Link: room.Connected, ICE: turn}})
	if r, ok := told(effects); !ok || len(r.Servers) != 1 || r.RelayOnly {
		t.Errorf("told %v: %+v", ok, r)
	}
	m, effects = play(t, m, HideAddress{true})
	if r, ok := told(effects); !ok || len(r.Servers) != 1 || !r.RelayOnly || !m.AddressHidden {
		t.Errorf("told %v: %+v", ok, r)
	}
	if p := m.RelayMissing(); p != (Problem{}) {
		t.Errorf("with a relay: %v", p)
	}
	m, effects = play(t, m, roomChanged{m.meeting, room.State{Link: room.Connected, ICE: turn[:0]}})
	if r, _ := told(effects); len(r.Servers) != 0 || !r.RelayOnly {
		t.Errorf("told %+v", r)
	}
	if p := m.RelayMissing(); p.Kind != HiddenWithoutRelay {
		t.Errorf("without a relay: %v", p)
	}
	m, _ = play(t, m, HideAddress{false})
	if p := m.RelayMissing(); p != (Problem{}) {
		t.Errorf("nothing is hidden: %v", p)
	}
	if _, effects = play(t, model{}, HideAddress{true}); len(effects) != 0 {
		t.Errorf("outside of a meeting: %q", brief(effects))
	}
}

// Why a member cannot be reached stays known while the next attempt is under way, and goes when it succeeds.
func TestPathProblem(t *testing.T) {
	names := map[transport.Obstacle]string{
		transport.NoObstacle: "", transport.WithoutRelay: "without-relay", transport.HiddenWithoutRelay: "hidden-without-relay",
		transport.WithoutUDPNorRelay: "without-udp-nor-relay", transport.WithoutUDP: "without-udp",
		transport.RelaySilent: "relay-silent", transport.TheirNetwork: "their-network",
	}
	for o, want := range names {
		m, _ := play(t, live(t, member(ada, "Ada")), phaseChanged{ada, PeerFailed, o})
		for _, next := range []PeerPhase{PeerReconnecting, PeerConnecting} {
			if got := m.Peers[0].Problem.String(); got != want {
				t.Errorf("%d, %v: %q, want %q", o, next, got, want)
			}
			m, _ = play(t, m, phaseChanged{ada, next, o})
		}
		m, _ = play(t, m, phaseChanged{ada, PeerConnected, o})
		if p := m.Peers[0].Problem; p != (Problem{}) {
			t.Errorf("connected, and %v", p)
		}
	}
}
