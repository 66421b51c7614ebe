package call

import (
	"time"

	"parley/media/peer"
)

// soundRate is what sound costs, in bit/s: Opus at 40 kbit/s and 50 packets a second with headers of 58
// bytes. It comes first.
const soundRate = 64_000

// What is left over after the sound is shared: while nothing is presented, the camera has it all.
// While we present, the screen is what people look at: the camera keeps at least cameraLeast, a face
// the size of a thumb, and of what is more than the screen can use, all.
const (
	cameraLeast = 100_000   // bit/s
	screenMost  = 4_000_000 // bit/s
)

// allot shares out a path that carries estimate bit/s.
func allot(estimate int, sharing bool) (camera, screen int) {
	rest := max(estimate-soundRate, 0)
	if !sharing {
		return rest, 0
	}
	screen = min(max(rest-cameraLeast, rest/2), screenMost)
	return rest - screen, screen
}

// quality grades a connection for people: 4 good to 1 bad. The limits of delay follow ITU-T
// G.114 (up to 150 ms goes unnoticed one way, 400 ms is the most); those of loss are where
// repair begins to be heard.
func quality(s peer.Stats) int {
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

// lossy is the share of lost packets from which people are told: repair begins to cost delay.
const lossy = 0.03

// report is what people are told of a connection; seen says whether the other side's camera is on.
func report(s peer.Stats, seen bool) Report {
	r := Report{Path: s.Path, Lossy: s.Loss >= lossy, Limit: string(s.CameraOut.Limit)}
	step := time.Millisecond
	if s.RTT > 20*time.Millisecond {
		step = 5 * time.Millisecond
	}
	if s.RTT > 0 {
		r.RTT = max(s.RTT.Round(step), time.Millisecond)
	}
	if seen {
		r.W, r.H = s.Camera.Width, s.Camera.Height
	}
	return r
}
