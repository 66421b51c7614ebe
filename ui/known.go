package ui

import (
	"time"

	"parley/media/call"
	"parley/signal/room"
	"parley/signal/trust"
)

// acquaintances follows the call, and remembers the people in it by their devices. Before the user has verified anybody, it
// remembers nobody.
type acquaintances struct {
	book trust.Book
	code string             // of the meeting
	met  map[trust.Key]bool // devices in it; true: the user has verified them in it
}

func (a *acquaintances) follow(p Preferences, s call.State, now time.Time) {
	if !s.Phase.Inside() || !p.ShowsDevice(false) {
		return
	}
	if a.met == nil || a.code != s.Code {
		a.book, a.code, a.met = p.Known(), s.Code, map[trust.Key]bool{}
	}
	for _, m := range s.Room.Members {
		verified, met := a.met[m.Device]
		if m.Device == (trust.Key{}) || m.Name == "" || met && verified == m.Verified {
			continue
		}
		a.met[m.Device] = m.Verified
		p.UpdateKnown(func(b trust.Book) trust.Book {
			if m.Verified {
				return b.Verify(m.Device, m.Name, now)
			}
			return b.Meet(m.Device, m.Name, now)
		})
		a.book = p.Known()
	}
}

// note says what is known of a member from earlier meetings; empty if nothing is to be said.
func (a *acquaintances) note(m room.Member, now time.Time) string {
	if m.Verified || a.met == nil {
		return "" // the window shows that they were verified in this meeting
	}
	switch verdict, known := a.book.Judge(m.Device, m.Name); verdict {
	case trust.Verified:
		when := known.Verified.In(now.Location())
		date := dated("day", when)
		if when.Year() != now.Year() {
			date = dated("day-year", when)
		}
		return sayWith("known.verified", fill{"Name": known.Name, "Date": word(date)})
	case trust.Changed:
		return sayWith("known.changed", fill{"Name": known.Name})
	}
	return ""
}
