// Package x11 captures screens, windows and regions of an X11 display.
package x11

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/jezek/xgb"

	"parley/media"
)

// Driver lists and opens what can be shared.
type Driver struct{ convert media.PixelConverter }

// New returns a driver, which connects to the display at its first use.
func New(convert media.PixelConverter) Driver { return Driver{convert} }

// Takes accepts every screen and window.
func (Driver) Takes(kind media.Kind, _ string) bool { return kind == media.Screen }

// Close has nothing to do.
func (Driver) Close() error { return nil }

// errWayland: under Wayland the X server shows only a black screen.
var errWayland = fmt.Errorf("sharing needs an X11 session, this one is Wayland: %w", media.ErrUnsupported)

func wayland() bool { return os.Getenv("XDG_SESSION_TYPE") == "wayland" }

// List names the screens. Windows are left to Shareables, because they come and go. Without a display
// the list is empty; under Wayland it is ErrUnsupported.
func (Driver) List(kind media.Kind) ([]media.Device, error) {
	if kind != media.Screen {
		return nil, nil
	}
	if wayland() {
		return nil, fmt.Errorf("list screens: %w", errWayland)
	}
	d, err := dial()
	if err != nil {
		return nil, nil
	}
	defer d.hangUp()
	monitors, err := d.monitors()
	if err != nil {
		return nil, fmt.Errorf("list screens: %w", err)
	}
	var out []media.Device
	for _, m := range monitors {
		out = append(out, m.Device)
	}
	return out, nil
}

// OpenScreen starts to capture a screen, a window or a region. Errors never contain a window's title.
func (s Driver) OpenScreen(id string, o media.ScreenOptions) (media.VideoSource, error) {
	if wayland() {
		return nil, fmt.Errorf("open screen: %w", errWayland)
	}
	spec, err := media.ParseScreen(id)
	if err != nil {
		return nil, err
	}
	c, err := newCapture(spec, o, s.convert)
	if err != nil {
		return nil, fmt.Errorf("open screen %q: %w", spec.ID, err)
	}
	rate := screenRate
	if o.Motion {
		rate = motionRate
	}
	return &source{
		capture: c, interval: time.Second / time.Duration(rate),
		info: media.VideoInfo{
			Device: c.d.describe(spec), Width: c.scene.size.X, Height: c.scene.size.Y, FrameRate: float64(rate),
		},
	}, nil
}

// source is an opened screen, window or region. It makes a picture only when something has changed.
type source struct {
	info     media.VideoInfo
	interval time.Duration
	capture  *capture
	once     sync.Once
	onHidden func(bool) // nil unless somebody wants to know
	hidden   bool       // as reported last
}

// OnHidden implements media.Hideable.
func (s *source) OnHidden(tell func(hidden bool)) { s.onHidden = tell }

// tell reports when the window is hidden, and when it is shown again.
func (s *source) tell() {
	p := s.capture.popups
	if p == nil || p.hidden == s.hidden {
		return
	}
	s.hidden = p.hidden
	if s.onHidden != nil {
		s.onHidden(s.hidden)
	}
}

// Info implements media.VideoSource.
func (s *source) Info() media.VideoInfo { return s.info }

// Close implements media.VideoSource, for a source that is not run.
func (s *source) Close() error {
	s.once.Do(s.capture.close)
	return nil
}

// Run implements media.VideoSource.
func (s *source) Run(ctx context.Context, emit func(*media.Frame)) error {
	events, stop := s.listen()
	defer func() {
		stop()
		s.Close()
	}()
	err := s.loop(ctx, events, emit)
	if err != nil {
		return fmt.Errorf("screen %q: %w", s.info.Device.ID, err)
	}
	return nil
}

// listen passes the server's events on until stop, which waits for its goroutine; the
// channel is closed when the connection ends.
func (s *source) listen() (events <-chan xgb.Event, stop func()) {
	c := make(chan xgb.Event) // unbuffered: events wait in the library's queue of 5000
	done, ended := make(chan struct{}), make(chan struct{})
	d := s.capture.d
	go func() {
		defer close(ended)
		defer close(c)
		for {
			ev, err := d.WaitForEvent()
			if ev == nil && err == nil {
				return
			}
			if ev == nil {
				continue // an error of an unchecked request
			}
			select {
			case c <- ev:
			case <-done: // until the connection closes
			}
		}
	}()
	return c, func() {
		close(done)
		d.Close()
		<-ended
	}
}

func (s *source) loop(ctx context.Context, events <-chan xgb.Event, emit func(*media.Frame)) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	looked := time.Time{}
	for {
		if at, ok := s.capture.due(looked, s.interval); ok {
			timer.Reset(time.Until(at))
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			return nil
		case ev, ok := <-events:
			if !ok {
				return fmt.Errorf("%w: %w", errDisplayGone, media.ErrLost)
			}
			if err := s.capture.handle(ev, time.Now()); err != nil {
				return err
			}
			continue
		case <-timer.C:
		}
		looked = time.Now()
		f, err := s.capture.look(looked)
		if err != nil {
			return err
		}
		s.tell()
		if f != nil {
			emit(f)
			f.Release()
		}
	}
}
