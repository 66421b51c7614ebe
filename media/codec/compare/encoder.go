// Package compare measures codecs and their settings against each other; the product does not use it.
package compare

// #cgo CFLAGS: -O3
// #cgo pkg-config: vpx
// #include "vpx.h"
import "C"

import (
	"fmt"
	"unsafe"

	"parley/media"
)

// Knobs is what an Encoder can be told that a media.VideoConfig cannot.
type Knobs struct {
	Codec           media.Codec
	Width, Height   int
	Threads         int
	Speed           int   // libvpx cpu-used, as it is: VP8's is negative
	Rates           []int // bit/s of each spatial layer alone, smallest first; more than one is SVC, of VP9
	KeyOnly         bool  // layers are predicted from the smaller one in keyframes only (K-SVC)
	StaticThreshold int
	Noise           int // denoiser, 0 is off
	Partitions      int // token partitions of VP8, as a power of two
}

// Encoder is libvpx with Knobs.
type Encoder struct{ c *C.encoder }

// NewEncoder opens libvpx. It is closed with Close.
func NewEncoder(k Knobs) (*Encoder, error) {
	set := C.knobs{
		width: C.uint(k.Width), height: C.uint(k.Height), threads: C.uint(max(k.Threads, 1)), speed: C.int(k.Speed),
		layers: C.uint(len(k.Rates)), static_threshold: C.uint(k.StaticThreshold), noise: C.uint(k.Noise),
		partitions: C.uint(k.Partitions),
	}
	if len(k.Rates) < 1 || len(k.Rates) > C.MAX_LAYERS {
		return nil, fmt.Errorf("open encoder with %d layers: %w", len(k.Rates), media.ErrFormat)
	}
	for i, r := range k.Rates {
		set.kbps[i] = C.uint(r / 1000)
	}
	if k.Codec == media.VP9 {
		set.vp9 = 1
	}
	if k.KeyOnly {
		set.key_only = 1
	}
	e := &Encoder{}
	if rc := C.encoder_new(&e.c, &set); rc != C.VPX_CODEC_OK {
		return nil, fmt.Errorf("open encoder: %s", C.GoString(C.vpx_codec_err_to_string(rc)))
	}
	return e, nil
}

// Encode codes one frame, which has the encoder's size. It returns nil for a dropped one. With
// SVC, data is a superframe of all layers.
func (e *Encoder) Encode(f *media.Frame, key bool) (data []byte, err error) {
	forced := C.int(0)
	if key {
		forced = 1
	}
	rc := C.encoder_encode(e.c, pointer(f.Y), pointer(f.U), pointer(f.V), C.int(f.YStride), C.int(f.UVStride), forced)
	if rc != C.VPX_CODEC_OK {
		return nil, fmt.Errorf("encode: %s", C.GoString(C.vpx_codec_err_to_string(rc)))
	}
	for {
		var size C.size_t
		piece := C.encoder_next(e.c, &size)
		if piece == nil {
			return data, nil
		}
		data = append(data, unsafe.Slice((*byte)(unsafe.Pointer(piece)), int(size))...)
	}
}

// Close frees libvpx's memory.
func (e *Encoder) Close() { C.encoder_free(e.c) }

func pointer(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))) }
