package x11

import (
	"errors"
	"fmt"
	"image"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/damage"
	"github.com/jezek/xgb/xfixes"

	"parley/media"
)

// Frame rates.
const (
	screenRate = 15 // enough to follow a scrolling page, at half the cost of a film
	motionRate = 30
)

const (
	// settleTime is how long a window must keep its size before its picture changes size, since each
	// new size costs a keyframe.
	settleTime = 200 * time.Millisecond
	// The server sends no event when the pointer moves, so its position is polled: with every picture,
	// and after pointerIdleAfter without a change only every pointerIdleInterval.
	pointerIdleAfter    = 2 * time.Second
	pointerIdleInterval = 200 * time.Millisecond
	// maxFailures is how many reads may fail in a row: while a window is resized, reads of its old area
	// fail before the event about it arrives.
	maxFailures = 10
)

// capture makes pictures of a target. One goroutine uses it, and passes the time in.
type capture struct {
	d       *display
	convert media.PixelConverter
	target  target
	grab    grab
	damage  *damageTracker // nil if the server cannot report damage
	compare bandHashes
	cursor  *cursor // nil for a picture without it
	popups  *popups // nil unless it is a window

	scene    scene
	last     *media.Frame // the newest picture; nil before the first
	whole    bool         // all of the picture has to be read
	moved    bool         // the target must be located again
	settled  time.Time    // not before then
	failures int          // reads that failed in a row
}

// newCapture connects and locates the target.
func newCapture(s media.ScreenSpec, o media.ScreenOptions, convert media.PixelConverter) (*capture, error) {
	d, err := dial()
	if err != nil {
		return nil, err
	}
	c := &capture{d: d, convert: convert, target: newTarget(s), grab: grab{d: d}, whole: true}
	if err := c.begin(o); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *capture) begin(o media.ScreenOptions) error {
	if !c.d.canRead(c.d.screen.RootDepth) {
		return fmt.Errorf("screen with %d bits of colour: %w", c.d.screen.RootDepth, media.ErrFormat)
	}
	if err := c.target.begin(c.d); err != nil {
		return err
	}
	if w, ok := c.target.(*sharedWindow); ok {
		c.popups = newPopups(c.d, w.id)
		if err := c.popups.begin(); err != nil {
			return err
		}
	}
	if err := c.locate(); err != nil {
		return err
	}
	if c.d.damage {
		c.damage = &damageTracker{d: c.d}
		if err := c.damage.begin(c.scene.window); err != nil {
			c.damage = nil
		}
	}
	if o.Pointer && c.d.xfixes {
		c.cursor = &cursor{d: c.d}
		c.cursor.begin()
	}
	return nil
}

// close frees everything. No goroutine may be waiting for events of the display.
func (c *capture) close() {
	c.release()
	if c.popups != nil {
		c.popups.free()
	}
	c.grab.free()
	c.d.hangUp()
}

func (c *capture) release() {
	if c.last != nil {
		c.last.Release()
		c.last = nil
	}
}

// locate updates the scene to where the target is now.
func (c *capture) locate() error {
	s, err := c.target.locate(c.d)
	if err != nil {
		return err
	}
	c.moved = false
	if s != c.scene {
		c.scene, c.whole = s, true
		c.grab.reserve(s.size.X * s.size.Y)
	}
	return nil
}

// handle processes an event of the server. An error means that the target has gone.
func (c *capture) handle(ev xgb.Event, now time.Time) error {
	switch ev := ev.(type) {
	case damage.NotifyEvent:
		if c.popups != nil && c.popups.damaged(ev.Drawable) {
			return nil
		}
		if c.damage != nil {
			c.damage.dirty = true
		}
		return nil
	case xfixes.CursorNotifyEvent:
		if c.cursor != nil {
			c.cursor.stale = true
		}
		return nil
	default:
		if c.popups != nil {
			c.popups.handle(ev)
		}
		moved, gone := c.target.changed(ev)
		if gone {
			return fmt.Errorf("the window was closed: %w", media.ErrLost)
		}
		if moved {
			c.moved, c.settled = true, now.Add(settleTime)
		}
		return nil
	}
}

// due returns when to look for the next picture, given the time of the last look. ok is false when
// nothing can change before the server sends an event.
func (c *capture) due(last time.Time, interval time.Duration) (at time.Time, ok bool) {
	next := last.Add(interval)
	switch {
	case c.moved:
		return c.settled, true
	case c.popups != nil && c.popups.busy():
		return next, true
	case c.scene.from == 0:
		return next, false
	case c.whole || c.damage != nil && c.damage.dirty:
		return next, true
	case c.cursor == nil && c.damage != nil:
		return next, false
	case c.last != nil && last.Sub(c.last.Captured) > pointerIdleAfter:
		return last.Add(max(interval, pointerIdleInterval)), true
	}
	return next, true
}

// look returns the next picture, which the caller must release, or nil if nothing has changed.
func (c *capture) look(now time.Time) (*media.Frame, error) {
	if c.moved {
		if err := c.locate(); err != nil {
			return nil, fmt.Errorf("%w: %w", media.ErrLost, err)
		}
	}
	var popups []image.Rectangle
	if c.popups != nil {
		popups = c.popups.update()
	}
	if c.scene.from == 0 {
		return nil, nil // the window is not on the screen: the last picture stays
	}
	f, err := c.picture(popups)
	if err != nil {
		if c.failures++; c.failures > maxFailures {
			return nil, fmt.Errorf("%w: %w", media.ErrLost, err)
		}
		c.moved, c.whole, c.settled = true, true, now
		return nil, nil
	}
	c.failures = 0
	if f == nil {
		return nil, nil
	}
	f.Captured = now
	c.release()
	c.last, c.whole = f.Retain(), false
	return f, nil
}

// picture makes a picture if anything has changed. popups are the parts where the windows over it have.
func (c *capture) picture(popups []image.Rectangle) (*media.Frame, error) {
	dirty := popups
	switch {
	case c.damage != nil:
		rects, err := c.damage.collect()
		if err != nil {
			return nil, err
		}
		for _, r := range rects {
			dirty = append(dirty, r.Sub(c.scene.offset))
		}
	default:
		pixels, err := c.grab.read(c.scene.from, image.Rectangle{Min: c.scene.origin, Max: c.scene.origin.Add(c.scene.size)})
		if err != nil {
			return nil, err
		}
		dirty = append(dirty, c.compare.changed(pixels, c.scene.size)...)
	}
	if c.cursor != nil {
		dirty = append(dirty, c.cursor.update(c.scene)...)
	}
	if c.whole {
		dirty = []image.Rectangle{{Max: c.scene.size}}
	}
	parts := dirtyParts(dirty, c.scene.size)
	if len(parts) == 0 {
		return nil, nil
	}
	return c.compose(parts)
}

// compose copies the last picture and reads the given parts anew.
func (c *capture) compose(parts []image.Rectangle) (*media.Frame, error) {
	size := c.scene.size
	f := media.NewFrame(size.X, size.Y)
	if !c.whole && c.last != nil {
		copy(f.Y, c.last.Y)
		copy(f.U, c.last.U)
		copy(f.V, c.last.V)
	}
	for _, r := range parts {
		pixels, err := c.grab.read(c.scene.from, r.Add(c.scene.origin))
		if err == nil {
			if c.popups != nil {
				c.popups.draw(pixels, r)
			}
			if c.cursor != nil {
				c.cursor.draw(pixels, r)
			}
			err = c.convert.Convert(framePart(f, r), media.FormatBGRA, pixels, 4*r.Dx())
		}
		if err != nil {
			f.Release()
			c.whole = true // the damage has been collected already, and this picture is lost
			return nil, err
		}
	}
	return f, nil
}

// errDisplayGone means that the connection to the display has ended.
var errDisplayGone = errors.New("the display has gone")
