package ui

import (
	"errors"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"parley/media/call"
	"parley/signal"
)

const (
	twoMeetings = "Ours: " + otherLink + " or theirs: " + thirdLink
	thirdLink   = "https://far.example.net/#cccc-dddd-3333"
)

// twoNamed is the state after pasting a text with two meeting links.
func twoNamed(t *testing.T, phase call.Phase) call.State {
	t.Helper()
	s := base(phase)
	_, err := signal.ParseLink(twoMeetings, nil)
	var several *signal.Ambiguous
	if !errors.As(err, &several) {
		t.Fatalf("%q: %v, want two meetings", twoMeetings, err)
	}
	s.Problem, s.Candidates = call.Problem{Kind: call.SeveralMeetings}, several.Links
	return s
}

// TestTwoMeetingsAreAsked: a text with two meeting links opens neither until the user chooses.
func TestTwoMeetingsAreAsked(t *testing.T) {
	w, c := open(t, start)
	show(w, base(call.Idle))
	w.home.code.Entry.SetText(twoMeetings)
	test.Tap(w.home.join)
	wants(t, c, call.Open{Text: twoMeetings})

	show(w, twoNamed(t, call.Idle))
	if w.question == nil || len(w.question.rows) != 2 {
		t.Fatal("nobody is asked which meeting is meant")
	}
	if got := w.question.title.Text(); got != "This text has two meetings. Which one?" {
		t.Errorf("the question is %q", got)
	}
	for i, want := range []string{"meet.example.org", "far.example.net"} {
		if got := w.question.rows[i].Name; got != want {
			t.Errorf("choice %d is at %q, want %q", i, got, want)
		}
	}
	show(w, twoNamed(t, call.Idle)) // an unrelated change
	if n := len(w.win.Canvas().Overlays().List()); n != 1 {
		t.Fatalf("%d questions lie on the window, want 1", n)
	}
	test.Tap(w.question.no)
	wants(t, c, call.Dismiss{})
	if w.question != nil {
		t.Error("the question stays after Cancel")
	}
	show(w, twoNamed(t, call.Idle)) // sent before the user refused
	if w.question != nil {
		t.Error("the question comes back after Cancel")
	}

	show(w, base(call.Idle))
	show(w, twoNamed(t, call.Idle))
	test.Tap(w.question.rows[1])
	wants(t, c, call.Open{Text: thirdLink}) // the user pasted the link: no second question
	if w.question != nil {
		t.Error("the question stays after a choice")
	}

	show(w, base(call.Idle))
	show(w, twoNamed(t, call.Idle))
	w.typed(&fyne.KeyEvent{Name: fyne.KeyEscape})
	wants(t, c, call.Dismiss{})
	show(w, base(call.Idle))
	show(w, twoNamed(t, call.Idle))
	show(w, base(call.Lobby)) // the user opened a meeting in another way
	if w.question != nil {
		t.Error("the question lies over another screen")
	}
}

// TestClickedTwoMeetings: a clicked text with two meeting links asks which one, and then asks what a click on
// that link alone would ask.
func TestClickedTwoMeetings(t *testing.T) {
	w, c, _ := openTrusting(t, call.Live)
	w.Click(twoMeetings)
	wants(t, c)
	if w.question == nil || len(w.question.rows) != 2 {
		t.Fatal("nobody is asked which meeting is meant")
	}
	test.Tap(w.question.no)
	wants(t, c)
	w.Click(twoMeetings)
	test.Tap(w.question.rows[1])
	wants(t, c)
	if w.question == nil || len(w.question.rows) != 0 {
		t.Fatal("nobody is asked before a meeting ends")
	}
	if got := w.question.title.Text(); got != "Leave this meeting and open the other?" {
		t.Errorf("the question is %q", got)
	}
	test.Tap(w.question.yes)
	wants(t, c, call.Open{Text: thirdLink})
}

// TestTwoMeetingsLook compares the choice with its golden pictures; the last has more meetings than fit.
func TestTwoMeetingsLook(t *testing.T) {
	for name, size := range map[string]fyne.Size{"home-two-meetings": start, "home-two-meetings-small": smallest} {
		w, _ := openScaled(t, size, someRecents)
		show(w, twoNamed(t, call.Idle))
		golden(t, w, name)
	}
	w, _ := openScaled(t, smallest, someRecents)
	s := twoNamed(t, call.Idle)
	for range 3 {
		s.Candidates = append(s.Candidates, s.Candidates[0])
	}
	show(w, s)
	golden(t, w, "home-many-meetings-small")
}
