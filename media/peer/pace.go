package peer

import (
	"time"

	"parley/media/congestion"
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

// Pace is how sending does on the path.
type Pace struct {
	Delivered int           // what arrived lately, bit/s
	Loss      float64       // share of all packets lost lately, 0 to 1
	Limited   bool          // the path carries less than we would send
	Wait      time.Duration // of packets before they leave
	Dropped   uint64        // packets that found the queue full
	Probes    uint64        // bursts sent to learn what the path carries
}

// newSender returns what paces our packets and estimates the path.
func (p *Peer) newSender() *congestion.Sender {
	return congestion.NewSender(congestion.Config{Start: startRate, Min: minRate, Max: maxRate}, p.pad)
}

// pad sends padding on a track that has sent pictures.
func (p *Peer) pad(bytes int) int {
	if n := p.tracks[camera].pad(bytes); n > 0 {
		return n
	}
	return p.tracks[screen].pad(bytes)
}

// steer tells the sender what we would send and which picture goes first; the caller holds mu.
func (p *Peer) steer() {
	bits, preferred := wantSound, camera
	switch lines := p.want.Camera[1]; {
	case lines > 360:
		bits += want720
	case lines > 180:
		bits += want360
	case lines > 0:
		bits += want180
	}
	if p.want.Screen[0] > 0 && p.allowed[screen] > 0 {
		bits, preferred = bits+wantScreen, screen
	}
	p.out.Want(bits)
	p.out.Prefer(p.tracks[preferred].ssrc())
}

func (p *Peer) pace() Pace {
	p.mu.Lock()
	out := p.out
	p.mu.Unlock()
	if out == nil {
		return Pace{}
	}
	s := out.Stats()
	return Pace{
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
