package yuv

// #include "yuv.h"
import "C"

import (
	"fmt"

	"parley/media"
)

// layout says how many bytes a picture has in a format: row and total for rows of stride
// bytes; the last row may end with its last pixel.
type layout struct {
	code C.int
	row  func(w int) int
	size func(stride, row, h int) int
}

func packed(stride, row, h int) int { return stride*(h-1) + row }

func fourBytes(w int) int { return 4 * w }

func pairs(w int) int { return (w + 1) / 2 * 4 }

var layouts = map[media.PixelFormat]layout{
	media.FormatYUY2: {C.YUV_YUY2, pairs, packed},
	media.FormatUYVY: {C.YUV_UYVY, pairs, packed},
	media.FormatBGRA: {C.YUV_BGRA, fourBytes, packed},
	media.FormatRGBA: {C.YUV_RGBA, fourBytes, packed},
	media.FormatNV12: {
		C.YUV_NV12,
		func(w int) int { return (w + 1) / 2 * 2 },
		func(stride, row, h int) int { return stride*(h+(h+1)/2-1) + row },
	},
	media.FormatI420: {
		C.YUV_I420,
		func(w int) int { return w },
		func(stride, row, h int) int {
			cs, ch := (stride+1)/2, (h+1)/2
			return stride*h + cs*(2*ch-1) + (row+1)/2
		},
	},
}

// Convert fills dst as media.PixelConverter says. JPEG pictures are taken as full range, as JFIF
// has it; everything that is Y, U and V already as limited range, as USB cameras send it.
func Convert(dst *media.Frame, format media.PixelFormat, data []byte, stride int) error {
	if err := dst.Check(); err != nil {
		return fmt.Errorf("convert %s: %w", format, err)
	}
	if format == media.FormatMJPEG {
		w, h, err := media.JPEGSize(data)
		if err != nil {
			return fmt.Errorf("convert %s: %w", format, err)
		}
		if w != dst.Width || h != dst.Height {
			return fmt.Errorf("convert %s: picture is %dx%d, not %dx%d: %w", format, w, h, dst.Width, dst.Height, media.ErrCorrupt)
		}
		return from(dst, C.YUV_MJPEG, format, data, 0)
	}
	l, ok := layouts[format]
	if !ok {
		return fmt.Errorf("convert %s: %w", format, media.ErrFormat)
	}
	row := l.row(dst.Width)
	if stride == 0 {
		stride = row
	}
	// A stride larger than any picture's would overflow the size.
	if stride < row || stride > 16*media.MaxDimension || len(data) < l.size(stride, row, dst.Height) {
		return fmt.Errorf("convert %s: %d bytes with rows of %d for %dx%d: %w", format, len(data), stride, dst.Width, dst.Height, media.ErrCorrupt)
	}
	return from(dst, l.code, format, data, stride)
}

func from(dst *media.Frame, code C.int, format media.PixelFormat, data []byte, stride int) error {
	if C.yuv_from(code, ptr(dst.Y), ptr(dst.U), ptr(dst.V), C.int(dst.YStride), C.int(dst.UVStride),
		C.int(dst.Width), C.int(dst.Height), ptr(data), C.size_t(len(data)), C.int(stride)) != 0 {
		return fmt.Errorf("convert %s of %dx%d: %w", format, dst.Width, dst.Height, media.ErrCorrupt)
	}
	return nil
}
