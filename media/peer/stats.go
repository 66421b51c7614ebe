package peer

import (
	"net"
	"time"

	"github.com/pion/webrtc/v4"

	"parley/media"
	"parley/media/pipe"
	"parley/media/transport"
)

// Stats returns the present counters.
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
	s.Path, s.Relay, s.Detour = p.path, p.relay, p.detour
	for k, o := range p.out {
		out := o.out()
		if o.sub != nil {
			out.Limit = o.sub.Limit()
		}
		s.Out[k] = out
	}
	return s
}

// overhead is the present cost of sound, redundancy and retransmissions, in bit/s.
func (p *Peer) overhead() (bits int) {
	for _, o := range p.out {
		if o.sound != nil {
			bits += o.spends() + o.redundant()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sender != nil {
		bits += p.sender.Repairs()
	}
	return bits
}

// repeats reports whether the other side takes our voice with redundancy (RFC 2198). It needs no in-band
// FEC then.
func (p *Peer) repeats() bool {
	voice := p.out[media.Microphone]
	return voice != nil && voice.repeats()
}

// Estimate is the bandwidth estimate for everything that we send, in bit/s.
func (p *Peer) Estimate() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pc == nil || !p.connected {
		return startRate
	}
	return p.sender.Estimate()
}

// allowed is what may be sent now, in bit/s.
func (p *Peer) allowed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pc == nil || !p.connected {
		return startRate
	}
	return p.sender.Allowed()
}

func (t *track) out() transport.Out {
	t.mu.Lock()
	defer t.mu.Unlock()
	return transport.Out{Width: t.w, Height: t.h, Frames: t.frames, Bytes: uint64(t.octets), Level: t.level, RedDepth: t.red.depth}
}

// setPath records the kind of the selected candidates; relay if either is a relay.
func (p *Peer) setPath(pc *webrtc.PeerConnection) {
	p.mu.Lock()
	connected := p.connected
	p.mu.Unlock()
	if !connected {
		return // until then, Pion changes its transport without a lock
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
			// A check may arrive before its candidate. Then a side on our own network is
			// peer-reflexive, too.
			ip := net.ParseIP(c.Address)
			local := c.Typ == webrtc.ICECandidateTypePrflx && ip != nil &&
				(ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast())
			if path == "host" && !local {
				path = "srflx"
			}
		}
	}
	relay := ""
	if path == "relay" {
		relay = relayProtocol(pc, pair)
	}
	p.relayed.Store(path == "relay" && !p.hidden)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.path, p.relay, p.detour = path, relay, transport.NoDetour
	p.ownRelay = pair.Local.Typ == webrtc.ICECandidateTypeRelay
	if path == "relay" {
		p.detour = p.tried.detour(relay, &p.punch)
	}
}

// relayProtocol is how we reach the relay of a pair: over UDP too where it is the other side's.
func relayProtocol(pc *webrtc.PeerConnection, pair *webrtc.ICECandidatePair) string {
	if pair.Local.Typ != webrtc.ICECandidateTypeRelay {
		return "udp"
	}
	for _, s := range pc.GetStats() {
		c, ok := s.(webrtc.ICECandidateStats)
		if ok && c.Type == webrtc.StatsTypeLocalCandidate && c.RelayProtocol != "" &&
			c.IP == pair.Local.Address && c.Port == int32(pair.Local.Port) {
			return c.RelayProtocol
		}
	}
	return "udp"
}
