// Package gdi captures screens, windows and regions of Windows.
package gdi

import (
	"context"
	"errors"
	"fmt"
	"image"
	"runtime"
	"time"

	"parley/media"
)

const (
	screenRate = 15 // enough to follow a scrolling page, at half the cost of a film
	motionRate = 30
)

// Driver lists and opens what can be shared.
type Driver struct{ convert media.PixelConverter }

// New returns a driver. It makes this process see pixels as they are on screens of any scale.
func New(convert media.PixelConverter) Driver {
	_, _, _ = setProcessDPIAware.Call()
	return Driver{convert}
}

// Takes accepts every screen and window.
func (Driver) Takes(kind media.Kind, _ string) bool { return kind == media.Screen }

// Close has nothing to do.
func (Driver) Close() error { return nil }

// List names the screens. Windows are left to Shareables, because they come and go.
func (Driver) List(kind media.Kind) ([]media.Device, error) {
	if kind != media.Screen {
		return nil, nil
	}
	var out []media.Device
	for _, m := range screens() {
		out = append(out, m.Device)
	}
	return out, nil
}

// screen is a part of the desktop that can be shared as a screen.
type screen struct {
	media.Device
	area image.Rectangle // in pixels from the left upper corner of the desktop
}

// screens lists the whole desktop and, if there are several, the monitors.
func screens() []screen {
	d := desktop()
	if d.Empty() {
		return nil
	}
	out := []screen{{
		Device: media.Device{Kind: media.Screen, ID: media.WholeScreen, Name: "Entire screen", Default: true},
		area:   d.Sub(d.Min),
	}}
	all := monitors()
	if len(all) < 2 {
		return out
	}
	out[0].Name = "All screens"
	for _, m := range all {
		out = append(out, screen{
			Device: media.Device{Kind: media.Screen, ID: media.ScreenPrefix + m.name, Name: "Screen " + m.name},
			area:   m.area.Sub(d.Min),
		})
	}
	return out
}

// Shareables lists what can be shared, each with a picture of at most the given size. Screens come first, then windows
// from the topmost down.
func (Driver) Shareables(preview image.Point) ([]media.Shareable, error) {
	runtime.LockOSThread() // a device context belongs to its thread
	defer runtime.UnlockOSThread()
	g, err := newGrab()
	if err != nil {
		return nil, fmt.Errorf("list screens and windows: %w", err)
	}
	defer g.free()
	picture := func(s scene) *image.RGBA {
		pixels, err := g.read(s, false)
		if err != nil || preview.X < 1 || preview.Y < 1 {
			return nil
		}
		return media.Preview(pixels, s.area.Dx(), s.area.Dy(), preview)
	}
	var out []media.Shareable
	from := desktop().Min
	for _, m := range screens() {
		out = append(out, media.Shareable{
			Device: m.Device, Size: m.area.Size(), Origin: m.area.Min, Preview: picture(scene{area: m.area.Add(from)}),
		})
	}
	for _, w := range windowsOf() {
		out = append(out, media.Shareable{
			Device: media.Device{Kind: media.Screen, ID: fmt.Sprintf("%s0x%x", media.WindowPrefix, uint32(w.handle)), Name: w.title},
			Window: true, Size: w.area.Size(), Origin: w.area.Min.Sub(from), Preview: picture(scene{w.area, w.handle}),
		})
	}
	return out, nil
}

// OpenScreen starts to capture a screen, a window or a region. Errors never contain a window's title.
func (d Driver) OpenScreen(id string, o media.ScreenOptions) (media.VideoSource, error) {
	spec, err := media.ParseScreen(id)
	if err != nil {
		return nil, err
	}
	at, err := locate(spec)
	if err != nil {
		return nil, fmt.Errorf("open screen %q: %w", spec.ID, err)
	}
	rate := screenRate
	if o.Motion {
		rate = motionRate
	}
	device := media.Device{Kind: media.Screen, ID: spec.ID, Name: "Entire screen", Default: spec.ID == media.WholeScreen}
	switch {
	case spec.Window != 0:
		device.Name = title(at.window)
	case spec.Monitor != "":
		device.Name = "Screen " + spec.Monitor
	case !spec.Region.Empty():
		device.Name = "Part of the screen"
	}
	size := at.size()
	return &source{
		spec: spec, convert: d.convert, pointer: o.Pointer,
		info: media.VideoInfo{Device: device, Width: size.X, Height: size.Y, FrameRate: float64(rate)},
	}, nil
}

// scene is where the pixels of a source are at the moment.
type scene struct {
	area   image.Rectangle // in Windows' coordinates, whose origin is the main monitor's
	window uintptr         // 0 for a part of the desktop
}

func (s scene) size() image.Point { return media.EvenSize(s.area.Dx(), s.area.Dy()) }

var errHidden = errors.New("window is minimised")

// locate finds the pixels of a spec.
func locate(spec media.ScreenSpec) (scene, error) {
	d := desktop()
	s := scene{area: d}
	switch {
	case spec.Window != 0:
		s.window = uintptr(spec.Window)
		area, ok := windowArea(s.window)
		if !ok {
			return s, media.ErrNoDevice
		}
		if minimised(s.window) {
			return s, errHidden
		}
		s.area = area
	case spec.Monitor != "":
		s.area = image.Rectangle{}
		for _, m := range monitors() {
			if m.name == spec.Monitor {
				s.area = m.area
			}
		}
	case !spec.Region.Empty():
		s.area = spec.Region.Add(d.Min).Intersect(d)
	}
	if size := s.size(); size.X < media.MinScreen || size.Y < media.MinScreen {
		return s, media.ErrNoDevice
	}
	return s, nil
}

// source is an opened screen, window or region. It makes a picture only when something has changed.
type source struct {
	spec    media.ScreenSpec
	info    media.VideoInfo
	convert media.PixelConverter
	pointer bool

	onHidden func(bool) // nil unless somebody wants to know
	hidden   bool       // as reported last
}

// OnHidden implements media.Hideable.
func (s *source) OnHidden(tell func(hidden bool)) { s.onHidden = tell }

// Info implements media.VideoSource.
func (s *source) Info() media.VideoInfo { return s.info }

// Close implements media.VideoSource, for a source that is not run.
func (s *source) Close() error { return nil }

// Run implements media.VideoSource.
func (s *source) Run(ctx context.Context, emit func(*media.Frame)) error {
	runtime.LockOSThread() // a device context belongs to its thread
	defer runtime.UnlockOSThread()
	g, err := newGrab()
	if err != nil {
		return fmt.Errorf("screen %q: %w", s.info.Device.ID, err)
	}
	defer g.free()
	tick := time.NewTicker(time.Second / time.Duration(s.info.FrameRate))
	defer tick.Stop()
	for {
		f, err := s.look(g)
		if err != nil {
			return fmt.Errorf("screen %q: %w: %w", s.info.Device.ID, media.ErrLost, err)
		}
		if f != nil {
			emit(f)
			f.Release()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look returns the next picture, or nil if nothing has changed.
func (s *source) look(g *grab) (*media.Frame, error) {
	at, err := locate(s.spec)
	if hidden := errors.Is(err, errHidden); hidden != s.hidden {
		s.hidden = hidden
		if s.onHidden != nil {
			s.onHidden(hidden)
		}
	}
	if s.hidden {
		return nil, nil // the last picture stays
	}
	if err != nil {
		return nil, err
	}
	at.area.Max = at.area.Min.Add(at.size())
	pixels, err := g.read(at, s.pointer)
	if err != nil {
		return nil, err
	}
	if !g.changed() {
		return nil, nil
	}
	f := media.NewFrame(at.area.Dx(), at.area.Dy())
	f.Captured = time.Now()
	if err := s.convert.Convert(f, media.FormatBGRA, pixels, 4*at.area.Dx()); err != nil {
		f.Release()
		return nil, err
	}
	return f, nil
}
