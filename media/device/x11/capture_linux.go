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

// How often pictures are made, a second.
const (
	screenRate = 15 // enough to follow a scrolling page, at half the work of a film
	motionRate = 30
)

const (
	// settleTime is how long a window must keep its size before it is located again: every
	// size costs a keyframe.
	settleTime = 200 * time.Millisecond
	// The server does not tell that the pointer moves. Once nothing has for drowsyAfter, it is
	// looked for every drowsyInterval only.
	drowsyAfter    = 2 * time.Second
	drowsyInterval = 200 * time.Millisecond
	// maxFailures is how many reads may fail in a row: a window that changes its size is
	// gone from where it was before the server has said so.
	maxFailures = 10
)

// x11Capture makes pictures of a target. It belongs to one goroutine, and time is told.
type x11Capture struct {
	d       *x11Display
	convert media.PixelConverter
	target  x11Target
	grab    x11Grab
	damage  *x11Damage // nil where the server tells of none
	compare x11Compare
	cursor  *x11Cursor // nil for a picture without it
	popups  *popups    // nil unless it is a window

	scene    x11Scene
	last     *media.Frame // the newest picture; nil before the first
	whole    bool         // all of the picture has to be read
	moved    bool         // the target has to be located again
	settled  time.Time    // when, at the earliest
	failures int          // reads that failed in a row
}

// newX11Capture connects and locates the target.
func newX11Capture(s screenSpec, o media.ScreenOptions, convert media.PixelConverter) (*x11Capture, error) {
	d, err := dialX11()
	if err != nil {
		return nil, err
	}
	c := &x11Capture{d: d, convert: convert, target: newX11Target(s), grab: x11Grab{d: d}, whole: true}
	if err := c.begin(o); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *x11Capture) begin(o media.ScreenOptions) error {
	if !c.d.canRead(c.d.screen.RootDepth) {
		return fmt.Errorf("screen with %d bits of colour: %w", c.d.screen.RootDepth, media.ErrFormat)
	}
	if err := c.target.begin(c.d); err != nil {
		return err
	}
	if w, ok := c.target.(*x11Window); ok {
		c.popups = newPopups(c.d, w.id)
		if err := c.popups.begin(); err != nil {
			return err
		}
	}
	if err := c.locate(); err != nil {
		return err
	}
	if c.d.damage {
		c.damage = &x11Damage{d: c.d}
		if err := c.damage.begin(c.scene.window); err != nil {
			c.damage = nil
		}
	}
	if o.Pointer && c.d.xfixes {
		c.cursor = &x11Cursor{d: c.d}
		c.cursor.begin()
	}
	return nil
}

// close lets go of everything. Nobody may be waiting for events of the display.
func (c *x11Capture) close() {
	c.release()
	if c.popups != nil {
		c.popups.free()
	}
	c.grab.free()
	c.d.hangUp()
}

func (c *x11Capture) release() {
	if c.last != nil {
		c.last.Release()
		c.last = nil
	}
}

// locate takes over where the target is now.
func (c *x11Capture) locate() error {
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

// handle takes in an event of the server. The error says that there is nothing to be seen
// any more.
func (c *x11Capture) handle(ev xgb.Event, now time.Time) error {
	switch ev := ev.(type) {
	case damage.NotifyEvent:
		if c.popups != nil && c.popups.damaged(ev.Drawable) {
			return nil
		}
		if c.damage != nil {
			c.damage.told = true
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

// due says when the next picture has to be looked for, given the time of the last look; ok
// is false when nothing is to be done before the server tells of something.
func (c *x11Capture) due(last time.Time, interval time.Duration) (at time.Time, ok bool) {
	next := last.Add(interval)
	switch {
	case c.moved:
		return c.settled, true
	case c.popups != nil && c.popups.busy():
		return next, true
	case c.scene.from == 0:
		return next, false
	case c.whole || c.damage != nil && c.damage.told:
		return next, true
	case c.cursor == nil && c.damage != nil:
		return next, false
	case c.last != nil && last.Sub(c.last.Captured) > drowsyAfter:
		return last.Add(max(interval, drowsyInterval)), true
	}
	return next, true
}

// look returns the next picture, which is the caller's to release, or nil when nothing has
// changed.
func (c *x11Capture) look(now time.Time) (*media.Frame, error) {
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
		return nil, nil // a window that is not on the screen: the picture before stays
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

// picture makes a picture if anything has changed; popups are the parts in which what lies over it has.
func (c *x11Capture) picture(popups []image.Rectangle) (*media.Frame, error) {
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

// compose is the last picture with the given parts read anew.
func (c *x11Capture) compose(parts []image.Rectangle) (*media.Frame, error) {
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
			c.whole = true // what was damaged is not known any more
			return nil, err
		}
	}
	return f, nil
}

// errDisplayGone is the end of the connection to the display.
var errDisplayGone = errors.New("the display has gone")
