package sframe

// Bytes at the start of a VP8 frame that a media server reads (RFC 6386, section 9.1; RFC 7741, section 4.3): the frame
// tag, and in a keyframe its start code and size.
const (
	vp8Tag      = 3
	vp8Keyframe = 10
)

// ClearVP8 is how many bytes at the start of a VP8 frame stay in clear, so that a media server can tell keyframes and
// their size. An empty frame has none.
func ClearVP8(frame []byte) int {
	if len(frame) > 0 && frame[0]&1 == 0 { // the P bit: 0 for a keyframe
		return min(vp8Keyframe, len(frame))
	}
	return min(vp8Tag, len(frame))
}

// ClearOpus is the same for an Opus packet: its TOC byte (RFC 6716, section 3.1), from which a server and a jitter
// buffer read the duration.
const ClearOpus = 1
