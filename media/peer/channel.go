package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pion/webrtc/v4"

	"parley/media/transport"
)

// openChannel sets up the only data channel. It ends the connection if the other side opens more channels
// or sends more than a Parley does.
func (p *Peer) openChannel(ctx context.Context, pc *webrtc.PeerConnection) error {
	negotiated, id := true, uint16(0)
	ch, err := pc.CreateDataChannel("parley", &webrtc.DataChannelInit{Negotiated: &negotiated, ID: &id})
	if err != nil {
		return fmt.Errorf("add data channel: %w", err)
	}
	ch.OnOpen(func() {
		p.mu.Lock()
		p.channel = ch
		p.mu.Unlock()
	})
	var wants limit // used by the goroutine that reads the channel
	ch.OnMessage(func(m webrtc.DataChannelMessage) {
		if !wants.allow(maxWants, time.Now()) || len(m.Data) > maxWantSize {
			p.violation("too much on the data channel")
			return
		}
		p.onWant(m.Data)
	})
	ch.OnError(func(err error) {
		if errors.Is(err, io.ErrShortBuffer) {
			p.violation("message too large")
		}
	})
	// Each further channel costs Pion 64 KiB, and there may be 65535 (RFC 8831 section 6.2). Pion
	// accepts the next one when this returns, so wait for the end.
	pc.OnDataChannel(func(*webrtc.DataChannel) {
		p.violation("foreign data channel")
		<-ctx.Done()
	})
	pc.SCTP().OnError(func(error) {
		if ctx.Err() == nil {
			p.violation("data outside of any channel")
		}
	})
	return nil
}

// violation ends the connection because the other side broke the protocol.
func (p *Peer) violation(what string) {
	p.mu.Lock()
	closing := p.closing
	p.closing = true
	p.mu.Unlock()
	if closing {
		return
	}
	p.cfg.Log.Warn("connection ended", "cause", what)
	p.cfg.Changed(transport.Failed)
	close(p.violated)
}
