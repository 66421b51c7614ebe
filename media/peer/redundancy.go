package peer

import (
	"strings"
	"time"

	"github.com/pion/webrtc/v4"

	"parley/media"
	"parley/media/pipe"
)

// redundancy is how a sound track repeats packets to one side (RFC 2198). Sound is encoded once; each side
// gets as much redundancy as its path needs.
type redundancy struct {
	plain, red uint8 // payload types; red is 0 if the other side does not support it
	encoder    pipe.RedEncoder
	control    pipe.RedControl
	leastRTT   time.Duration // 0 while unknown
	most       float64       // the highest estimate, in bit/s, which decays over time
	limit      int           // the greatest depth that the path has room for
	bits       int           // smoothed size of a packet
	cost       int           // the same, smoothed less when it rises and more when it falls
	depth      int           // of the newest packet
}

// Sound with redundancy takes at most redShare of the estimate. One repetition is always allowed, unless the
// path is congested, for then redundancy makes the loss worse. A path is congested if the round trip is
// redQueue above its minimum, or if the estimate fell below redFall of its recent maximum.
const (
	redShare = 0.35
	redQueue = 80 * time.Millisecond
	redFall  = 0.6
	// mostForget is how much of most remains after a report. It decays within seconds, because a path
	// may stay narrow.
	mostForget = 0.9
	// packetOverhead is the size of RTP, SRTP, UDP and IP headers, in bits.
	packetOverhead = 8 * 60
)

// bindRED records whether the other side supports RED.
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

// redPayload returns the payload for p with its redundancy, and sets the payload type. mu is held.
func (t *track) redPayload(p pipe.AudioPacket) []byte {
	r := &t.red
	size := 8 * len(p.Data)
	r.bits += (size - r.bits) / 16
	if over := size - r.cost; over > 0 {
		r.cost += over / 8
	} else {
		r.cost += over / 64
	}
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

// onLoss updates the redundancy from a report: the share of packets lost, 0 to 1, the round trip, 0 if
// unknown, and the bandwidth estimate in bit/s.
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

// spends is the cost of a sound, in bit/s, without redundancy.
func (t *track) spends() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.red.cost == 0 {
		return 0
	}
	return (t.red.cost + soundHeader) * int(time.Second/media.PacketDuration)
}

// redundant is the cost of redundancy, in bit/s.
func (t *track) redundant() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.red.depth * t.red.bits * int(time.Second/media.PacketDuration)
}

// repeats reports whether the other side supports RED.
func (t *track) repeats() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.red.red != 0
}
