package vpx

import (
	"encoding/binary"
	"fmt"

	"parley/media"
)

// frameHeader is what a frame's first bytes say. Width and height are 0 if they stay the same.
type frameHeader struct {
	key           bool
	width, height int
}

func (h frameHeader) check() (frameHeader, error) {
	if h.width > media.MaxDimension || h.height > media.MaxDimension || h.key && (h.width < 1 || h.height < 1) {
		return h, fmt.Errorf("picture of %dx%d: %w", h.width, h.height, media.ErrCorrupt)
	}
	return h, nil
}

// readVP8 reads a VP8 frame tag and, of a keyframe, the size (RFC 6386 section 9.1).
func readVP8(data []byte) (frameHeader, error) {
	if len(data) < 3 {
		return frameHeader{}, fmt.Errorf("frame header cut short: %w", media.ErrCorrupt)
	}
	if data[0]&1 != 0 {
		return frameHeader{}, nil
	}
	if len(data) < 10 || data[3] != 0x9D || data[4] != 0x01 || data[5] != 0x2A {
		return frameHeader{}, fmt.Errorf("keyframe header: %w", media.ErrCorrupt)
	}
	const size = 1<<14 - 1 // the two bits above it ask for upscaling, which nobody does
	return frameHeader{
		key:    true,
		width:  int(binary.LittleEndian.Uint16(data[6:]) & size),
		height: int(binary.LittleEndian.Uint16(data[8:]) & size),
	}.check()
}

// readVP9 refuses data whose frames ask for more than media.MaxDimension or for another
// profile than 0. libvpx's own peek tells only a keyframe's size, but any VP9 frame may
// bring a new one, and libvpx allocates whatever it says. (VP9 bitstream specification,
// section 6.1 and annex B.)
// What it returns is the header of the first frame.
func readVP9(data []byte) (frameHeader, error) {
	sizes := superframe(data)
	if sizes == nil {
		return readVP9Frame(data)
	}
	var first frameHeader
	for i, n := range sizes {
		if n > len(data) {
			return first, fmt.Errorf("superframe index: %w", media.ErrCorrupt)
		}
		h, err := readVP9Frame(data[:n])
		if err != nil {
			return first, err
		}
		if i == 0 {
			first = h
		}
		data = data[n:]
	}
	return first, nil
}

// superframe reads the index at the end of data: the sizes of the frames in it. It is nil
// when data is one frame.
func superframe(data []byte) []int {
	if len(data) == 0 {
		return nil
	}
	marker := data[len(data)-1]
	if marker&0xE0 != 0xC0 {
		return nil
	}
	frames, width := int(marker&7)+1, int(marker>>3&3)+1
	start := len(data) - 2 - frames*width
	if start < 0 || data[start] != marker {
		return nil
	}
	sizes := make([]int, frames)
	for i := range sizes {
		for b := range width {
			sizes[i] |= int(data[start+1+i*width+b]) << (8 * b)
		}
	}
	return sizes
}

// readVP9Frame reads one frame's uncompressed header up to its size.
func readVP9Frame(data []byte) (frameHeader, error) {
	const syncCode, rgb = 0x498342, 7
	var h frameHeader
	r := bitReader{data: data}
	if r.bits(2) != 2 || r.bits(2) != 0 {
		return h, fmt.Errorf("frame marker or profile: %w", media.ErrCorrupt)
	}
	if r.bits(1) == 1 { // show_existing_frame
		return h, r.err()
	}
	h.key = r.bits(1) == 0
	shown, resilient := r.bits(1) == 1, r.bits(1) == 1
	sized := h.key
	if h.key {
		if r.bits(24) != syncCode || r.bits(3) == rgb {
			return h, fmt.Errorf("keyframe header: %w", media.ErrCorrupt)
		}
		r.bits(1) // color_range
	} else {
		intraOnly := !shown && r.bits(1) == 1
		if !resilient {
			r.bits(2) // reset_frame_context
		}
		if intraOnly {
			if r.bits(24) != syncCode {
				return h, fmt.Errorf("intra frame header: %w", media.ErrCorrupt)
			}
			r.bits(8) // refresh_frame_flags
			sized = true
		} else {
			r.bits(8 + 3*4) // refresh_frame_flags, three references
			sized = true    // unless one of three references has the size
			for range 3 {
				if r.bits(1) == 1 {
					sized = false
					break
				}
			}
		}
	}
	if sized {
		h.width, h.height = r.bits(16)+1, r.bits(16)+1
	}
	if err := r.err(); err != nil {
		return h, err
	}
	return h.check()
}

// bitReader reads bits, most significant first; past the end it reads zeros and says so.
type bitReader struct {
	data []byte
	pos  int
}

func (r *bitReader) bits(n int) int {
	v := 0
	for range n {
		v <<= 1
		if i := r.pos >> 3; i < len(r.data) {
			v |= int(r.data[i]>>(7-r.pos&7)) & 1
		}
		r.pos++
	}
	return v
}

func (r *bitReader) err() error {
	if r.pos > 8*len(r.data) {
		return fmt.Errorf("frame header cut short: %w", media.ErrCorrupt)
	}
	return nil
}
