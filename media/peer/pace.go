package peer

import (
	"parley/media"
	"parley/media/congestion"
	"parley/media/transport"
)

// Rates in bit/s that our pictures are worth sending at, by the lines that the other side
// shows: what the ladder of media/pipe costs at its best, and a screen full of text. There is
// no probing for more than they need.
const (
	wantSound  = 80_000
	want180    = 350_000
	want360    = 1_000_000
	want720    = 3_000_000
	wantScreen = 4_000_000
)

// soundRate is what sound costs, in bit/s: Opus at 40 kbit/s and 50 packets a second with headers of 58
// bytes. It comes first.
const soundRate = 64_000

// What is left over after the sound is shared: while nothing is presented, the camera has it all.
// While we present, the screen is what people look at. The camera keeps at least cameraLeast, a face
// the size of a thumb, and all that is more than the screen can use.
const (
	cameraLeast = 100_000   // bit/s
	screenMost  = 4_000_000 // bit/s
)

// allot shares out a path that carries rate bit/s.
func allot(rate int, presenting bool) (camera, screen int) {
	rest := max(rate-soundRate, 0)
	if !presenting {
		return rest, 0
	}
	screen = min(max(rest-cameraLeast, rest/2), screenMost)
	return rest - screen, screen
}

// newSender returns what paces our packets and estimates the path.
func (p *Peer) newSender() *congestion.Sender {
	return congestion.NewSender(congestion.Config{Start: startRate, Min: minRate, Max: maxRate}, p.pad)
}

// pad sends padding on a track that has sent pictures.
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

// steer tells the sender what we would send and which picture goes first; the caller holds mu.
func (p *Peer) steer() {
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

// maxPadding is the most one packet can hold: the last octet counts (RFC 3550 section 5.1).
const maxPadding = 255

// pad sends packets with nothing but padding between two frames, so many bytes with their
// headers or a little more, and returns how many. It sends none before there was a picture:
// a receiver begins with a keyframe.
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
