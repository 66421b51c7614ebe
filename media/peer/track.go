package peer

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"parley/media"
	"parley/media/pipe"
	"parley/signal"
)

// mtu is the largest RTP payload that we send. With its headers that makes 1200 bytes, as in libwebrtc, and
// leaves room for SRTP, TURN and tunnels within the 1280 bytes that IPv6 guarantees.
const mtu = 1160

// ntpEpoch is 1900-01-01, where NTP time begins (RFC 5905), in Unix seconds.
const ntpEpoch = -2208988800

// track is a webrtc.TrackLocal with its own sequence numbers, timestamps and picture IDs, so that its source
// can change without the receiver noticing.
type track struct {
	member signal.ID // who sends it
	kind   media.Kind
	rate   uint32 // of the RTP clock, in Hz

	mu      sync.Mutex
	stream  webrtc.TrackLocalWriter
	header  rtp.Header
	base    uint32    // RTP timestamp of epoch
	epoch   time.Time // by the monotonic clock
	picture uint16    // VP8 picture id, 15 bits
	buf     []byte
	packets uint32
	octets  uint32
	frames  uint64
	w, h    int
	level   float64
	renew   func(ssrc uint32, seq uint16) // called for each keyframe; may be nil
	red     redundancy                    // of sound
}

// kinds are the kinds of track, in the order of our offers.
var kinds = [...]media.Kind{media.Microphone, media.Camera, media.Screen, media.SystemSound}

// kindNames are their names in descriptions, see signal/PROTOCOL.md.
var kindNames = map[media.Kind]string{
	media.Microphone: "microphone", media.Camera: "camera", media.Screen: "screen", media.SystemSound: "system-sound",
}

// isSound reports whether a kind of track is sound.
func isSound(k media.Kind) bool { return k == media.Microphone || k == media.SystemSound }

func codecType(k media.Kind) webrtc.RTPCodecType {
	if isSound(k) {
		return webrtc.RTPCodecTypeAudio
	}
	return webrtc.RTPCodecTypeVideo
}

// trackKind reads the kind of a member's track from its description, where the stream's ID is the member
// and the track's ID is the kind (msid, RFC 8830). It is false for any other track. The position in the
// description means nothing.
func trackKind(remote *webrtc.TrackRemote, member signal.ID) (media.Kind, bool) {
	for _, k := range kinds {
		if remote.ID() == kindNames[k] {
			return k, remote.StreamID() == string(member) && remote.Kind() == codecType(k)
		}
	}
	return 0, false
}

func newTrack(member signal.ID, kind media.Kind) *track {
	rate := uint32(90000) // of every video format (RFC 3551 section 5)
	if isSound(kind) {
		rate = media.SampleRate
	}
	return &track{
		member: member, kind: kind, rate: rate, buf: make([]byte, mtu),
		header:  rtp.Header{Version: 2, SequenceNumber: uint16(rand.N(1 << 15))},
		base:    rand.Uint32(),
		picture: uint16(rand.N(1 << 15)),
		epoch:   time.Now(), level: media.LevelFloor,
	}
}

// Bind implements webrtc.TrackLocal.
func (t *track) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	t.bindRED(c.CodecParameters())
	for _, p := range c.CodecParameters() {
		if p.MimeType != webrtc.MimeTypeVP8 && p.MimeType != webrtc.MimeTypeOpus {
			continue
		}
		t.mu.Lock()
		t.stream = c.WriteStream()
		t.header.SSRC = uint32(c.SSRC())
		t.header.PayloadType = uint8(p.PayloadType)
		t.mu.Unlock()
		return p, nil
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

// Unbind implements webrtc.TrackLocal.
func (t *track) Unbind(webrtc.TrackLocalContext) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stream = nil
	return nil
}

// ID implements webrtc.TrackLocal.
func (t *track) ID() string { return kindNames[t.kind] }

// RID implements webrtc.TrackLocal.
func (t *track) RID() string { return "" }

// StreamID implements webrtc.TrackLocal.
func (t *track) StreamID() string { return string(t.member) }

// Kind implements webrtc.TrackLocal.
func (t *track) Kind() webrtc.RTPCodecType { return codecType(t.kind) }

// timestamp is the RTP time of a moment.
func (t *track) timestamp(at time.Time) uint32 {
	return t.base + uint32(at.Sub(t.epoch).Microseconds()*int64(t.rate)/1_000_000)
}

// VP8 payload descriptor, RFC 7741 section 4.2: X and I are set, a 15-bit picture ID follows, and N marks
// frames that no other frame depends on. A receiver at half the frame rate gets picture IDs without gaps.
const (
	vp8Descriptor = 4
	vp8X          = 0x80
	vp8N          = 0x20
	vp8S          = 0x10
	vp8I          = 0x80
	vp8M          = 0x80
)

// renewed has f called with the first packet of each keyframe.
func (t *track) renewed(f func(ssrc uint32, seq uint16)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.renew = f
}

// writeVideo sends an encoded frame in packets of equal size.
func (t *track) writeVideo(p *media.Packet) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stream == nil {
		return
	}
	t.header.Timestamp = t.timestamp(p.Captured)
	t.picture = (t.picture + 1) & 0x7fff
	if p.Key && t.renew != nil {
		t.renew(t.header.SSRC, t.header.SequenceNumber+1)
	}
	chunk := mtu - vp8Descriptor
	n := (len(p.Data) + chunk - 1) / chunk
	chunk = (len(p.Data) + n - 1) / max(n, 1)
	for i := range n {
		part := p.Data[i*chunk : min((i+1)*chunk, len(p.Data))]
		t.buf[0] = vp8X
		if p.Droppable {
			t.buf[0] |= vp8N
		}
		if i == 0 {
			t.buf[0] |= vp8S
		}
		t.buf[1] = vp8I
		binary.BigEndian.PutUint16(t.buf[2:], uint16(vp8M)<<8|t.picture)
		copy(t.buf[vp8Descriptor:], part)
		t.header.Marker = i == n-1
		t.write(t.buf[:vp8Descriptor+len(part)])
	}
	t.frames++
	t.w, t.h = p.Width, p.Height
}

// writeAudio sends an Opus packet (RFC 7587).
func (t *track) writeAudio(p pipe.AudioPacket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stream == nil {
		return
	}
	t.header.Timestamp = t.base + p.Timestamp
	t.header.Marker = p.Marker
	t.level = p.Level
	// Sound has its own sample clock, which sender reports relate to capture time.
	t.epoch = p.Captured.Add(-time.Duration(p.Timestamp) * time.Second / time.Duration(t.rate))
	t.write(t.redPayload(p))
	t.frames++
}

// write sends a packet. ICE notices a lost path; errors here do not matter.
func (t *track) write(payload []byte) {
	t.header.SequenceNumber++
	if _, err := t.stream.WriteRTP(&t.header, payload); err == nil {
		t.packets++
		t.octets += uint32(len(payload))
	}
}

// report is a sender report (RFC 3550 section 6.4.1), which relates the RTP clock to capture time. It is nil
// as long as nothing has been sent.
func (t *track) report(now time.Time) rtcp.Packet {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.packets == 0 || t.stream == nil {
		return nil
	}
	return &rtcp.SenderReport{
		SSRC: t.header.SSRC, NTPTime: toNTP(now), RTPTime: t.timestamp(now),
		PacketCount: t.packets, OctetCount: t.octets,
	}
}

// toNTP is the 64-bit NTP timestamp of t.
func toNTP(t time.Time) uint64 {
	frac := uint64(t.Nanosecond()) << 32 / uint64(time.Second)
	return uint64(t.Unix()-ntpEpoch)<<32 | frac
}

// fromNTP undoes toNTP.
func fromNTP(v uint64) time.Time {
	frac := (v & 0xffffffff) * uint64(time.Second) >> 32
	return time.Unix(int64(v>>32)+ntpEpoch, int64(frac))
}
