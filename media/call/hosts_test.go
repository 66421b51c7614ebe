package call

import (
	"crypto/ed25519"
	"fmt"
	"sync"
	"testing"

	"parley/media"
	"parley/signal"
	"parley/signal/room"
	"parley/signal/roster"
)

// rules: what the hosts of the present meeting have decided.
func rules(standing roster.Standing, policy roster.Policy, members ...room.Member) func(model) event {
	return func(m model) event {
		return roomChanged{m.meeting, room.State{
			Link: room.Connected, Me: m.Room.Me, Standing: standing, Policy: policy, Hosted: true, Members: members,
		}}
	}
}

func told(n room.Notice) func(model) event {
	return func(m model) event { return noticed{m.meeting, n} }
}

func TestAdmission(t *testing.T) {
	open := roster.Policy{}
	in, waits := rules(roster.In, open, member(ada, "Ada")), rules(roster.Waiting, roster.Policy{Waiting: true})
	out, over := rules(roster.Removed, open), rules(roster.Ended, open)
	for name, c := range map[string]struct {
		events []any
		phase  Phase
		reason Reason
		peers  int
	}{
		"open":                       {[]any{in}, Live, Left, 1},
		"waits":                      {[]any{waits}, Waiting, Left, 0},
		"waits, while it is locked":  {[]any{rules(roster.LockedOut, roster.Policy{Locked: true})}, Waiting, Left, 0},
		"is let in":                  {[]any{waits, in}, Live, Left, 1},
		"is denied":                  {[]any{waits, out}, Ended, Denied, 0},
		"is removed":                 {[]any{in, out}, Ended, Removed, 0},
		"is put back to wait":        {[]any{in, waits}, Waiting, Left, 0},
		"the meeting ends":           {[]any{in, over}, Ended, EndedForAll, 0},
		"loses the server, waiting":  {[]any{waits, roomIs(room.Reconnecting)}, Reconnecting, Left, 0},
		"finds it again, waits on":   {[]any{waits, roomIs(room.Reconnecting), waits}, Waiting, Left, 0},
		"leaves while waiting":       {[]any{waits, Leave{}}, Ended, Left, 0},
		"late news after it is over": {[]any{in, out, in}, Ended, Removed, 0},
	} {
		m, effects := play(t, fresh(), append([]any{Open{Text: "good", Join: true}, ready}, c.events...)...)
		if m.Phase != c.phase || m.Reason != c.reason || len(m.Peers) != c.peers {
			t.Errorf("%s: %v, reason %d, %d peers", name, m.Phase, m.Reason, len(m.Peers))
		}
		if c.phase != Live && m.Screen.On {
			t.Errorf("%s: shares on", name)
		}
		_ = effects
	}
	// In the lobby, too.
	if m, _ := play(t, fresh(), Open{Text: "good"}, ready, waits); m.Phase != Lobby {
		t.Errorf("in the lobby: %v", m.Phase)
	}
	if m, _ := play(t, fresh(), Open{Text: "good"}, ready, over); m.Phase != Ended {
		t.Errorf("in the lobby of a meeting that is over: %v", m.Phase)
	}
}

func TestOrdersOfHosts(t *testing.T) {
	live := func(events ...any) []any {
		return append([]any{Open{Text: "good", Join: true}, ready, rules(roster.In, roster.Policy{}, member(ada, "Ada"))}, events...)
	}
	order := func(k roster.Kind) any { return told(room.Notice{Order: k, By: ada}) }
	hostsOnly := rules(roster.In, roster.Policy{Present: true, Unmute: true}, member(ada, "Ada"))
	share := Choose{Kind: media.Screen, ID: "1"}
	on, off := Turn{Kind: media.Microphone, On: true}, Turn{Kind: media.Microphone}
	for name, c := range map[string]struct {
		events      []any
		mic, screen bool
		told        Told
	}{
		"mute":                           {live(order(roster.Mute)), false, false, Told{N: 1, Order: roster.Mute, By: "Ada"}},
		"mute who is muted":              {live(off, order(roster.Mute)), false, false, Told{}},
		"unmute oneself again":           {live(order(roster.Mute), on), true, false, Told{N: 1, Order: roster.Mute, By: "Ada"}},
		"asked to unmute: nothing is on": {live(off, order(roster.AskUnmute)), false, false, Told{N: 1, Order: roster.AskUnmute, By: "Ada"}},
		"stop presenting":                {live(share, order(roster.StopPresenting)), true, false, Told{N: 1, Order: roster.StopPresenting, By: "Ada"}},
		"the floor is the hosts'":        {live(share, hostsOnly), true, false, Told{N: 1, Order: roster.StopPresenting}},
		"a member may not share":         {live(hostsOnly, share), true, false, Told{N: 1, Why: HostsOnly}},
		"a member may not unmute":        {live(hostsOnly, off, on), false, false, Told{N: 1, Why: HostsOnly}},
		"unless a host asks":             {live(hostsOnly, off, order(roster.AskUnmute), on), true, false, Told{N: 1, Order: roster.AskUnmute, By: "Ada"}},
		"refused": {
			live(told(room.Notice{What: roster.ActionRefused, Err: fmt.Errorf("no: %w", roster.ErrNotOwner)})), true, false,
			Told{N: 1, Why: OwnerOnly},
		},
		"two heirs":          {live(told(room.Notice{What: roster.OwnerForked})), true, false, Told{N: 1, Why: Forked}},
		"of another meeting": {live(noticed{-1, room.Notice{Order: roster.Mute, By: ada}}), true, false, Told{}},
	} {
		m, _ := play(t, fresh(), c.events...)
		if m.Mic.On != c.mic || m.Screen.On != c.screen || m.Told != c.told {
			t.Errorf("%s: microphone %v, screen %v, %+v", name, m.Mic.On, m.Screen.On, m.Told)
		}
	}
}

// keyring is an Owned in memory.
type keyring struct {
	mu   sync.Mutex
	kept map[string]struct {
		key    ed25519.PrivateKey
		roster []byte
	}
}

func (k *keyring) Find(room string) (ed25519.PrivateKey, []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.kept[room].key, k.kept[room].roster
}

func (k *keyring) Keep(room string, key ed25519.PrivateKey, roster []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept[room] = struct {
		key    ed25519.PrivateKey
		roster []byte
	}{key, roster}
}

// TestHostsOfRealCalls: a meeting over a real service and a real mesh, with waiting room, an order, a removal and an owner
// who comes back.
func TestHostsOfRealCalls(t *testing.T) {
	server := rendezvous(t)
	keys := &keyring{kept: map[string]struct {
		key    ed25519.PrivateKey
		roster []byte
	}{}}
	owner := func(cfg *Config) { small(cfg); cfg.Owned = keys }
	ada := caller(t, server, "Ada", owner)
	ada.Do(NewMeeting{Join: true})
	eventually(t, "Ada owns the meeting", func() bool { return ada.State().Room.Me.Role == roster.Owner })
	link := ada.State().Link
	enter := func(name string) *Call {
		c := caller(t, server, name, small)
		c.Do(Open{Text: link, Join: true})
		return c
	}
	ben := enter("Ben")
	perceives(t, ben, "Ada")
	act := func(kind roster.Kind, target signal.ID, on bool) {
		ada.Do(Room{room.Host{Action: roster.Action{Kind: kind, Target: target, On: on}}})
	}
	act(roster.SetWaiting, "", true)
	eventually(t, "the door is closed", func() bool { return ben.State().Room.Policy.Waiting })
	cem := enter("Cem")
	eventually(t, "Cem knocks", func() bool { return len(ada.State().Room.Knocking) == 1 && cem.State().Phase == Waiting })
	if len(cem.State().Peers) > 0 || len(ben.State().Peers) != 1 {
		t.Error("somebody is connected with who waits")
	}
	act(roster.Admit, ada.State().Room.Knocking[0].ID, false)
	perceives(t, cem, "Ben")
	perceives(t, ben, "Cem")

	p, _ := peerNamed(ada, "Cem")
	act(roster.Mute, p.ID, false)
	eventually(t, "Cem is muted", func() bool { return !cem.State().Mic.On && cem.State().Told.By == "Ada" })
	eventually(t, "Ben sees it", func() bool { p, ok := peerNamed(ben, "Cem"); return ok && !p.Mic })
	act(roster.Remove, p.ID, false)
	eventually(t, "Cem is out", func() bool { s := cem.State(); return s.Phase == Ended && s.Reason == Removed })
	eventually(t, "Ben is not connected with Cem", func() bool { _, ok := peerNamed(ben, "Cem"); return !ok })
	eventually(t, "nothing flows", func() bool { _, ok := ben.stats(p.ID); return !ok })

	// The owner's program starts again: it waits for nobody, although the waiting room is on.
	ada.Do(Leave{})
	eventually(t, "Ada has left", func() bool { _, ok := peerNamed(ben, "Ada"); return !ok })
	again := caller(t, server, "Ada", owner)
	again.Do(Open{Text: link, Join: true})
	perceives(t, again, "Ben")
	if s := again.State(); s.Room.Me.Role != roster.Owner || s.Link != link {
		t.Errorf("role %d after a restart", s.Room.Me.Role)
	}
}

// TestAKnockIsHeard: once for each newcomer, and not while the speaker is off.
func TestAKnockIsHeard(t *testing.T) {
	knocks := func(n int) func(model) event {
		return func(m model) event {
			ev := rules(roster.In, roster.Policy{Waiting: true}, member(ada, "Ada"))(m).(roomChanged)
			ev.state.Knocking = make([]room.Member, n)
			return ev
		}
	}
	for name, c := range map[string]struct {
		events []any
		want   int
	}{
		"nobody":            {[]any{knocks(0)}, 0},
		"somebody":          {[]any{knocks(0), knocks(1)}, 1},
		"the same":          {[]any{knocks(1), knocks(1)}, 0},
		"one more":          {[]any{knocks(1), knocks(2)}, 1},
		"one fewer":         {[]any{knocks(2), knocks(1)}, 0},
		"with speakers off": {[]any{Turn{Kind: media.Speaker}, knocks(1)}, 0},
	} {
		_, effects := play(t, fresh(), append([]any{Open{Text: "good", Join: true}, ready}, c.events...)...)
		rings := 0
		for _, e := range effects {
			if _, ok := e.(playChime); ok {
				rings++
			}
		}
		if rings != c.want {
			t.Errorf("%s: it rings %d times", name, rings)
		}
	}
}
