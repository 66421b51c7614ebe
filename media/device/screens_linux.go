package device

import (
	"fmt"
	"io"
	"log"
	"os"
	"sync"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/randr"
	"github.com/jezek/xgb/xproto"
	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"

	"parley/media"
)

const (
	wholeScreen   = "x11"  // the ID of all monitors together
	monitorPrefix = "x11:" // followed by a monitor's name
	// screenRate is in frames a second: enough to follow a scrolling page, at half the
	// work of a film.
	screenRate = 15
)

// x11Area is the part of the root window that a monitor shows.
type x11Area struct {
	id, name   string
	x, y, w, h int
}

// quietX11 keeps the X11 library from writing to standard error; its errors are returned.
var quietX11 = sync.OnceFunc(func() { xgb.Logger = log.New(io.Discard, "", 0) })

// dialX11 connects to the display of the environment, without which it is ErrNoDevice.
func dialX11() (*xgb.Conn, error) {
	quietX11()
	if os.Getenv("DISPLAY") == "" {
		return nil, fmt.Errorf("no X display: %w", media.ErrNoDevice)
	}
	c, err := xgb.NewConn()
	if err != nil {
		return nil, fmt.Errorf("no X display (%w): %w", err, media.ErrNoDevice)
	}
	return c, nil
}

// hangUp closes c and waits for its goroutines.
func hangUp(c *xgb.Conn) {
	c.Close()
	for {
		if ev, err := c.WaitForEvent(); ev == nil && err == nil {
			return
		}
	}
}

// x11Areas lists the whole screen and, if there are several, the monitors.
func x11Areas(c *xgb.Conn) ([]x11Area, error) {
	root := xproto.Setup(c).DefaultScreen(c).Root
	g, err := xproto.GetGeometry(c, xproto.Drawable(root)).Reply()
	if err != nil {
		return nil, fmt.Errorf("ask for the screen's size: %w", err)
	}
	out := []x11Area{{id: wholeScreen, name: "Entire screen", w: int(g.Width), h: int(g.Height)}}
	if randr.Init(c) != nil {
		return out, nil
	}
	// Monitors came with RandR 1.5; an older server is one big screen.
	if v, err := randr.QueryVersion(c, 1, 5).Reply(); err != nil || v.MajorVersion == 1 && v.MinorVersion < 5 {
		return out, nil
	}
	m, err := randr.GetMonitors(c, root, true).Reply()
	if err != nil || len(m.Monitors) < 2 {
		return out, nil
	}
	for _, monitor := range m.Monitors {
		name, err := xproto.GetAtomName(c, monitor.Name).Reply()
		if err != nil {
			continue
		}
		out = append(out, x11Area{
			id: monitorPrefix + name.Name, name: name.Name,
			x: int(monitor.X), y: int(monitor.Y), w: int(monitor.Width), h: int(monitor.Height),
		})
	}
	return out, nil
}

// findScreens lists what can be shared. Without a display that is nothing; under Wayland,
// whose X server shows a black screen, it is ErrUnsupported.
func findScreens(convert media.PixelConverter) ([]found, error) {
	if os.Getenv("XDG_SESSION_TYPE") == "wayland" {
		return nil, fmt.Errorf("list screens: sharing needs an X11 session, this one is Wayland: %w", media.ErrUnsupported)
	}
	c, err := dialX11()
	if err != nil {
		return nil, nil
	}
	defer hangUp(c)
	areas, err := x11Areas(c)
	if err != nil {
		return nil, err
	}
	var out []found
	for _, a := range areas {
		out = append(out, found{
			Device:  media.Device{Kind: media.Screen, ID: a.id, Name: a.name, Default: a.id == wholeScreen},
			key:     os.Getenv("DISPLAY") + " " + a.id,
			adapter: func() driver.Adapter { return &x11Screen{id: a.id, convert: convert} },
		})
	}
	return out, nil
}

// x11Screen is a driver of mediadevices' framework for a screen or monitor of X11.
type x11Screen struct {
	id      string
	convert media.PixelConverter

	mu     sync.Mutex // held by a read, so that closing waits for it
	grab   *x11Grab   // nil while closed
	area   x11Area
	closed chan struct{}
}

// Open implements driver.Adapter.
func (s *x11Screen) Open() error {
	g, err := newX11Grab()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grab, s.closed = g, make(chan struct{})
	if err := s.locate(); err != nil {
		g.close()
		s.grab = nil
		return err
	}
	return nil
}

// locate finds out where the monitor is now. s.mu is held.
func (s *x11Screen) locate() error {
	areas, err := x11Areas(s.grab.conn)
	if err != nil {
		return err
	}
	for _, a := range areas {
		if a.id == s.id {
			s.area = a
			return s.grab.resize(a.w, a.h)
		}
	}
	return media.ErrNoDevice
}

// Close implements driver.Adapter.
func (s *x11Screen) Close() error {
	close(s.closed)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grab.close()
	s.grab = nil
	return nil
}

// Properties implements driver.Adapter.
func (s *x11Screen) Properties() []prop.Media {
	return []prop.Media{{Video: prop.Video{
		Width: s.area.w, Height: s.area.h, FrameRate: screenRate, FrameFormat: frame.FormatRGBA,
	}}}
}

// VideoRecord implements driver.VideoRecorder. Pictures are of type picture.
func (s *x11Screen) VideoRecord(prop.Media) (video.Reader, error) {
	p := newPacer(screenRate, 1)
	return readPictures(func() (*picture, error) {
		p.late()
		p.timer.Reset(time.Until(p.at(p.n)))
		select {
		case <-s.closed:
			p.stop()
			return nil, io.EOF
		case <-p.timer.C:
			p.n++
		}
		return s.read()
	}), nil
}

func (s *x11Screen) read() (*picture, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grab == nil {
		return nil, io.EOF
	}
	pixels, err := s.grab.read(s.area)
	if err != nil {
		// Most likely the resolution has changed. A display that has gone fails again.
		if err := s.locate(); err != nil {
			return nil, fmt.Errorf("%w: %w", media.ErrLost, err)
		}
		if pixels, err = s.grab.read(s.area); err != nil {
			return nil, fmt.Errorf("%w: %w", media.ErrLost, err)
		}
	}
	f := media.NewFrame(s.area.w, s.area.h)
	f.Captured = time.Now()
	if err := s.convert.Convert(f, media.FormatBGRA, pixels, 4*s.area.w); err != nil {
		f.Release()
		return nil, err
	}
	return newPicture(f), nil
}
