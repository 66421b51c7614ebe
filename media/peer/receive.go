package peer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"golang.org/x/sync/errgroup"

	"parley/media"
	"parley/media/pipe"
	"parley/media/transport"
)

// incoming is one track of the other side: a sound or a picture.
type incoming struct {
	track   transport.Track
	remote  *webrtc.TrackRemote
	sound   *pipe.AudioReceiver
	picture *pipe.VideoReceiver
}

// onTrack starts receiving a track of the other side, if we know its kind and have none of that kind yet.
// Any other track is counted and its packets are dropped. p.mu is held.
func (p *Peer) onTrack(ctx context.Context, g *errgroup.Group, remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	kind, ok := trackKind(remote, p.cfg.Member)
	if !ok || p.in[kind] != nil {
		n := p.unknown.Add(1)
		p.cfg.Log.Info("track ignored", "so far", n)
		g.Go(func() error { discard(remote); return nil })
		return
	}
	in, err := p.newIncoming(kind, remote)
	if err != nil {
		p.cfg.Log.Error("receive track", "err", err)
		g.Go(func() error { discard(remote); return nil })
		return
	}
	p.in[kind] = in
	in.setRTT(time.Duration(p.rtt.Load()))
	ctx, cancel := context.WithCancel(ctx)
	g.Go(func() error { p.readReceiverRTCP(in, receiver); return nil })
	g.Go(func() error {
		defer cancel()
		stop := func() {}
		if in.sound != nil {
			stop = p.cfg.Play(in.track, in.sound)
		}
		p.readRTP(in)
		stop()
		p.mu.Lock()
		delete(p.in, kind)
		p.mu.Unlock()
		if err := in.close(); err != nil {
			p.cfg.Log.Warn("close track", "err", err)
		}
		return nil
	})
	if in.picture != nil {
		g.Go(func() error { return in.picture.Run(ctx) })
	}
}

func (p *Peer) newIncoming(kind media.Kind, remote *webrtc.TrackRemote) (*incoming, error) {
	in := &incoming{track: transport.Track{Member: p.cfg.Member, Kind: kind}, remote: remote}
	ask := feedback{p, remote}
	most, channels, build := pipe.MaxCamera, 1, pipe.NewAudioReceiver
	switch kind {
	case media.Screen:
		most = pipe.MaxScreen
	case media.SystemSound:
		channels, build = media.SpeakerChannels, pipe.NewStereoReceiver
	}
	if !isSound(kind) {
		in.picture = pipe.NewVideoReceiver(p.cfg.Codecs, p.cfg.View(in.track), most, ask, p.cfg.Log)
		return in, nil
	}
	dec, err := p.cfg.Codecs.AudioDecoder(channels)
	if err != nil {
		return nil, fmt.Errorf("set up audio decoder: %w", err)
	}
	in.sound = build(dec)
	in.sound.RedType, in.sound.Nack = payloadRED, ask.Nack
	return in, nil
}

func (in *incoming) close() error {
	if in.sound != nil {
		return in.sound.Close()
	}
	return nil
}

func (in *incoming) push(p *rtp.Packet, at time.Time) {
	if in.sound != nil {
		in.sound.Push(p, at)
	} else {
		in.picture.Push(p, at)
	}
}

func (in *incoming) senderReport(ntp time.Time, rtpTime uint32) {
	if in.sound != nil {
		in.sound.SenderReport(ntp, rtpTime)
	} else {
		in.picture.SenderReport(ntp, rtpTime)
	}
}

func (in *incoming) setRTT(d time.Duration) {
	switch {
	case d == 0: // unknown
	case in.sound != nil:
		in.sound.SetRTT(d)
	default:
		in.picture.SetRTT(d)
	}
}

// received is the track of a kind that we receive; nil if there is none.
func (p *Peer) received(k media.Kind) *incoming {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.in[k]
}

// incoming lists the tracks that we receive.
func (p *Peer) incoming() []*incoming {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Values(p.in))
}

// discard reads a track until it ends. Packets that nobody reads would count as lost in the feedback on the
// path.
func discard(remote *webrtc.TrackRemote) {
	b := make([]byte, 1500)
	for {
		if _, _, err := remote.Read(b); err != nil {
			return
		}
	}
}

// repairPoll is how often we look for retransmissions while packets are missing. Pion delivers them only
// when its reader wakes up, which is otherwise with the track's next packet. The other side may hold that
// packet back until it has sent all retransmissions.
const repairPoll = 5 * time.Millisecond

// readRTP passes the packets of a track to its receiver until the track ends.
func (p *Peer) readRTP(in *incoming) {
	polled := false
	for {
		if missing := in.picture != nil && in.picture.Missing(); missing || polled {
			var until time.Time // never
			if missing {
				until = time.Now().Add(repairPoll)
			}
			if in.remote.SetReadDeadline(until) != nil {
				return
			}
			polled = missing
		}
		pkt, _, err := in.remote.ReadRTP()
		if late := net.Error(nil); polled && errors.As(err, &late) && late.Timeout() {
			continue
		}
		if err != nil {
			return
		}
		in.push(pkt, time.Now())
	}
}

// readReceiverRTCP passes the sender reports of a track to its receiver.
func (p *Peer) readReceiverRTCP(in *incoming, r *webrtc.RTPReceiver) {
	for {
		pkts, _, err := r.ReadRTCP()
		if err != nil {
			return
		}
		for _, pkt := range pkts {
			if sr, ok := pkt.(*rtcp.SenderReport); ok {
				in.senderReport(fromNTP(sr.NTPTime), sr.RTPTime)
			}
		}
	}
}

// feedback requests retransmissions and keyframes of one track.
type feedback struct {
	p      *Peer
	remote *webrtc.TrackRemote
}

// Nack implements pipe.Feedback.
func (f feedback) Nack(seqs []uint16) {
	f.send(func(ssrc uint32) rtcp.Packet {
		return &rtcp.TransportLayerNack{MediaSSRC: ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(seqs)}
	})
}

// RequestKeyframe implements pipe.Feedback.
func (f feedback) RequestKeyframe() {
	f.send(func(ssrc uint32) rtcp.Packet { return &rtcp.PictureLossIndication{MediaSSRC: ssrc} })
}

func (f feedback) send(build func(ssrc uint32) rtcp.Packet) {
	ssrc := uint32(f.remote.SSRC())
	if ssrc == 0 {
		return
	}
	f.p.mu.Lock()
	pc := f.p.pc
	f.p.mu.Unlock()
	if err := pc.WriteRTCP([]rtcp.Packet{build(ssrc)}); err != nil {
		f.p.cfg.Log.Debug("feedback", "err", err)
	}
}

// syncLips compares the delays of a sound and its picture, and adjusts them. A picture that stands still
// has no delay to compare.
func (p *Peer) syncLips(l *pipe.LipSync, sound, picture media.Kind, now time.Time) {
	heard, shown := p.received(sound), p.received(picture)
	if heard == nil || shown == nil {
		return
	}
	captured, ok := heard.sound.Playing()
	if !ok {
		return
	}
	at, seen, ok := shown.picture.Shown()
	if !ok || now.Sub(at) > time.Second {
		return
	}
	l.Update(now.Sub(captured), at.Sub(seen))
	heard.sound.SetExtraDelay(l.Audio())
	shown.picture.SetExtraDelay(l.Video())
}
