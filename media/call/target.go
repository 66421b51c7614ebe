package call

import (
	"time"

	"parley/media"
	"parley/media/transport"
)

// quality grades a connection from 4 (good) to 1 (bad). The limits of delay follow ITU-T G.114 (one way,
// up to 150 ms goes unnoticed and 400 ms is the most); the limits of loss are where repair becomes
// audible.
func quality(s transport.Stats) int {
	if s.RTT == 0 {
		return 0
	}
	switch {
	case s.RTT < 200*time.Millisecond && s.Loss < 0.03:
		return 4
	case s.RTT < 400*time.Millisecond && s.Loss < 0.08:
		return 3
	case s.RTT < 800*time.Millisecond && s.Loss < 0.2:
		return 2
	}
	return 1
}

// lossy is the share of lost packets from which Report.Lossy is set: repair begins to cost delay.
const lossy = 0.03

// report is what the window shows of a connection. seen says whether the other side's camera is on.
func report(s transport.Stats, seen bool) Report {
	r := Report{Path: s.Path, Relay: s.Relay, Why: s.Detour, Lossy: s.Loss >= lossy, Limit: string(s.Out[media.Camera].Limit)}
	step := time.Millisecond
	if s.RTT > 20*time.Millisecond {
		step = 5 * time.Millisecond
	}
	if s.RTT > 0 {
		r.RTT = max(s.RTT.Round(step), time.Millisecond)
	}
	if seen {
		r.W, r.H = s.Pictures[media.Camera].Width, s.Pictures[media.Camera].Height
	}
	return r
}
