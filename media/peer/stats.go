package peer

import (
	"net"
	"time"

	"github.com/pion/webrtc/v4"

	"parley/media/pipe"
)

// Out counts what we send on one track. Level and RedDepth, how many earlier packets its newest
// one repeats, are of sound; Limit is of a picture.
type Out struct {
	Width, Height int
	Frames, Bytes uint64
	Level         float64
	Limit         pipe.Limit
	RedDepth      int
}

// Stats is how a connection does, counted since it began.
type Stats struct {
	RTT      time.Duration // 0 while unknown
	Path     string        // host, srflx or relay; empty while there is none
	Estimate int           // what the path carries, bit/s
	Loss     float64       // of our sound, 0 to 1, as the other side sees it

	Pace Pace

	Audio            pipe.AudioStats
	Level            float64 // of the remote sound, dBFS
	ScreenAudio      pipe.AudioStats
	ScreenAudioLevel float64
	Camera, Screen   pipe.VideoStats

	AudioOut, CameraOut, ScreenOut, ScreenAudioOut Out
}

// Stats returns the counters as they are now.
func (p *Peer) Stats() Stats {
	p.mu.Lock()
	path := p.path
	limits := [trackCount]pipe.Limit{}
	for i, u := range p.subs {
		if u != nil {
			limits[i] = u.Limit()
		}
	}
	p.mu.Unlock()
	out := func(i int) Out {
		o := p.tracks[i].out()
		o.Limit = limits[i]
		return o
	}
	return Stats{
		RTT: time.Duration(p.rtt.Load()), Path: path, Estimate: p.Estimate(), Loss: p.Loss(),
		Pace:  p.pace(),
		Audio: p.audio.Stats(), Level: p.audio.Level(), ScreenAudio: p.sound.Stats(), ScreenAudioLevel: p.sound.Level(),
		Camera: p.video[camera].Stats(), Screen: p.video[screen].Stats(),
		AudioOut: out(mic), CameraOut: out(camera), ScreenOut: out(screen), ScreenAudioOut: out(sound),
	}
}

// Loss is the share of our sound's packets that did not arrive, 0 to 1.
func (p *Peer) Loss() float64 { return float64(p.loss.Load()) / 256 }

// Overhead is what repeating our sound and sending again what was lost cost now, beyond sound and
// pictures themselves, in bit/s.
func (p *Peer) Overhead() int {
	n := p.tracks[mic].redundant() + p.tracks[sound].redundant()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out != nil {
		n += p.out.Repairs()
	}
	return n
}

// Repeats says whether the other side takes repetitions of our voice (RFC 2198). Nobody needs
// its in-band FEC then.
func (p *Peer) Repeats() bool { return p.tracks[mic].repeats() }

// Estimate is what the path carries for all that we send on it, in bit/s.
func (p *Peer) Estimate() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pc == nil || !p.connected {
		return startRate
	}
	return p.out.Target()
}

func (t *track) out() Out {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Out{Width: t.w, Height: t.h, Frames: t.frames, Bytes: uint64(t.octets), Level: t.level, RedDepth: t.red.depth}
}

// setPath notes over which kind of candidates the packets go: relay if either is one.
func (p *Peer) setPath(pc *webrtc.PeerConnection) {
	p.mu.Lock()
	connected := p.connected
	p.mu.Unlock()
	if !connected {
		return // until then Pion sets its transport up without a lock
	}
	pair, err := pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return
	}
	path := "host"
	for _, c := range []*webrtc.ICECandidate{pair.Local, pair.Remote} {
		switch c.Typ {
		case webrtc.ICECandidateTypeRelay:
			path = "relay"
		case webrtc.ICECandidateTypeSrflx, webrtc.ICECandidateTypePrflx:
			// A check may come before the candidate it belongs to: then the peer is found
			// by it, on its own network all the same.
			ip := net.ParseIP(c.Address)
			local := c.Typ == webrtc.ICECandidateTypePrflx && ip != nil &&
				(ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast())
			if path == "host" && !local {
				path = "srflx"
			}
		}
	}
	p.mu.Lock()
	p.path = path
	p.mu.Unlock()
}
