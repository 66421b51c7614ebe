package ui

import (
	"testing"
	"time"

	"fyne.io/fyne/v2/test"

	"parley/media/call"
	"parley/signal/trust"
)

// TestAcquaintances has Amara verified in one meeting and recognised in later ones, by her device and not by her name.
func TestAcquaintances(t *testing.T) {
	p := NewPreferences(memory{test.NewTempApp(t).Preferences()})
	amaras, others := trust.Key{1}, trust.Key{2}
	now := time.Date(2024, 5, 3, 12, 0, 0, 0, time.UTC)
	meeting := func(code string, device trust.Key, verified bool) call.State {
		s := with(base(call.Live), 1)
		s.Code = code
		s.Room.Members[0].Device, s.Room.Members[0].Verified = device, verified
		return s
	}
	says := func(s call.State) string {
		var a acquaintances // another run of the program
		a.follow(p, s, now)
		return a.note(s.Room.Members[0], now)
	}
	var a acquaintances
	a.follow(p, meeting("a", amaras, false), now)
	if p.Known().String() != (trust.Book{}).String() {
		t.Error("somebody is remembered before the user has verified anybody")
	}
	p.ShowsDevice(true) // main does, when the user verifies
	a.follow(p, meeting("a", amaras, false), now)
	if got := says(meeting("b", amaras, false)); got != "" {
		t.Errorf("of somebody who was only met: %q", got)
	}
	s := meeting("a", amaras, true)
	if a.follow(p, s, now); a.note(s.Room.Members[0], now) != "" {
		t.Error("the window says twice that somebody was verified just now")
	}
	now = now.AddDate(0, 2, 0)
	for name, c := range map[string]struct {
		device trust.Key
		member string
		want   string
	}{
		"the same":                     {amaras, names[0], "You verified " + names[0] + " on 3 May"},
		"under another name":           {amaras, "Zoe", "You verified " + names[0] + " on 3 May"},
		"another device with the name": {others, names[0], "Not on the device of the " + names[0] + " you verified"},
		"no device with the name":      {trust.Key{}, names[0], "Not on the device of the " + names[0] + " you verified"},
		"somebody else":                {others, "Zoe", ""},
	} {
		s := meeting("c", c.device, false)
		s.Room.Members[0].Name = c.member
		if got := withoutIsolates(says(s)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	now = now.AddDate(1, 0, 0)
	if got, want := withoutIsolates(says(meeting("d", amaras, false))), "You verified "+names[0]+" on 3 May 2024"; got != want {
		t.Errorf("a year later: %q, want %q", got, want)
	}
	p.store.SetString("known", "{damaged")
	if got := says(meeting("e", amaras, false)); got != "" {
		t.Errorf("from a damaged list: %q", got)
	}
}
