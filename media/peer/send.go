package peer

import (
	"fmt"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	"golang.org/x/sync/errgroup"

	"parley/media"
	"parley/media/pipe"
)

// outgoing is one of our tracks on its way to the other side: a sound or a picture.
type outgoing struct {
	*track
	sound   *pipe.AudioSender
	picture *pipe.VideoSender

	// Guarded by Peer.mu.
	stop    func() // ends sending sound; nil while none is sent
	sub     *pipe.Subscription
	allowed int // bit/s for a picture
}

// addTracks adds a transceiver for each kind of track from the start, whether we send it yet or not. A later
// one would have to be negotiated through the rendezvous: a shared screen would appear late, and not at all
// while the rendezvous is unreachable.
func (p *Peer) addTracks(g *errgroup.Group, pc *webrtc.PeerConnection) error {
	for _, k := range kinds {
		o := p.out[k]
		if o == nil { // we send none, but may receive one
			if !p.offers {
				continue // its offer brings a transceiver
			}
			only := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
			if _, err := pc.AddTransceiverFromKind(codecType(k), only); err != nil {
				return fmt.Errorf("add %s: %w", k, err)
			}
			continue
		}
		both := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendrecv}
		tr, err := pc.AddTransceiverFromTrack(o.track, both)
		if err != nil {
			return fmt.Errorf("add %s: %w", k, err)
		}
		g.Go(func() error { p.readSenderRTCP(o, tr.Sender()); return nil })
	}
	return nil
}

// share divides the path between our pictures.
func (p *Peer) share() {
	camera, screen := p.cfg.SplitRate(p.allowed() - p.overhead())
	p.mu.Lock()
	for k, rate := range map[media.Kind]int{media.Camera: camera, media.Screen: screen} {
		if o := p.out[k]; o != nil {
			o.allowed = rate
		}
	}
	p.mu.Unlock()
	p.subscribe()
}

// subscribe connects our senders with the tracks that the other side wants, and sets their rates.
func (p *Peer) subscribe() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.connected {
		return
	}
	p.updateSender()
	for k, o := range p.out {
		switch shown := p.want.size(k); {
		case o.sound != nil && o.stop == nil:
			o.stop = o.sound.Subscribe(o.writeAudio)
		case o.sound != nil:
		case shown.W == 0:
			o.unsubscribe()
		default:
			want := pipe.VideoWant{BitRate: o.allowed, Max: shown, HalfRate: p.want.HalfRate && k == media.Camera}
			if o.sub == nil {
				o.sub = o.picture.Subscribe(want, o.writeVideo)
			} else {
				o.sub.Set(want)
			}
		}
	}
}

// unsubscribe stops sending. Peer.mu is held.
func (o *outgoing) unsubscribe() {
	if o.stop != nil {
		o.stop()
		o.stop = nil
	}
	if o.sub != nil {
		o.sub.Cancel()
		o.sub = nil
	}
}

// readSenderRTCP handles the other side's feedback on one of our tracks.
func (p *Peer) readSenderRTCP(o *outgoing, s *webrtc.RTPSender) {
	for {
		pkts, _, err := s.ReadRTCP()
		if err != nil {
			return
		}
		for _, pkt := range pkts {
			switch pkt := pkt.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				p.requestKeyframe(o)
			case *rtcp.ReceiverReport:
				p.onReports(o, pkt.Reports)
			case *rtcp.SenderReport:
				p.onReports(o, pkt.Reports)
			}
		}
	}
}

// requestKeyframe makes one of our pictures start with a keyframe.
func (p *Peer) requestKeyframe(o *outgoing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o.sub != nil {
		o.sub.RequestKeyframe()
	}
}

func (p *Peer) onReports(o *outgoing, reports []rtcp.ReceptionReport) {
	ssrc := o.ssrc()
	for _, r := range reports {
		if r.SSRC != ssrc {
			continue
		}
		if rtt, ok := roundTrip(time.Now(), r); ok {
			p.rtt.Store(int64(rtt))
			for _, in := range p.incoming() {
				in.setRTT(rtt)
			}
		}
		if o.kind == media.Microphone {
			p.loss.Store(uint32(r.FractionLost))
		}
		if o.sound != nil {
			o.onLoss(float64(r.FractionLost)/256, time.Duration(p.rtt.Load()), p.Estimate(), time.Now())
		}
	}
}

// roundTrip computes the round-trip time from a report (RFC 3550 section 6.4.1).
func roundTrip(now time.Time, r rtcp.ReceptionReport) (time.Duration, bool) {
	if r.LastSenderReport == 0 {
		return 0, false
	}
	// Middle 32 bits of the NTP time: units of 1/65536 s.
	d := uint32(toNTP(now)>>16) - r.LastSenderReport - r.Delay
	rtt := time.Duration(d) * time.Second / 65536
	return rtt, rtt < 10*time.Second // more means a changed clock or a lie
}

func (p *Peer) sendReports(pc *webrtc.PeerConnection, now time.Time) {
	for _, o := range p.out {
		r := o.report(now)
		if r == nil {
			continue
		}
		// Send each by itself, which every implementation accepts.
		if err := pc.WriteRTCP([]rtcp.Packet{r}); err != nil {
			p.cfg.Log.Debug("sender report", "err", err)
			return
		}
	}
}
