package ui

import (
	"context"
	"image"
	"time"

	"fyne.io/fyne/v2"

	"parley/media"
	"parley/media/call"
	"parley/signal"
	"parley/ui/widget"
)

// pulseEvery is the interval between updates of clocks and level meters. Faster updates flicker.
const pulseEvery = 66 * time.Millisecond

// videoTile is a tile with the view that fills it.
type videoTile struct {
	*widget.VideoTile
	id   signal.ID
	kind media.Kind
	view media.View
	now  func() time.Time
	w, h int // last size reported to the view

	waited   bool      // its picture has waited for one frame
	shape    float32   // aspect ratio of its pictures; 0 before the first
	pictured time.Time // when the last one came, or when the tile appeared
}

func (w *Window) newTile(id signal.ID, kind media.Kind) *videoTile {
	return &videoTile{
		VideoTile: widget.NewVideoTile(), id: id, kind: kind, view: w.call.View(id, kind),
		now: func() time.Time { return w.now() },
	}
}

// reshape remembers a picture's aspect ratio and reports whether it changed. The layers of one camera differ
// by rounding, which does not count.
func (t *videoTile) reshape(size image.Point) bool {
	shape := float32(size.X) / float32(max(size.Y, 1))
	if t.shape != 0 && abs(shape/t.shape-1) < 0.04 {
		return false
	}
	t.shape = shape
	return true
}

func abs(v float32) float32 { return max(v, -v) }

// frozenAfter is how long a camera may deliver no picture before its tile counts as frozen. The slowest
// useful camera delivers several in that time.
const frozenAfter = 2500 * time.Millisecond

// showing reports whether the tile has a picture, old or new.
func (t *videoTile) showing() bool { return t.w > 0 && t.shape != 0 }

// frozen reports whether the tile has shown the same picture for too long.
func (t *videoTile) frozen(now time.Time) bool {
	return t.showing() && now.Sub(t.pictured) > frozenAfter
}

// tell reports a changed size, in pixels, to the view. It is 0 for a hidden tile or one without a camera.
func (t *videoTile) tell(visible bool) {
	w, h := 0, 0
	if visible && t.Visible() && t.State().Picture {
		w, h = t.PixelSize()
	}
	if w == t.w && h == t.h {
		return
	}
	if t.w == 0 {
		t.pictured = t.now()
	}
	t.w, t.h = w, h
	fit := media.FitCover
	if t.State().Contain {
		fit = media.FitContain
	}
	t.view.Resize(w, h, fit)
}

// painted is a picture on its way to the screen.
type painted struct {
	view     media.View
	captured time.Time
}

// display moves pictures from the views to the tiles. All fields except paint belong to the UI goroutine.
type display struct {
	painting []painted
	paint    chan struct{} // of capacity 1: pictures in painting are to be reported
	pulsed   time.Time
	drawn    time.Time // when pictures were last drawn
	unseen   bool      // the window is minimised or covered
}

func (d *display) init() { d.paint = make(chan struct{}, 1) }

// Run keeps the pictures moving until ctx ends. The toolkit draws 60 times a second, right after it has run
// its animations. An endless animation takes the newest pictures just before they are drawn; a frame without
// new pictures is not drawn.
func (w *Window) Run(ctx context.Context) error {
	frame := fyne.NewAnimation(time.Hour, func(float32) {
		if ctx.Err() == nil {
			w.tick(time.Now())
		}
	})
	frame.RepeatCount = fyne.AnimationRepeatForever
	fyne.Do(frame.Start)
	defer frame.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.display.paint:
			// The UI goroutine draws what tick handed over first, then runs this.
			fyne.Do(w.reportPainted)
		}
	}
}

// tick is one frame: it takes the newest picture of each tile and updates everything else that moves.
func (w *Window) tick(now time.Time) {
	d := &w.display
	if tiles := w.screen.tiles(); d.due(tiles) && !d.skips(tiles, w.state.Shed, now) {
		d.drawn = now
		reshaped := false
		for _, t := range tiles {
			if p := t.view.Take(); p != nil {
				t.pictured = w.now()
				reshaped = t.reshape(p.Source) || reshaped
				t.SetPicture(p.Image)
				d.painting = append(d.painting, painted{t.view, p.Captured})
			}
			t.waited = false
		}
		if reshaped && w.screen == w.stage {
			widget.Relayout(w.stage.root)
		}
		select {
		case d.paint <- struct{}{}:
		default:
		}
	}
	if now.Sub(d.pulsed) >= pulseEvery {
		d.pulsed = now
		w.screen.pulse(w.now())
	}
}

// due decides whether to paint this frame. Painting costs the same for one picture as for all, and cameras run
// at half the display's rate. So a frame is painted when the largest tile has a new picture, together with the
// pictures of the other tiles. Without one, a picture waits one frame at most.
func (d *display) due(tiles []*videoTile) bool {
	var lead *videoTile
	for _, t := range tiles {
		t.tell(!d.unseen)
		if t.w > 0 && (lead == nil || t.w*t.h > lead.w*lead.h) {
			lead = t
		}
	}
	due := false
	for _, t := range tiles {
		if t.w > 0 && t.view.Waiting() {
			due = due || t == lead || t.waited
			t.waited = true
		}
	}
	return due
}

// busyInterval is the minimum time between frames on a busy machine that shows only small pictures (up to
// media.SmallTile high): 15 frames a second, the rate at which pictures come from call.ShedTiles on. Drawing
// costs more than decoding.
const busyInterval = time.Second/15 - time.Second/120

// skips reports whether this frame is skipped.
func (d *display) skips(tiles []*videoTile, shed call.Shed, now time.Time) bool {
	if shed < call.ShedTiles || now.Sub(d.drawn) >= busyInterval {
		return false
	}
	for _, t := range tiles {
		if t.h > media.SmallTile {
			return false
		}
	}
	return true
}

func (w *Window) reportPainted() {
	now := time.Now()
	for _, p := range w.display.painting {
		p.view.Painted(p.captured, now)
	}
	clear(w.display.painting)
	w.display.painting = w.display.painting[:0]
}

// resize tells all views of the screen their sizes.
func (d *display) resize(w *Window) {
	for _, t := range w.screen.tiles() {
		t.tell(!d.unseen)
	}
}

// SetShown sets, from any goroutine, whether the window is visible. While it is not, others send it no
// pictures and none are decoded.
func (w *Window) SetShown(shown bool) {
	fyne.Do(func() {
		w.display.unseen = !shown
		w.display.resize(w)
	})
}

// hide reports size 0 to the views of a closing screen.
func (d *display) hide(s screen) {
	for _, t := range s.tiles() {
		t.tell(false)
	}
}
