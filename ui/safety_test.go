package ui

import (
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"parley/media/call"
	"parley/signal"
	"parley/signal/room"
)

func TestSafetyPhrase(t *testing.T) {
	w, c := openScaled(t, fyne.NewSize(1280, 720), nil)
	st := compared(func(*room.State) {})()
	show(w, st)
	w.stage.togglePanel(peoplePanel)
	wants(t, c)
	p := w.stage.people.safe
	test.Tap(p.button)
	wants(t, c, call.Room{Command: room.Compare{On: true}})
	if p.same.Visible() || p.button.Visible() {
		t.Error("the phrase can be taken for the same before there is one")
	}

	st = compared(func(s *room.State) { s.Safety.Missing = []signal.ID{s.Members[1].ID} })()
	show(w, st)
	if !strings.Contains(p.hint.Text(), st.Room.Members[1].Name) {
		t.Errorf("%q does not say who is waited for", p.hint.Text())
	}
	st = compared(func(s *room.State) { s.Safety.Phrase, s.Safety.Known = somePhrase, true })()
	show(w, st)
	for _, word := range somePhrase.Words {
		if !strings.Contains(p.words.Text(), word) {
			t.Errorf("%q lacks %q", p.words.Text(), word)
		}
	}
	for _, e := range somePhrase.Emoji {
		if !strings.Contains(p.emoji.Text(), e) {
			t.Errorf("%q lacks %q", p.emoji.Text(), e)
		}
	}
	test.Tap(p.same)
	wants(t, c, call.Room{Command: room.Verify{}}, call.Room{Command: room.Compare{On: false}})

	// Closing the panel, or opening another one, ends it too.
	for _, end := range []func(){w.stage.closePanel, func() { w.stage.togglePanel(chatPanel) }} {
		w.stage.closePanel()
		w.stage.togglePanel(peoplePanel)
		test.Tap(p.button)
		wants(t, c, call.Room{Command: room.Compare{On: true}})
		end()
		wants(t, c, call.Room{Command: room.Compare{On: false}})
	}
}

// TestSomebodyNotVerified: a meeting in which the user compared says loudly who came since, and is quiet otherwise.
func TestSomebodyNotVerified(t *testing.T) {
	w, _ := openScaled(t, fyne.NewSize(1280, 720), nil)
	show(w, compared(func(*room.State) {})())
	if w.stage.banner.box.Visible() {
		t.Errorf("%q though nobody has compared", w.stage.banner.text.Text())
	}
	st := compared(func(s *room.State) { s.Safety.Changed = []signal.ID{s.Members[2].ID} })()
	show(w, st)
	if text := w.stage.banner.text.Text(); !w.stage.banner.box.Visible() || !strings.Contains(text, st.Room.Members[2].Name) {
		t.Errorf("the banner says %q", text)
	}
}
