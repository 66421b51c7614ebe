package vpx

// #include "vpx.h"
import "C"

import (
	"fmt"
	"unsafe"

	"parley/media"
)

type decoder struct {
	codec   media.Codec
	vp9     C.int
	c       *C.vpxdec
	threads int
	started bool // a keyframe was decoded, and nothing bad since
	frame   media.Frame
}

// NewDecoder makes a decoder; a codec it does not know is media.ErrFormat.
func NewDecoder(codec media.Codec) (media.VideoDecoder, error) {
	d := &decoder{codec: codec}
	switch codec {
	case media.VP8:
	case media.VP9:
		d.vp9 = 1
	default:
		return nil, fmt.Errorf("open decoder for %q: %w", codec, media.ErrFormat)
	}
	if err := d.open(1); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *decoder) open(threads int) error {
	var c *C.vpxdec
	if rc := C.vpxdec_new(&c, d.vp9, C.uint(threads)); rc != C.VPX_CODEC_OK {
		return fmt.Errorf("open %s decoder: %w", d.codec, vpxError(rc))
	}
	d.Close()
	d.c, d.threads = c, threads
	return nil
}

// Decode needs a keyframe first, and another after each error. Until then it returns ErrCorrupt:
// the data would be applied to the wrong picture.
func (d *decoder) Decode(data []byte) (*media.Frame, error) {
	if d.c == nil {
		return nil, fmt.Errorf("decode %s: decoder is closed", d.codec)
	}
	if err := d.prepare(data); err != nil {
		d.started = false
		return nil, fmt.Errorf("decode %s: %w", d.codec, err)
	}
	d.started = false
	var out C.vpxdec_frame
	if rc := C.vpxdec_decode(d.c, planePtr(data), C.size_t(len(data)), &out); rc != C.VPX_CODEC_OK {
		// libvpx has several names for this; the data is the cause of all.
		return nil, fmt.Errorf("decode %s: %s: %w", d.codec, C.GoString(C.vpx_codec_err_to_string(rc)), media.ErrCorrupt)
	}
	w, h := int(out.width), int(out.height)
	if w == 0 {
		d.started = true
		return nil, nil
	}
	if out.i420 == 0 {
		return nil, fmt.Errorf("decode %s: not 8-bit 4:2:0: %w", d.codec, media.ErrCorrupt)
	}
	if h < 1 || w > media.MaxDimension || h > media.MaxDimension {
		return nil, fmt.Errorf("decode %s: picture of %dx%d: %w", d.codec, w, h, media.ErrCorrupt)
	}
	d.started = true
	ys, uvs, cw, ch := int(out.ystride), int(out.uvstride), (w+1)/2, (h+1)/2
	f := &d.frame
	f.Width, f.Height, f.YStride, f.UVStride = w, h, ys, uvs
	f.Y = unsafe.Slice((*byte)(unsafe.Pointer(out.y)), ys*(h-1)+w)
	f.U = unsafe.Slice((*byte)(unsafe.Pointer(out.u)), uvs*(ch-1)+cw)
	f.V = unsafe.Slice((*byte)(unsafe.Pointer(out.v)), uvs*(ch-1)+cw)
	return f, nil
}

// prepare reads data's header before libvpx allocates memory for it, and reopens the decoder when
// a keyframe's size needs another number of threads.
func (d *decoder) prepare(data []byte) error {
	if len(data) == 0 {
		return fmt.Errorf("no data: %w", media.ErrCorrupt)
	}
	read := readVP8
	if d.vp9 == 1 {
		read = readVP9
	}
	header, err := read(data)
	if err != nil {
		return err
	}
	if !header.key {
		if !d.started {
			return fmt.Errorf("waiting for a keyframe: %w", media.ErrCorrupt)
		}
		return nil
	}
	if threads := decoderThreads(header.width * header.height); threads != d.threads {
		return d.open(threads)
	}
	return nil
}

// decoderThreads is one thread for each started block of 1280x720 pixels, at most four.
func decoderThreads(pixels int) int {
	return min(1+pixels/(1280*720+1), 4)
}

// Close is idempotent. It takes the memory of the last frame with it.
func (d *decoder) Close() error {
	if d.c != nil {
		C.vpxdec_free(d.c)
		d.c = nil
		trim()
	}
	d.frame = media.Frame{}
	return nil
}
