package media

import (
	"image"
	"time"
)

// Fit says how a picture meets a tile of another shape.
type Fit uint8

// The ways to fit.
const (
	FitCover   Fit = iota // fill the tile where little is lost by that, see Fills: faces
	FitContain            // show everything, leave bars: screens
)

// Picture is a video frame made ready for one tile, at the tile's own pixels. It is smaller than the
// tile where it does not fill it.
type Picture struct {
	Image    *image.RGBA
	Source   image.Point // size of the frame before scaling
	Captured time.Time   // zero when unknown
}

// View is one tile's window on one video track. Pictures bypass the call's State: the
// window takes the newest one on its display tick. All methods may be called from any
// goroutine and none blocks.
type View interface {
	// Resize tells the pixel size at which the tile is shown; 0 by 0 hides it, and then
	// nothing is decoded or sent for it.
	Resize(w, h int, fit Fit)
	// Waiting says whether Take would return a picture.
	Waiting() bool
	// Take returns the newest picture if it was not taken yet, else nil. The picture
	// stays untouched until the next one is taken.
	Take() *Picture
	// Painted reports, for the statistics, that the picture captured then is on the screen.
	Painted(captured, at time.Time)
}
