package peer

import (
	"parley/media"
	"parley/media/congestion"
	"parley/media/transport"
)

// The most that our pictures can use, in bit/s, by the height at which the other side shows them: the top
// rates of media/pipe's ladder, and a screen full of text. We never probe for more.
const (
	wantSound  = 80_000
	want180    = 350_000
	want360    = 1_000_000
	want720    = 3_000_000
	wantScreen = 4_000_000
)

// soundHeader is the size of a sound packet's RTP header with its extensions, in bits. The bandwidth estimate
// counts no other headers.
const soundHeader = 28 * 8

// Camera and screen share what sound leaves over. Without a screen, the camera gets all of it. While we
// present, people look at the screen: the camera gets at least cameraLeast, enough for a small face, and
// whatever exceeds screenMost.
const (
	cameraLeast = 100_000   // bit/s
	screenMost  = 4_000_000 // bit/s
)

// splitRate divides what sound leaves of a path, in bit/s.
func splitRate(rate int, presenting bool) (camera, screen int) {
	rest := max(rate, 0)
	if !presenting {
		return rest, 0
	}
	screen = min(max(rest-cameraLeast, rest/2), screenMost)
	return rest - screen, screen
}

// newSender returns the pacer and bandwidth estimator of this connection.
func (p *Peer) newSender() *congestion.Sender {
	return congestion.NewSender(congestion.Config{Start: startRate, Min: minRate, Max: maxRate}, p.pad)
}

// pad sends padding on a picture track that is in use.
func (p *Peer) pad(bytes int) int {
	for _, k := range []media.Kind{media.Camera, media.Screen} {
		if o := p.out[k]; o != nil {
			if n := o.pad(bytes); n > 0 {
				return n
			}
		}
	}
	return 0
}

// updateSender tells the sender how much we can use and which picture has priority. p.mu is held.
func (p *Peer) updateSender() {
	bits, preferred := wantSound, p.out[media.Camera]
	switch lines := p.want.Camera[1]; {
	case preferred == nil:
	case lines > 360:
		bits += want720
	case lines > 180:
		bits += want360
	case lines > 0:
		bits += want180
	}
	if o := p.out[media.Screen]; o != nil && p.want.Screen[0] > 0 && o.allowed > 0 {
		bits, preferred = bits+wantScreen, o
	}
	p.sender.Want(bits)
	if preferred != nil {
		p.sender.Prefer(preferred.ssrc())
	}
}

func (p *Peer) pace() transport.Pace {
	p.mu.Lock()
	sender := p.sender
	p.mu.Unlock()
	if sender == nil {
		return transport.Pace{}
	}
	s := sender.Stats()
	return transport.Pace{
		Delivered: s.Delivered, Loss: s.Loss, Limited: s.Limited,
		Wait: s.Wait, Dropped: s.Dropped, Probes: s.Probes,
	}
}

func (t *track) ssrc() uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.header.SSRC
}

// maxPadding is the most padding in one packet: its last octet holds the length (RFC 3550 section 5.1).
const maxPadding = 255

// pad sends packets of padding between two frames, at least the given number of bytes with headers, and
// returns the number sent. Before the first picture it sends none: a receiver starts with a keyframe.
func (t *track) pad(bytes int) (sent int) {
	const header = 20
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stream == nil || t.frames == 0 {
		return 0
	}
	h := t.header
	h.Marker, h.Padding = false, true
	for sent < bytes {
		t.header.SequenceNumber++
		h.SequenceNumber = t.header.SequenceNumber
		h.PaddingSize = uint8(min(max(bytes-sent-header, 1), maxPadding))
		if _, err := t.stream.WriteRTP(&h, nil); err != nil {
			return sent
		}
		t.packets++
		sent += header + int(h.PaddingSize)
	}
	return sent
}
