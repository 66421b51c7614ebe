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

// negotiate exchanges descriptions and candidates. On one connection the same side makes every offer, the
// first and those of ICE restarts, so offers never collide. If two members open connections to each other
// at the same time, the mesh drops one of the two.
func (p *Peer) negotiate(ctx context.Context, pc *webrtc.PeerConnection) error {
	if p.offers {
		if err := p.offer(pc, false); err != nil {
			return err
		}
	}
	var early []webrtc.ICECandidateInit // candidates that arrived before the description
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
				// An unusable description ends this connection, not the call.
				p.cfg.Log.Warn("call message refused", "type", m.Type, "err", sanitize(err))
				if m.Type == typeOffer || m.Type == typeAnswer {
					p.cfg.Changed(transport.Failed)
				}
				continue
			}
			if pc.RemoteDescription() != nil {
				p.mu.Lock()
				p.tried.answered = true
				p.mu.Unlock()
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

// sanitize returns the type of an error without its text, which may quote the description.
func sanitize(err error) string { return fmt.Sprintf("%T", err) }

// restartPause is the least time between two ICE restarts. Both sides notice a broken path at about the
// same time, and one restart is enough.
const restartPause = 5 * time.Second

func (p *Peer) offer(pc *webrtc.PeerConnection, restart bool) error {
	if restart {
		if pc.SignalingState() != webrtc.SignalingStateStable || time.Since(p.restarted) < restartPause {
			return nil // one is in progress
		}
		p.restarted = time.Now()
		p.refresh(pc)
	}
	p.sdpMu.Lock()
	defer p.sdpMu.Unlock()
	d, err := pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return fmt.Errorf("create offer: %w", err)
	}
	if err := pc.SetLocalDescription(d); err != nil {
		return fmt.Errorf("set offer: %w", err)
	}
	p.cfg.Send(message{Conn: p.conn, Type: typeOffer, SDP: p.hide(d.SDP)}.encode())
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
		if pc.RemoteDescription() != nil {
			p.refresh(pc)
		}
		p.sdpMu.Lock() // a restart starts gathering as soon as it has the offer
		defer p.sdpMu.Unlock()
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
		p.cfg.Send(message{Conn: p.conn, Type: typeAnswer, SDP: p.hide(d.SDP)}.encode())
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
