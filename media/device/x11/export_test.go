package x11

import (
	"time"

	"parley/media"
)

// ScreenLook is a source without its loop: what it does when is the test's to say.
type ScreenLook struct{ c *capture }

// LookAt opens a screen for single looks.
func LookAt(id string, o media.ScreenOptions, convert media.PixelConverter) (ScreenLook, error) {
	spec, err := parseScreen(id)
	if err != nil {
		return ScreenLook{}, err
	}
	c, err := newCapture(spec, o, convert)
	return ScreenLook{c}, err
}

// Look takes in what the server has told until now, and returns the next picture, or nil.
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

// Idle says whether nothing is to be done until the server tells of something.
func (l ScreenLook) Idle() bool {
	_, busy := l.c.due(time.Time{}, time.Second)
	return !busy
}

// Close lets go of the display.
func (l ScreenLook) Close() { l.c.close() }
