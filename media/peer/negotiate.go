package peer

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/pion/webrtc/v4"

	"parley/media/transport"
)

func newConn() string { return rand.Text()[:16] }

// negotiate carries the exchange of descriptions. One side makes every offer, the first and
// those of ICE restarts, so offers never meet on one connection; that two members each open
// a connection to the other at the same moment is settled by who runs the peers.
func (p *Peer) negotiate(ctx context.Context, pc *webrtc.PeerConnection) error {
	if p.offers {
		if err := p.offer(pc, false); err != nil {
			return err
		}
	}
	var early []webrtc.ICECandidateInit // candidates that came before the description
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.restart:
			if !p.offers {
				p.cfg.Send(message{Conn: p.conn, Type: typeRestart}.encode())
			} else if err := p.offer(pc, true); err != nil {
				p.cfg.Log.Warn("ICE restart", "err", err)
			}
		case m := <-p.inbox:
			if m.Type == typeCandidate && pc.RemoteDescription() == nil {
				if len(early) < maxCandidates {
					early = append(early, *m.Candidate)
				}
				continue
			}
			if err := p.handle(pc, m); err != nil {
				// A description that cannot be used ends this connection, not the call.
				p.cfg.Log.Warn("call message refused", "type", m.Type, "err", sanitize(err))
				if m.Type == typeOffer || m.Type == typeAnswer {
					p.cfg.Changed(transport.Failed)
				}
				continue
			}
			if pc.RemoteDescription() != nil {
				for _, c := range early {
					if err := p.addCandidate(pc, c); err != nil {
						p.cfg.Log.Debug("candidate refused")
					}
				}
				early = nil
			}
		}
	}
}

// sanitize keeps the kind of an error and drops its text, which may quote the description.
func sanitize(err error) string { return fmt.Sprintf("%T", err) }

// restartPause is how long one ICE restart is given before another: both sides notice a
// broken path at about the same time, and one restart answers both.
const restartPause = 5 * time.Second

func (p *Peer) offer(pc *webrtc.PeerConnection, restart bool) error {
	if restart {
		if pc.SignalingState() != webrtc.SignalingStateStable || time.Since(p.restarted) < restartPause {
			return nil // one is under way
		}
		p.restarted = time.Now()
	}
	p.describing.Lock()
	defer p.describing.Unlock()
	d, err := pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return fmt.Errorf("create offer: %w", err)
	}
	if err := pc.SetLocalDescription(d); err != nil {
		return fmt.Errorf("set offer: %w", err)
	}
	p.cfg.Send(message{Conn: p.conn, Type: typeOffer, SDP: d.SDP}.encode())
	return nil
}

func (p *Peer) handle(pc *webrtc.PeerConnection, m message) error {
	switch m.Type {
	case typeOffer:
		if p.offers {
			return errMessage
		}
		sdp, err := p.guard.description(m.SDP, time.Now())
		if err != nil {
			return err
		}
		p.describing.Lock() // a restart gathers as soon as it knows the offer
		defer p.describing.Unlock()
		offer := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: sdp}
		if err := pc.SetRemoteDescription(offer); err != nil {
			return err
		}
		d, err := pc.CreateAnswer(nil)
		if err != nil {
			return err
		}
		if err := pc.SetLocalDescription(d); err != nil {
			return err
		}
		p.cfg.Send(message{Conn: p.conn, Type: typeAnswer, SDP: d.SDP}.encode())
		return nil
	case typeAnswer:
		sdp, err := p.guard.description(m.SDP, time.Now())
		if err != nil {
			return err
		}
		return pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp})
	case typeCandidate:
		return p.addCandidate(pc, *m.Candidate)
	case typeRestart:
		if p.offers {
			return p.offer(pc, true)
		}
	}
	return nil
}
