// Package yuv converts, scales and mirrors pictures with libyuv.
package yuv

// #cgo LDFLAGS: -lyuv
// #cgo windows LDFLAGS: -ljpeg -lstdc++
// #include "yuv.h"
import "C"

import (
	"fmt"
	"image"
	"unsafe"

	"parley/media"
)

// view is a part of a frame's planes.
type view struct {
	y, u, v           []byte
	ystride, uvstride int
	w, h              int
}

func whole(f *media.Frame) view {
	return view{f.Y, f.U, f.V, f.YStride, f.UVStride, f.Width, f.Height}
}

// cut is the part r of f. At an odd corner the chroma is half a luma pixel off, which is invisible, and
// cheaper than resampling it.
func cut(f *media.Frame, r image.Rectangle) view {
	c := r.Min.Y/2*f.UVStride + r.Min.X/2
	return view{
		f.Y[r.Min.Y*f.YStride+r.Min.X:], f.U[c:], f.V[c:],
		f.YStride, f.UVStride, r.Dx(), r.Dy(),
	}
}

// Paint converts crop of f to opaque RGBA in dst. It scales in 4:2:0, which has the fewest bytes, and
// converts only the pixels of the tile.
func Paint(dst *image.RGBA, f *media.Frame, crop image.Rectangle, mirror bool) error {
	if err := f.Check(); err != nil {
		return fmt.Errorf("paint: %w", err)
	}
	if crop.Empty() || !crop.In(f.Bounds()) {
		return fmt.Errorf("paint: part %v of %dx%d: %w", crop, f.Width, f.Height, media.ErrFormat)
	}
	w, h := dst.Rect.Dx(), dst.Rect.Dy()
	if w < 1 || h < 1 {
		return nil
	}
	if w > maxTile || h > maxTile || dst.Stride < 4*w || len(dst.Pix) < dst.Stride*(h-1)+4*w {
		return fmt.Errorf("paint: picture %dx%d: %w", w, h, media.ErrFormat)
	}
	src := cut(f, crop)
	if w != src.w || h != src.h {
		scaled := media.NewFrame(w, h)
		defer scaled.Release()
		if err := scale(whole(scaled), src); err != nil {
			return fmt.Errorf("paint: %w", err)
		}
		src = whole(scaled)
	}
	if mirror {
		mirrored := media.NewFrame(w, h)
		defer mirrored.Release()
		m := whole(mirrored)
		if C.yuv_mirror(ptr(m.y), ptr(m.u), ptr(m.v), C.int(m.ystride), C.int(m.uvstride),
			ptr(src.y), ptr(src.u), ptr(src.v), C.int(src.ystride), C.int(src.uvstride), C.int(w), C.int(h)) != 0 {
			return fmt.Errorf("paint: mirror %dx%d: %w", w, h, media.ErrFormat)
		}
		src = m
	}
	if C.yuv_to_rgba(ptr(dst.Pix), C.int(dst.Stride), ptr(src.y), ptr(src.u), ptr(src.v),
		C.int(src.ystride), C.int(src.uvstride), C.int(w), C.int(h)) != 0 {
		return fmt.Errorf("paint: convert %dx%d: %w", w, h, media.ErrFormat)
	}
	return nil
}

// maxTile bounds a tile's width and height, in pixels; it is libyuv's own bound on scaling.
const maxTile = 32768

// Scale resizes src into dst. A picture more than twice as large is halved first, repeatedly if needed.
func Scale(dst, src *media.Frame) error {
	if err := dst.Check(); err != nil {
		return fmt.Errorf("scale: %w", err)
	}
	if err := src.Check(); err != nil {
		return fmt.Errorf("scale: %w", err)
	}
	dst.Captured = src.Captured
	return scale(whole(dst), whole(src))
}

// scale uses libyuv's box filters of 2x2 and 4x4 pixels, which have SIMD. Other box sizes have none, and
// 1280x720 to 426x240 would take five times as long.
func scale(dst, src view) error {
	for src.w > 2*dst.w && src.h > 2*dst.h && (src.w != 4*dst.w || src.h != 4*dst.h) {
		half := media.NewFrame(src.w/2, src.h/2)
		defer half.Release()
		// The last row or column of an odd size is left out.
		src.w, src.h = src.w&^1, src.h&^1
		if err := scaleOnce(whole(half), src); err != nil {
			return err
		}
		src = whole(half)
	}
	return scaleOnce(dst, src)
}

func scaleOnce(dst, src view) error {
	if C.yuv_scale(ptr(dst.y), ptr(dst.u), ptr(dst.v), C.int(dst.ystride), C.int(dst.uvstride), C.int(dst.w), C.int(dst.h),
		ptr(src.y), ptr(src.u), ptr(src.v), C.int(src.ystride), C.int(src.uvstride), C.int(src.w), C.int(src.h)) != 0 {
		return fmt.Errorf("scale %dx%d to %dx%d: %w", src.w, src.h, dst.w, dst.h, media.ErrFormat)
	}
	return nil
}

func ptr(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))) }
