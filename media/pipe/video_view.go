package pipe

import (
	"image"
	"sync"
	"time"

	"parley/media"
)

// Size is how large a track is shown, in pixels; the zero Size means not at all.
type Size struct{ W, H int }

// View is the media.View of one video track. Whoever has frames shows them; the window
// takes the newest. It keeps two pictures: the one on the screen and one to write to.
type View struct {
	codecs media.Codecs
	mirror bool

	mu      sync.Mutex
	size    Size
	fit     media.Fit
	newest  *media.Picture // not yet taken
	taken   *media.Picture
	free    []*media.Picture
	skipped uint64 // pictures replaced before they were taken
	painted paintStats
}

// NewView returns a hidden view. mirror flips pictures left to right, as people expect of
// themselves.
func NewView(codecs media.Codecs, mirror bool) *View {
	return &View{codecs: codecs, mirror: mirror}
}

// Resize implements media.View.
func (v *View) Resize(w, h int, fit media.Fit) {
	w, h = clampSize(w), clampSize(h)
	if w == 0 || h == 0 {
		w, h = 0, 0
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.size, v.fit = Size{w, h}, fit
	if w == 0 {
		// A hidden tile keeps no memory; the window may still draw what it has taken.
		v.newest, v.free, v.taken = nil, nil, nil
		v.painted.pause()
	}
}

func clampSize(n int) int { return min(max(n, 0), media.MaxDimension) }

// Size is the tile's size, zero while it is hidden.
func (v *View) Size() Size {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.size
}

// Waiting implements media.View.
func (v *View) Waiting() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.newest != nil
}

// Take implements media.View.
func (v *View) Take() *media.Picture {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.newest == nil {
		return nil
	}
	if v.taken != nil {
		v.free = append(v.free, v.taken)
	}
	v.taken, v.newest = v.newest, nil
	return v.taken
}

// Painted implements media.View.
func (v *View) Painted(captured, at time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.painted.add(captured, at)
	if v.size.W == 0 {
		v.painted.pause() // the last one of a tile that was just hidden
	}
}

// Pause tells that the track stopped on purpose: the picture that waits is forgotten, and
// the gap that follows is no freeze.
func (v *View) Pause() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.newest = nil
	v.painted.pause()
}

// show converts f to the tile's size and makes it the newest picture. captured is when the
// picture was taken by the local clock, zero when unknown. It is called by one goroutine at
// a time and does nothing while the tile is hidden.
func (v *View) show(f *media.Frame, captured time.Time) error {
	v.mu.Lock()
	size, fit := v.size, v.fit
	if size.W == 0 || f.Width == 0 || f.Height == 0 {
		v.mu.Unlock()
		return nil
	}
	crop := f.Bounds()
	if fit == media.FitCover && media.Fills(f.Width, f.Height, size.W, size.H) {
		crop = media.Cover(f.Width, f.Height, size.W, size.H)
	} else {
		p := media.Contain(f.Width, f.Height, size.W, size.H)
		size = Size{p.X, p.Y}
	}
	p := v.bufferLocked(size)
	v.mu.Unlock()

	err := v.codecs.Paint(p.Image, f, crop, v.mirror)

	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil {
		v.free = append(v.free, p)
		return err
	}
	p.Source, p.Captured = image.Pt(f.Width, f.Height), captured
	if v.newest != nil {
		v.skipped++
		v.free = append(v.free, v.newest)
	}
	if v.size.W != 0 {
		v.newest = p
	}
	return nil
}

// bufferLocked finds a picture of the given size that nobody looks at: a free one, the one
// that waits untaken, or a new one.
func (v *View) bufferLocked(size Size) *media.Picture {
	if len(v.free) == 0 && v.newest != nil && v.taken != nil {
		v.free = append(v.free, v.newest)
		v.newest = nil
		v.skipped++
	}
	for len(v.free) > 0 {
		p := v.free[len(v.free)-1]
		v.free = v.free[:len(v.free)-1]
		if p.Image.Rect.Dx() == size.W && p.Image.Rect.Dy() == size.H {
			return p
		}
	}
	return &media.Picture{Image: image.NewRGBA(image.Rect(0, 0, size.W, size.H))}
}
