package peer

import (
	"errors"
	"net"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"parley/media/pipe"
)

// isSound says whether a track is one of sound.
func isSound(i int) bool { return i == mic || i == sound }

// soundReceiver is the receiver of a track of sound.
func (p *Peer) soundReceiver(i int) *pipe.AudioReceiver {
	if i == sound {
		return p.sound
	}
	return p.audio
}

// repairPoll is how often we look for repairs while packets are missing. Pion takes those out of their
// stream only when its reader comes round, which otherwise waits for the next packet of the track; and
// that one the other side may hold back until all repairs have left.
const repairPoll = 5 * time.Millisecond

// readRTP carries packets of one remote track to its receiver until the track ends.
func (p *Peer) readRTP(i int, remote *webrtc.TrackRemote) {
	polled := false
	for {
		if missing := !isSound(i) && p.video[i].Missing(); missing || polled {
			var until time.Time // never
			if missing {
				until = time.Now().Add(repairPoll)
			}
			if remote.SetReadDeadline(until) != nil {
				return
			}
			polled = missing
		}
		pkt, _, err := remote.ReadRTP()
		if late := net.Error(nil); polled && errors.As(err, &late) && late.Timeout() {
			continue
		}
		if err != nil {
			return
		}
		if isSound(i) {
			p.soundReceiver(i).Push(pkt, time.Now())
		} else {
			p.video[i].Push(pkt, time.Now())
		}
	}
}

// readReceiverRTCP takes the sender reports of one remote track.
func (p *Peer) readReceiverRTCP(i int, r *webrtc.RTPReceiver) {
	for {
		pkts, _, err := r.ReadRTCP()
		if err != nil {
			return
		}
		for _, pkt := range pkts {
			sr, ok := pkt.(*rtcp.SenderReport)
			if !ok {
				continue
			}
			if isSound(i) {
				p.soundReceiver(i).SenderReport(fromNTP(sr.NTPTime), sr.RTPTime)
			} else {
				p.video[i].SenderReport(fromNTP(sr.NTPTime), sr.RTPTime)
			}
		}
	}
}

// readSenderRTCP takes what the other side says of one of our tracks.
func (p *Peer) readSenderRTCP(i int, s *webrtc.RTPSender) {
	for {
		pkts, _, err := s.ReadRTCP()
		if err != nil {
			return
		}
		for _, pkt := range pkts {
			switch pkt := pkt.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				p.requestKeyframe(i)
			case *rtcp.ReceiverReport:
				p.onReports(i, pkt.Reports)
			case *rtcp.SenderReport:
				p.onReports(i, pkt.Reports)
			}
		}
	}
}

func (p *Peer) onReports(i int, reports []rtcp.ReceptionReport) {
	t := p.tracks[i]
	t.mu.Lock()
	ssrc := t.header.SSRC
	t.mu.Unlock()
	for _, r := range reports {
		if r.SSRC != ssrc {
			continue
		}
		if rtt, ok := roundTrip(time.Now(), r); ok {
			p.rtt.Store(int64(rtt))
			p.video[camera].SetRTT(rtt)
			p.video[screen].SetRTT(rtt)
			p.audio.SetRTT(rtt)
			p.sound.SetRTT(rtt)
		}
		if i == mic {
			p.loss.Store(uint32(r.FractionLost))
		}
		if isSound(i) {
			t.onLoss(float64(r.FractionLost)/256, time.Duration(p.rtt.Load()), p.Estimate(), time.Now())
		}
	}
}

// roundTrip is the time our report took there and back (RFC 3550 section 6.4.1).
func roundTrip(now time.Time, r rtcp.ReceptionReport) (time.Duration, bool) {
	if r.LastSenderReport == 0 {
		return 0, false
	}
	// Middle 32 bits of the NTP time: units of 1/65536 s.
	d := uint32(toNTP(now)>>16) - r.LastSenderReport - r.Delay
	rtt := time.Duration(d) * time.Second / 65536
	return rtt, rtt < 10*time.Second // more is a clock that was set, or a lie
}

// feedback asks the other side for what one track lacks.
type feedback struct {
	p *Peer
	i int
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
	f.p.mu.Lock()
	pc := f.p.pc
	f.p.mu.Unlock()
	t := pc.GetTransceivers()[f.i].Receiver().Track()
	if t == nil || t.SSRC() == 0 {
		return
	}
	if err := pc.WriteRTCP([]rtcp.Packet{build(uint32(t.SSRC()))}); err != nil {
		f.p.cfg.Log.Debug("feedback", "err", err)
	}
}

func (p *Peer) sendReports(pc *webrtc.PeerConnection, now time.Time) {
	var out []rtcp.Packet
	for _, t := range p.tracks {
		if r := t.report(now); r != nil {
			// One compound each: a lone report is what every stack accepts.
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return
	}
	for _, r := range out {
		if err := pc.WriteRTCP([]rtcp.Packet{r}); err != nil {
			p.cfg.Log.Debug("sender report", "err", err)
			return
		}
	}
}

// syncLips compares how old sound and picture are as they reach the user. A picture that stands
// still says nothing.
func syncLips(l *pipe.LipSync, heard *pipe.AudioReceiver, shown *pipe.VideoReceiver, now time.Time) {
	captured, ok := heard.Playing()
	if !ok {
		return
	}
	at, seen, ok := shown.Shown()
	if !ok || now.Sub(at) > time.Second {
		return
	}
	l.Update(now.Sub(captured), at.Sub(seen))
	heard.SetExtraDelay(l.Audio())
	shown.SetExtraDelay(l.Video())
}
