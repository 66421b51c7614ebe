package ui

import (
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"parley/media"
	"parley/media/call"
	"parley/signal"
	"parley/signal/room"
	"parley/signal/roster"
)

func hostAction(kind roster.Kind, target signal.ID, on bool) call.Command {
	return call.Room{Command: room.Host{Action: roster.Action{Kind: kind, Target: target, On: on}}}
}

func TestKnocks(t *testing.T) {
	w, c := open(t, fyne.NewSize(1280, 720))
	show(w, hosting(0)())
	if w.stage.knocks.box.Visible() {
		t.Error("nobody knocks")
	}
	s := hosting(1)()
	show(w, s)
	first := s.Room.Knocking[0].ID
	test.Tap(w.stage.knocks.admit)
	wants(t, c, hostAction(roster.Admit, first, true))
	test.Tap(w.stage.knocks.deny)
	wants(t, c, hostAction(roster.Deny, first, true))
	show(w, hosting(3)())
	test.Tap(w.stage.knocks.deny)
	wants(t, c, hostAction(roster.Deny, first, true))
	test.Tap(w.stage.knocks.admit)
	wants(t, c, hostAction(roster.AdmitAll, "", true))
}

func TestMenusOfHosts(t *testing.T) {
	w, c := open(t, fyne.NewSize(1280, 720))
	s := hosting(0)()
	show(w, s)
	w.stage.togglePanel(peoplePanel)
	other, coHost := s.Peers[0].ID, s.Peers[1].ID
	rows := w.stage.people.rows
	test.Tap(rows[1].SetMore(true))
	pick(t, w, "Mute")
	wants(t, c, hostAction(roster.Mute, other, true))
	test.Tap(rows[2].SetMore(true))
	pick(t, w, "No longer co-host")
	wants(t, c, hostAction(roster.UnmakeCoHost, coHost, true))
	remove := func() { items := w.personItems(other); items[len(items)-1].OnTap() }
	remove()
	wants(t, c) // it is asked first
	w.question.refuse()
	remove()
	test.Tap(w.question.yes)
	wants(t, c, hostAction(roster.Remove, other, true))
	for label, want := range map[string]call.Command{
		"Waiting room":        hostAction(roster.SetWaiting, "", false), // it is on
		"Locked: nobody else": hostAction(roster.SetLocked, "", true),
		"Write in the chat":   hostAction(roster.ReserveChat, "", true),
	} {
		test.Tap(w.stage.people.more)
		pick(t, w, label)
		wants(t, c, want)
	}
	// What a co-host cannot do is not offered, and a member is offered nothing.
	s.Room.Me.Role, s.Room.Members[0].Role = roster.CoHost, roster.Owner
	show(w, s)
	if items := w.personItems(other); len(items) > 0 {
		t.Errorf("a co-host is offered %q for the owner", items[1].Label)
	}
	for _, item := range append(w.personItems(coHost), w.meetingItems()...) {
		switch item.Label {
		case "Remove…", "Make co-host", "No longer co-host", "Hand the meeting over…", "End the meeting for all…":
			t.Errorf("a co-host is offered %q", item.Label)
		}
	}
	s.Room.Me.Role = roster.Member
	show(w, s)
	if w.stage.people.more.Visible() || len(w.personItems(coHost)) > 0 {
		t.Error("a member is offered what hosts do")
	}
	// A menu of somebody who leaves is empty, not wrong.
	s.Room.Me.Role, s.Room.Members = roster.Owner, nil
	show(w, s)
	if len(w.personItems(other)) > 0 {
		t.Error("there are choices for somebody who has gone")
	}
}

func TestWhatHostsTellUs(t *testing.T) {
	w, _ := open(t, fyne.NewSize(1280, 720))
	s := with(base(call.Live), 2)
	s.Mic.On = false
	s.Told = call.Told{N: 1, Order: roster.Mute, By: "Ada Lovelace"}
	show(w, s)
	if got := withoutIsolates(w.stage.banner.text.Text()); got != "Ada muted you" {
		t.Errorf("muted: %q", got)
	}
	test.Tap(w.stage.banner.close)
	if w.stage.banner.box.Visible() {
		t.Error("dismissed, and still there")
	}
	s.Told.N = 2
	show(w, s)
	if !w.stage.banner.box.Visible() {
		t.Error("muted once more, and nothing is said")
	}
	s.Mic.On = true
	show(w, s)
	if w.stage.banner.box.Visible() {
		t.Error("unmuted, and still told of it")
	}
	for _, told := range []call.Told{
		{Order: roster.StopPresenting},
		{Order: roster.StopPresenting, By: "Ada"},
		{Why: call.HostsOnly},
		{Why: call.OwnerOnly},
		{Why: call.NotToHosts},
		{Why: call.NotHere},
		{Why: call.NoHosts},
		{Why: call.Exhausted},
		{Why: call.Forked},
	} {
		told.N = s.Told.N + 1
		s.Told = told
		if toldText(s) == "" {
			t.Errorf("%+v: nothing is said", told)
		}
	}
}

// TestWhoWaits changes name and devices until a host lets them in, and does not join twice.
func TestWhoWaits(t *testing.T) {
	w, c := openScaled(t, fyne.NewSize(1280, 720), nil)
	st := base(call.Waiting)
	st.Room.Standing = roster.Waiting
	show(w, st)
	l := w.lobby
	if !l.join.Disabled() {
		t.Error("who waits can join")
	}
	l.submit()
	wants(t, c)
	l.name.Entry.SetText("Grace Hopper")
	if l.join.Disabled() {
		t.Error("who waits cannot change their name")
	}
	test.Tap(l.join)
	wants(t, c, call.SetName{Name: "Grace Hopper"})
	test.Tap(l.mic)
	wants(t, c, call.Turn{Kind: media.Microphone, On: !st.Mic.On})
	test.Tap(l.back)
	wants(t, c, call.Leave{})
}
