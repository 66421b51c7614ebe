package media

import (
	"fmt"
	"image"
	"image/color"
	"sync"
	"sync/atomic"
	"time"
)

// MaxDimension bounds the width and height of any picture, in pixels: enough for an 8K
// screen, small enough that a lying header cannot ask for gigabytes.
const MaxDimension = 8192

// SmallTile is the height, in pixels, up to which the picture of somebody else may move at half
// its rate when this machine is busy: its sender is asked for no more, and the window draws no
// more. It is more than two rows of tiles on a usual screen.
const SmallTile = 400

// Frame is a picture in planar YCbCr 4:2:0 (I420), BT.601 limited range, as cameras and
// VP8 have it. The chroma planes are (Width+1)/2 by (Height+1)/2.
//
// A frame is written by whoever made it and read-only once handed on. Frames from NewFrame
// are counted: Release gives the memory back for the next frame. Forgetting to release
// costs reuse and nothing else.
type Frame struct {
	Width, Height     int
	Y, U, V           []byte
	YStride, UVStride int
	Captured          time.Time // when the light fell on the sensor, as near as is known

	refs atomic.Int32
	pool *sync.Pool // nil for frames over memory of somebody else's
}

// framePools holds one pool a picture size; sizes in use at a time are few.
var framePools sync.Map // image.Point -> *sync.Pool

// NewFrame returns a frame of w by h pixels with one reference; its content is undefined.
func NewFrame(w, h int) *Frame {
	size := image.Pt(w, h)
	p, ok := framePools.Load(size)
	if !ok {
		p, _ = framePools.LoadOrStore(size, new(sync.Pool))
	}
	pool := p.(*sync.Pool)
	if f, ok := pool.Get().(*Frame); ok {
		f.Captured = time.Time{}
		f.refs.Store(1)
		return f
	}
	cw, ch := (w+1)/2, (h+1)/2
	buf := make([]byte, w*h+2*cw*ch)
	f := &Frame{
		Width: w, Height: h,
		Y: buf[: w*h : w*h], U: buf[w*h : w*h+cw*ch : w*h+cw*ch], V: buf[w*h+cw*ch:],
		YStride: w, UVStride: cw,
		pool: pool,
	}
	f.refs.Store(1)
	return f
}

// Retain adds a reference and returns f.
func (f *Frame) Retain() *Frame {
	f.refs.Add(1)
	return f
}

// Release drops a reference; with the last one the frame's memory is used again.
func (f *Frame) Release() {
	if f.pool == nil {
		return
	}
	switch n := f.refs.Add(-1); {
	case n == 0:
		f.pool.Put(f)
	case n < 0:
		panic("media: frame released more often than retained")
	}
}

// Bounds is the frame's rectangle at the origin.
func (f *Frame) Bounds() image.Rectangle { return image.Rect(0, 0, f.Width, f.Height) }

// Check reports whether the planes hold the picture that the size promises, which C code has to rely
// on. Otherwise it is ErrFormat.
func (f *Frame) Check() error {
	if f.Width < 1 || f.Height < 1 || f.Width > MaxDimension || f.Height > MaxDimension {
		return fmt.Errorf("frame of %dx%d: %w", f.Width, f.Height, ErrFormat)
	}
	cw, ch := (f.Width+1)/2, (f.Height+1)/2
	if f.YStride < f.Width || f.UVStride < cw ||
		len(f.Y) < f.YStride*(f.Height-1)+f.Width ||
		len(f.U) < f.UVStride*(ch-1)+cw || len(f.V) < f.UVStride*(ch-1)+cw {
		return fmt.Errorf("frame of %dx%d has too small planes: %w", f.Width, f.Height, ErrFormat)
	}
	return nil
}

// ColorModel and At make a frame an image.Image, so that it passes through libraries that carry images.
// Slow: for whole pictures there is YCbCr.
func (f *Frame) ColorModel() color.Model { return color.YCbCrModel }

// At implements image.Image.
func (f *Frame) At(x, y int) color.Color { return f.YCbCr().At(x, y) }

// YCbCr is a view of the frame as the standard library's image type; it shares memory.
func (f *Frame) YCbCr() *image.YCbCr {
	return &image.YCbCr{
		Y: f.Y, Cb: f.U, Cr: f.V, YStride: f.YStride, CStride: f.UVStride,
		SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: f.Bounds(),
	}
}

// Packet is one encoded video frame.
type Packet struct {
	Codec         Codec
	Data          []byte
	Key           bool
	Droppable     bool // no other frame leans on it (RFC 7741 section 4.2, N)
	Width, Height int
	Captured      time.Time
}

// nearly is how much larger than a tile a picture may be, as a share of it, to be shown pixel for
// pixel: what is lost at its edges is less than what scaling would blur, and scaling costs as much
// as converting the colours.
const nearly = 0.05

// Fills says whether a w by h picture of a face is to fill a tile of dw by dh: at most an eighth of it
// is lost at its edges then. Otherwise it is shown whole.
func Fills(w, h, dw, dh int) bool {
	a, b := w*dh, dw*h
	return 8*min(a, b) >= 7*max(a, b)
}

// Cover is the part of a w by h picture, around its middle, that fills a tile of dw by dh without
// bars: the largest that has the tile's aspect ratio, or one of the tile's own size where that is
// nearly as large.
func Cover(w, h, dw, dh int) image.Rectangle {
	cw, ch := w, h
	if w*dh > dw*h {
		cw = max(h*dw/dh, 1)
	} else {
		ch = max(w*dh/dw, 1)
	}
	if dw <= cw && dh <= ch && float64(cw) <= (1+nearly)*float64(dw) {
		cw, ch = dw, dh
	}
	x, y := (w-cw)/2&^1, (h-ch)/2&^1
	return image.Rect(x, y, x+cw, y+ch)
}

// Contain is the largest size with the aspect ratio of w by h that fits into dw by dh:
// what shows a whole picture, with bars.
func Contain(w, h, dw, dh int) image.Point {
	if w*dh > dw*h {
		return image.Pt(dw, max(h*dw/w, 1))
	}
	return image.Pt(max(w*dh/h, 1), dh)
}
