package yuv

// #include "yuv.h"
import "C"

import (
	"fmt"

	"parley/media"
)

// ConvertPlanar fills dst as media.PixelConverter says. It ignores where chroma lies between luma samples,
// which is a quarter of a pixel at most.
func ConvertPlanar(dst *media.Frame, p media.Planar, data []byte) error {
	if err := dst.Check(); err != nil {
		return fmt.Errorf("convert planes: %w", err)
	}
	if err := p.Check(); err != nil {
		return fmt.Errorf("convert planes: %w", err)
	}
	if int64(len(data)) < p.Size() {
		return fmt.Errorf("convert planes: %d bytes for %dx%d: %w", len(data), p.Width, p.Height, media.ErrCorrupt)
	}
	luma, chroma := C.int(C.YUV_KEEP), C.int(C.YUV_KEEP)
	if p.Full {
		luma, chroma = C.YUV_LIMIT_LUMA, C.YUV_LIMIT_CHROMA
	}
	var scratch []byte
	if p.Bits > 8 {
		f := media.NewFrame(p.Width, p.Height)
		defer f.Release()
		scratch = f.Y
	}
	cw, ch := p.Chroma()
	dcw, dch := (dst.Width+1)/2, (dst.Height+1)/2
	if cw == 0 {
		for _, plane := range [][]byte{dst.U, dst.V} {
			for i := range plane {
				plane[i] = 128
			}
		}
		plane(dst.Y, dst.YStride, dst.Width, dst.Height, data, p, p.Width, p.Height, luma, scratch)
		return nil
	}
	y := p.Width * p.Height * p.SampleBytes()
	c := cw * ch * p.SampleBytes()
	plane(dst.Y, dst.YStride, dst.Width, dst.Height, data, p, p.Width, p.Height, luma, scratch)
	plane(dst.U, dst.UVStride, dcw, dch, data[y:], p, cw, ch, chroma, scratch)
	plane(dst.V, dst.UVStride, dcw, dch, data[y+c:], p, cw, ch, chroma, scratch)
	return nil
}

// plane brings w by h samples of data into dst: every row of them, or those of one field.
func plane(dst []byte, stride, dw, dh int, data []byte, p media.Planar, w, h int, limit C.int, scratch []byte) {
	row := w
	if p.Field != media.AllRows && h > 1 {
		if p.Field == media.OddRows {
			data = data[w*p.SampleBytes():]
			h--
		}
		row, h = 2*w, (h+1)/2
	}
	C.yuv_plane(ptr(dst), C.int(stride), C.int(dw), C.int(dh), ptr(data), C.int(row), C.int(w), C.int(h),
		C.int(p.Bits), limit, ptr(scratch))
}
