package peer

import (
	"strings"
	"time"

	"github.com/pion/webrtc/v4"

	"parley/media"
	"parley/media/pipe"
)

// redundancy is how a track of sound repeats its packets to one peer (RFC 2198): encoding
// happens once, and everybody gets as much of it again as their path needs.
type redundancy struct {
	plain, red uint8 // payload types; red is 0 if the other side does not know it
	encoder    pipe.RedEncoder
	control    pipe.RedControl
	leastRTT   time.Duration // 0 while unknown
	most       float64       // of what the path was said to carry, bit/s, forgotten by and by
	limit      int           // of the depth, by what the path carries
	bits       int           // of a packet of late, smoothed
	depth      int           // of the newest packet
}

// Sound with its repetitions takes at most the share redShare of what the path is said to
// carry. One repetition is always worth its bits, unless packets wait in the path for redQueue
// more than they need to, or it was just found to carry less than redFall of what it did: then loss
// comes of too much being sent.
const (
	redShare = 0.35
	redQueue = 80 * time.Millisecond
	redFall  = 0.6
	// mostForget is the part of most that a report leaves of it: a minute's memory is too long, for
	// a path may narrow for good.
	mostForget = 0.9
	// packetOverhead is RTP, SRTP, UDP and IP of a packet, in bits.
	packetOverhead = 8 * 60
)

// bindRED notes whether the other side takes RED.
func (t *track) bindRED(codecs []webrtc.RTPCodecParameters) {
	if !isSound(t.kind) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.red.red, t.red.limit = 0, pipe.MaxRedDepth
	for _, c := range codecs {
		switch {
		case strings.EqualFold(c.MimeType, mimeTypeRED):
			t.red.red = uint8(c.PayloadType)
		case strings.EqualFold(c.MimeType, webrtc.MimeTypeOpus):
			t.red.plain = uint8(c.PayloadType)
		}
	}
}

// withEarlier is the payload for p, and sets its type. mu is held.
func (t *track) withEarlier(p pipe.AudioPacket) []byte {
	r := &t.red
	r.bits += (8*len(p.Data) - r.bits) / 16
	t.header.PayloadType, r.depth = r.plain, 0
	if r.red == 0 {
		return p.Data
	}
	payload, blocks := r.encoder.Encode(r.plain, p.Timestamp, p.Data, min(r.control.Depth(), r.limit), mtu)
	if r.depth = blocks; blocks > 0 {
		t.header.PayloadType = r.red
	}
	return payload
}

// onLoss takes what the other side reports: the share of packets lost, 0 to 1, the round trip,
// 0 if unknown, and what the path is said to carry, in bit/s.
func (t *track) onLoss(lost float64, rtt time.Duration, estimate int, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &t.red
	if rtt > 0 && (r.leastRTT == 0 || rtt < r.leastRTT) {
		r.leastRTT = rtt
	}
	r.most = max(mostForget*r.most, float64(estimate))
	congested := r.leastRTT > 0 && rtt > r.leastRTT+redQueue || float64(estimate) < redFall*r.most
	r.control.Report(lost, congested, now)
	least := 1
	if congested {
		least = 0
	}
	r.limit = pipe.MaxRedDepth
	if r.bits > 0 {
		const perSecond = int(time.Second / media.PacketDuration)
		room := int(redShare*float64(estimate))/perSecond - packetOverhead
		r.limit = min(max(room/r.bits-1, least), pipe.MaxRedDepth)
	}
}

// redundant is what repeating costs beyond the sound itself, in bit/s.
func (t *track) redundant() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.red.depth * t.red.bits * int(time.Second/media.PacketDuration)
}

// repeats says whether the other side takes repetitions at all.
func (t *track) repeats() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.red.red != 0
}
