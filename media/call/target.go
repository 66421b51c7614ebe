package call

import (
	"time"

	"parley/media/peer"
	"parley/media/pipe"
)

// soundRate is what sound costs at the most with its headers, in bit/s; it comes first.
const soundRate = 80_000

// targets gathers what all peers together allow: everyone gets the same encoding, so the
// narrowest path decides, and the largest tile.
type targets struct {
	sharing bool
	rate    int
	shown   [2]pipe.Size // camera, screen
	loss    float64
}

func newTargets(sharing bool) targets {
	return targets{sharing: sharing, rate: 1 << 30}
}

func (t *targets) add(p *peer.Peer) {
	t.rate = min(t.rate, p.Estimate()-soundRate)
	t.loss = max(t.loss, p.Loss())
	w := p.Want()
	for i, d := range [2][2]int{w.Camera, w.Screen} {
		t.shown[i].W, t.shown[i].H = max(t.shown[i].W, d[0]), max(t.shown[i].H, d[1])
	}
}

// The share of the rate that a camera keeps while a screen is shared: the screen is what
// people look at.
const cameraShare = 4

func (t *targets) camera() pipe.VideoTarget {
	v := pipe.VideoTarget{BitRate: t.rate, Max: t.shown[0], FrameRate: 30}
	if t.sharing {
		v.BitRate /= cameraShare
	}
	return v
}

func (t *targets) screen() pipe.VideoTarget {
	return pipe.VideoTarget{BitRate: t.rate - t.rate/cameraShare, FrameRate: 15, Screen: true}
}

// quality grades a connection for people: 4 good to 1 bad. The limits of delay follow ITU-T
// G.114 (up to 150 ms goes unnoticed one way, 400 ms is the most); those of loss are where
// repair begins to be heard.
func quality(p *peer.Peer) int {
	s := p.Stats()
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
