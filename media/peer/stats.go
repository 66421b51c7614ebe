package peer

import (
	"net"
	"time"

	"github.com/pion/webrtc/v4"

	"parley/media"
	"parley/media/pipe"
	"parley/media/transport"
)

// Stats returns the counters as they are now.
func (p *Peer) Stats() transport.Stats {
	s := transport.Stats{
		RTT: time.Duration(p.rtt.Load()), Estimate: p.Estimate(), Loss: float64(p.loss.Load()) / 256,
		Repeats: p.repeats(), Unknown: p.unknown.Load(), Pace: p.pace(),
		Pictures: make(map[media.Kind]pipe.VideoStats), Sounds: make(map[media.Kind]transport.SoundStats),
		Out: make(map[media.Kind]transport.Out),
	}
	for _, in := range p.incoming() {
		if in.sound != nil {
			s.Sounds[in.track.Kind] = transport.SoundStats{AudioStats: in.sound.Stats(), Level: in.sound.Level()}
		} else {
			s.Pictures[in.track.Kind] = in.picture.Stats()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Path = p.path
	for k, o := range p.out {
		out := o.out()
		if o.sub != nil {
			out.Limit = o.sub.Limit()
		}
		s.Out[k] = out
	}
	return s
}

// overhead is what repeating our sound and sending again what was lost cost now, beyond sound and
// pictures themselves, in bit/s.
func (p *Peer) overhead() (bits int) {
	for _, o := range p.out {
		if o.sound != nil {
			bits += o.redundant()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sender != nil {
		bits += p.sender.Repairs()
	}
	return bits
}

// repeats says whether the other side takes repetitions of our voice (RFC 2198). Nobody needs
// its in-band FEC then.
func (p *Peer) repeats() bool {
	voice := p.out[media.Microphone]
	return voice != nil && voice.repeats()
}

// Estimate is what the path carries for all that we send on it, in bit/s.
func (p *Peer) Estimate() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pc == nil || !p.connected {
		return startRate
	}
	return p.sender.Target()
}

func (t *track) out() transport.Out {
	t.mu.Lock()
	defer t.mu.Unlock()
	return transport.Out{Width: t.w, Height: t.h, Frames: t.frames, Bytes: uint64(t.octets), Level: t.level, RedDepth: t.red.depth}
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
