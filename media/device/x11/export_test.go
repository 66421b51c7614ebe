//go:build linux

package x11

import (
	"time"

	"parley/media"
)

// ScreenLook is a source without its loop: the test says when it does what.
type ScreenLook struct{ c *capture }

// LookAt opens a screen. Each Look takes one picture.
func LookAt(id string, o media.ScreenOptions, convert media.PixelConverter) (ScreenLook, error) {
	spec, err := media.ParseScreen(id)
	if err != nil {
		return ScreenLook{}, err
	}
	c, err := newCapture(spec, o, convert)
	return ScreenLook{c}, err
}

// Look handles the server's events so far, and returns the next picture or nil.
func (l ScreenLook) Look(now time.Time) (*media.Frame, error) {
	l.c.d.Sync()
	for {
		ev, err := l.c.d.PollForEvent()
		if ev == nil && err == nil {
			break
		}
		if ev == nil {
			continue
		}
		if err := l.c.handle(ev, now); err != nil {
			return nil, err
		}
	}
	return l.c.look(now)
}

// Idle reports whether the capture waits for an event of the server.
func (l ScreenLook) Idle() bool {
	_, busy := l.c.due(time.Time{}, time.Second)
	return !busy
}

// Close closes the display.
func (l ScreenLook) Close() { l.c.close() }
