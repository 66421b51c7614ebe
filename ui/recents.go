package ui

import (
	"slices"
	"time"

	"parley/media/call"
)

// recorder follows the call and stores each meeting.
type recorder struct {
	live    bool
	since   time.Time
	current Recent
}

// follow handles the next state. A meeting is stored when we join, so that it survives a crash, whenever
// somebody new joins, and, with its duration, when it ends.
func (r *recorder) follow(p Preferences, s call.State, now time.Time) {
	in := s.Phase == call.Live || s.Phase == call.Reconnecting
	if r.live && (!in || s.Code != r.current.Code) {
		r.current.Duration = now.Sub(r.since)
		p.AddRecent(r.current)
		r.live = false
	}
	if !in {
		return
	}
	changed := !r.live
	if !r.live {
		r.live, r.since = true, now
		r.current = Recent{Code: s.Code, Link: s.Link, When: now, People: 1}
	}
	for _, peer := range s.Peers {
		if peer.Name != "" && !slices.Contains(r.current.Names, peer.Name) {
			r.current.Names = append(slices.Clip(r.current.Names), peer.Name)
			changed = true
		}
	}
	if n := len(s.Peers) + 1; n > r.current.People {
		r.current.People, changed = n, true
	}
	if changed {
		r.current.Duration = now.Sub(r.since)
		p.AddRecent(r.current)
	}
}
