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

// openChannel sets up the one data channel, and ends the connection if there is more on it, or beside
// it, than a Parley sends.
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
	var wants limit // of the one goroutine that reads the channel
	ch.OnMessage(func(m webrtc.DataChannelMessage) {
		if !wants.allow(maxWants, time.Now()) || len(m.Data) > maxWantSize {
			p.abuse("too much on the data channel")
			return
		}
		p.onWant(m.Data)
	})
	ch.OnError(func(err error) {
		if errors.Is(err, io.ErrShortBuffer) {
			p.abuse("message too large")
		}
	})
	// Each further channel costs Pion 64 KiB, and there may be 65535 (RFC 8831 section 6.2). The
	// next is not accepted before this returns.
	pc.OnDataChannel(func(*webrtc.DataChannel) {
		p.abuse("foreign data channel")
		<-ctx.Done()
	})
	pc.SCTP().OnError(func(error) {
		if ctx.Err() == nil {
			p.abuse("data outside of any channel")
		}
	})
	return nil
}

// abuse ends a connection whose other side does what no Parley does.
func (p *Peer) abuse(what string) {
	p.mu.Lock()
	closing := p.closing
	p.closing = true
	p.mu.Unlock()
	if closing {
		return
	}
	p.cfg.Log.Warn("connection ended", "cause", what)
	p.cfg.Changed(transport.Failed)
	close(p.abused)
}
