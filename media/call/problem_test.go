package call

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"parley/signal"
	"parley/signal/room"
)

// State says what keeps us from the rendezvous. None of it ends a call.
func TestLossesAreNamed(t *testing.T) {
	now := time.Date(2026, 11, 27, 16, 0, 30, 0, time.UTC)
	m := model{State: State{Phase: Live}, link: meeting, meeting: 1}
	kinds := map[ProblemKind]bool{}
	for k := room.Unreachable; k <= room.ProxySetting; k++ {
		f := &room.Failure{Kind: k, Host: "meet.example", By: "proxy.example:3128", Status: 403, Names: "a.example", Time: now, Now: now}
		lost, _ := next(m, roomChanged{1, room.State{Link: room.Reconnecting, Err: fmt.Errorf("lost: %w", f)}}, now)
		if lost.Phase != Reconnecting || kinds[lost.Problem.Kind] || lost.Problem.Host != "meet.example" {
			t.Errorf("%v: %q in phase %v", f, lost.Problem, lost.Phase)
		}
		kinds[lost.Problem.Kind] = true
		if (k == room.ProxySetting) != (lost.Problem.Kind == ProxySetting) || (k == room.SignIn) != (lost.Problem.Kind == SignIn) {
			t.Errorf("%v is %q", f, lost.Problem)
		}
		back, _ := next(lost, roomChanged{1, room.State{Link: room.Connected}}, now)
		if back.Problem != (Problem{}) || back.Phase != Live {
			t.Errorf("%q stays after the connection is back", back.Problem)
		}
	}
	other, _ := next(m, roomChanged{1, room.State{Link: room.Reconnecting, Err: errors.New("gone")}}, now)
	if other.Problem != serverProblem(meeting, ServerUnreachable) {
		t.Errorf("another loss: %v", other.Problem)
	}
}

// A text with several links lets the user choose. Until then, nothing is opened.
func TestSeveralMeetingsAreAsked(t *testing.T) {
	m := model{server: func(text string) (signal.Link, error) { return signal.ParseLink(text, nil) }}
	two := "https://a.example/#7k3m-q9xt-2w8p or https://b.example/#aaaa-bbbb-2222"
	m, effects := next(m, Open{Text: two}, time.Time{})
	if m.Problem.Kind != SeveralMeetings || len(m.Candidates) != 2 || len(effects) != 0 || m.Phase != Idle {
		t.Fatalf("%v, %d candidates, %d effects", m.Problem, len(m.Candidates), len(effects))
	}
	m, _ = next(m, Open{Text: m.Candidates[1].String()}, time.Time{})
	if m.Phase != Lobby || m.Code != "aaaa-bbbb-2222" || m.Candidates != nil {
		t.Errorf("in phase %v of %s", m.Phase, m.Code)
	}
}
