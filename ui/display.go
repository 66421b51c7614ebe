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

// pulseEvery is how often clocks and levels are looked at. Levels faster than this are
// flicker.
const pulseEvery = 66 * time.Millisecond

// videoTile is a tile with the view that fills it.
type videoTile struct {
	*widget.VideoTile
	id   signal.ID
	kind media.Kind
	view media.View
	now  func() time.Time
	w, h int // as last told to the view

	waited   bool      // its picture was there a frame ago
	shape    float32   // of its pictures, width over height; 0 while none came
	pictured time.Time // when the last one came, or the tile began to show
}

func (w *Window) newTile(id signal.ID, kind media.Kind) *videoTile {
	return &videoTile{
		VideoTile: widget.NewVideoTile(), id: id, kind: kind, view: w.call.View(id, kind),
		now: func() time.Time { return w.now() },
	}
}

// reshape takes note of a picture's size and says whether its shape is another. The layers of one camera
// differ by a rounding, which is none.
func (t *videoTile) reshape(size image.Point) bool {
	shape := float32(size.X) / float32(max(size.Y, 1))
	if t.shape != 0 && abs(shape/t.shape-1) < 0.04 {
		return false
	}
	t.shape = shape
	return true
}

func abs(v float32) float32 { return max(v, -v) }

// stillAfter is how long a camera's picture may stand still before it is taken for frozen: the slowest
// camera that is any use brings several in that time.
const stillAfter = 2500 * time.Millisecond

// showing says whether people see a picture in the tile, old or new.
func (t *videoTile) showing() bool { return t.w > 0 && t.shape != 0 }

// frozen says whether the tile has shown one and the same picture for too long.
func (t *videoTile) frozen(now time.Time) bool {
	return t.showing() && now.Sub(t.pictured) > stillAfter
}

// tell lets the view know the tile's size in pixels, if that changed: 0 by 0 for a tile that
// does not show or has no use for pictures.
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

// display moves pictures from the views to the tiles. Its fields but paint belong to the UI
// goroutine.
type display struct {
	onWay  []painted
	paint  chan struct{} // holds 1: pictures wait in onWay until somebody looks
	pulsed time.Time
	drawn  time.Time // when pictures were drawn last
	unseen bool      // the window is minimised or covered: no picture is of use
}

func (d *display) init() { d.paint = make(chan struct{}, 1) }

// Run keeps the pictures moving until ctx ends. The toolkit draws 60 times a second, right
// after it has run animations: an animation without an end takes the newest pictures at the
// last moment before they are drawn, and nothing is drawn in a frame that brought none.
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
			// The UI goroutine is drawing what tick gave it; it comes to this afterwards.
			fyne.Do(w.reportPainted)
		}
	}
}

// tick is one frame: the newest picture of each tile, and what else moves.
func (w *Window) tick(now time.Time) {
	d := &w.display
	if tiles := w.screen.tiles(); d.due(tiles) && !d.spares(tiles, w.state.Shed, now) {
		d.drawn = now
		reshaped := false
		for _, t := range tiles {
			if p := t.view.Take(); p != nil {
				t.pictured = w.now()
				reshaped = t.reshape(p.Source) || reshaped
				t.SetPicture(p.Image)
				d.onWay = append(d.onWay, painted{t.view, p.Captured})
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

// due says whether this frame is worth painting. Painting costs the same for one picture and
// for all, and cameras are half as fast as the display: so a frame is painted when the
// largest tile has a picture, and the others' pictures go with it; if none does, a picture
// waits one frame at the most.
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

// sparedPause is what a busy machine is spared: drawing costs more than decoding what is drawn. Where
// no picture is higher than media.SmallTile, there is this pause between two drawings: 15 a second,
// which is what the small pictures of a call.ShedTiles come in.
const sparedPause = time.Second/15 - time.Second/120

// spares says whether this frame is left out.
func (d *display) spares(tiles []*videoTile, shed call.Shed, now time.Time) bool {
	if shed < call.ShedTiles || now.Sub(d.drawn) >= sparedPause {
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
	for _, p := range w.display.onWay {
		p.view.Painted(p.captured, now)
	}
	clear(w.display.onWay)
	w.display.onWay = w.display.onWay[:0]
}

// resize tells all views of the screen their sizes.
func (d *display) resize(w *Window) {
	for _, t := range w.screen.tiles() {
		t.tell(!d.unseen)
	}
}

// SetShown says, from any goroutine, whether the window can be seen. While it cannot, nothing is
// decoded for it, nor sent to it by others.
func (w *Window) SetShown(shown bool) {
	fyne.Do(func() {
		w.display.unseen = !shown
		w.display.resize(w)
	})
}

// hide tells the views of a screen that goes away.
func (d *display) hide(s screen) {
	for _, t := range s.tiles() {
		t.tell(false)
	}
}
