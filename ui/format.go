package ui

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"parley/media/call"
)

// elapsed is a running time: 24:16, 1:02:03.
func elapsed(d time.Duration) string {
	s := int(max(d, 0) / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}

// lasted is a past duration in words: 48 min.
func lasted(d time.Duration) string {
	switch m := int(d.Round(time.Minute) / time.Minute); {
	case m < 1:
		return say("lasted.moment")
	case m < 60:
		return sayWith("lasted.minutes", fill{"Minutes": m})
	case m%60 == 0:
		return sayWith("lasted.hours", fill{"Hours": m / 60})
	default:
		return sayWith("lasted.hours-minutes", fill{"Hours": m / 60, "Minutes": m % 60})
	}
}

// day names a day the way people do: a time today, yesterday, a weekday, or a date.
func day(t, now time.Time) string {
	midnight := func(t time.Time) time.Time {
		y, m, d := t.Date()
		return time.Date(y, m, d, 12, 0, 0, 0, time.UTC)
	}
	switch days := int(midnight(now).Sub(midnight(t)).Hours() / 24); {
	case days == 0:
		return dated("time", t)
	case days == 1:
		return say("yesterday")
	case days > 1 && days < 7:
		return weekday(t)
	case t.Year() == now.Year():
		return dated("day", t)
	}
	return dated("day-year", t)
}

// word is one of our own words in a template. Unlike a name, it is not isolated.
type word string

// dated writes a date or a time as the language does; kind is one of the bundle's keys that begin with "date.".
func dated(kind string, t time.Time) string {
	month := strings.ToLower(t.Month().String())
	return sayWith("date."+kind, fill{
		"Year": t.Year(), "Day": t.Day(), "Hour": t.Hour(), "Minute": t.Minute(), "Number": int(t.Month()),
		"Weekday": word(weekday(t)), "Month": word(say("date.month." + month)), "LongMonth": word(say("date.long-month." + month)),
	})
}

func weekday(t time.Time) string { return say("date.weekday." + strings.ToLower(t.Weekday().String())) }

// firstName is the first word of a name.
func firstName(name string) string {
	if f := strings.Fields(name); len(f) > 0 {
		return f[0]
	}
	return say("somebody")
}

// orSomebody is the name, or "Somebody" if it is empty.
func orSomebody(name string) string {
	if name == "" {
		return say("somebody")
	}
	return name
}

// who summarises names: "Amara", "Amara and Jonas", "Amara, Jonas and 2 more".
func who(names []string) string {
	switch n := len(names); n {
	case 0:
		return ""
	case 1:
		return firstName(names[0])
	case 2:
		return sayWith("who.two", fill{"First": firstName(names[0]), "Second": firstName(names[1])})
	default:
		return sayWith("who.more", fill{"First": firstName(names[0]), "Second": firstName(names[1]), "Others": n - 2})
	}
}

// title names a past meeting after the people in it.
func (r Recent) title() string {
	switch len(r.Names) {
	case 0:
		return say("recent.alone")
	case 1:
		return r.Names[0]
	}
	return who(r.Names)
}

// note is the line below the title.
func (r Recent) note(now time.Time) string {
	parts := []string{day(r.When, now)}
	if r.Duration > 0 {
		parts = append(parts, lasted(r.Duration))
	}
	if r.People > 2 {
		parts = append(parts, sayWith("recent.people", fill{"Count": r.People}))
	}
	return strings.Join(parts, " · ")
}

// peerDetour says why the connection to a person is relayed; empty while it is not.
func peerDetour(p call.Peer) string {
	if p.Report.Why == call.NoDetour || p.Report.RTT == 0 || peerStatus(p.Phase) != "" {
		return ""
	}
	return say("detour." + p.Report.Why.String())
}

// peerNote describes a connection: what is wrong with it, or its path, its round-trip time, and the size of the
// received picture or what limits ours.
func peerNote(p call.Peer) string {
	if status := peerStatus(p.Phase); status != "" || p.Report.RTT == 0 {
		return status
	}
	r := p.Report
	way := say("peer.direct")
	if r.Path == "relay" {
		way = sayWith("peer.relayed", fill{"Protocol": strings.ToUpper(cmp.Or(r.Relay, "udp"))})
	}
	parts := []string{way, sayWith("peer.round-trip", fill{"Milliseconds": r.RTT.Milliseconds()})}
	switch {
	case r.Lossy:
		parts = append(parts, say("peer.lossy"))
	case r.Limit == "bandwidth":
		parts = append(parts, say("peer.slow"))
	case r.W > 0:
		parts = append(parts, fmt.Sprintf("%d×%d", r.W, r.H))
	}
	return strings.Join(parts, " · ")
}
