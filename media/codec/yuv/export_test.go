package yuv

import "parley/media"

// Row is the number of bytes of a row of w pixels, and Size that of a picture.
func Row(f media.PixelFormat, w int) int { return layouts[f].row(w) }

func Size(f media.PixelFormat, stride, w, h int) int { return layouts[f].size(stride, Row(f, w), h) }
