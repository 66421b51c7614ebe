//go:build linux

// Package v4l2 finds and opens the cameras of Linux (Video4Linux2), as drivers of pion/mediadevices.
package v4l2

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/prop"

	"parley/media"
)

// found is a camera that is plugged in.
type found struct {
	media.Device
	key     string // identifies the piece of hardware
	adapter func() driver.Adapter
}

// entry is a found device with its driver in mediadevices' manager.
type entry struct {
	found
	driverID string
	open     bool
}

// Driver registers the cameras that are plugged in with mediadevices, and opens them.
type Driver struct {
	convert media.PixelConverter
	nodes   *cameraNodes

	mu      sync.Mutex
	entries []*entry
}

// New returns a driver that has not looked for cameras yet.
func New(convert media.PixelConverter) *Driver {
	return &Driver{convert: convert, nodes: newCameraNodes()}
}

// LookIn makes the driver look for cameras in other folders than /dev and /sys/class/video4linux.
func (r *Driver) LookIn(dev, sys string) { r.nodes.dev, r.nodes.sys = dev, sys }

// Takes accepts every camera.
func (r *Driver) Takes(kind media.Kind, _ string) bool { return kind == media.Camera }

// Close unregisters the cameras.
func (r *Driver) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.entries {
		driver.GetManager().Delete(e.driverID)
	}
	r.entries = nil
	return nil
}

// scan brings the registered cameras up to date. r.mu is held.
func (r *Driver) scan() error {
	now := r.nodes.find(r.convert)
	var err error
	var next []*entry
	for _, f := range now {
		i := slices.IndexFunc(r.entries, func(e *entry) bool { return e.key == f.key })
		if i >= 0 {
			e := r.entries[i]
			e.Device = f.Device
			next = append(next, e)
			continue
		}
		e := &entry{found: f}
		if e.driverID, err = register(f); err != nil {
			return err
		}
		next = append(next, e)
	}
	for _, e := range r.entries {
		if !slices.Contains(next, e) {
			driver.GetManager().Delete(e.driverID)
		}
	}
	r.entries = next
	return nil
}

// register makes a driver for f. The manager does not return the ID that it chose, but keeps the information that a
// driver was registered with.
func register(f found) (string, error) {
	known := make(map[string]bool)
	for _, d := range driver.GetManager().Query(driver.FilterVideoRecorder()) {
		known[d.ID()] = true
	}
	if err := driver.GetManager().Register(f.adapter(), driver.Info{Label: f.key, Name: f.Name, DeviceType: driver.Camera}); err != nil {
		return "", err
	}
	for _, d := range driver.GetManager().Query(driver.FilterVideoRecorder()) {
		if !known[d.ID()] && d.Info().Label == f.key {
			return d.ID(), nil
		}
	}
	return "", fmt.Errorf("register %s %q: %w", f.Kind, f.Name, media.ErrNoDevice)
}

// List names the cameras.
func (r *Driver) List(kind media.Kind) ([]media.Device, error) {
	if kind != media.Camera {
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.scan(); err != nil {
		return nil, err
	}
	return r.devices(), nil
}

func (r *Driver) devices() []media.Device {
	var out []media.Device
	for _, e := range r.entries {
		out = append(out, e.Device)
	}
	return out
}

// OpenCamera starts the camera that spec means. A camera can be open only once.
func (r *Driver) OpenCamera(spec string) (media.VideoSource, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.scan(); err != nil {
		return nil, fmt.Errorf("open camera: %w", err)
	}
	d, err := media.Choose(r.devices(), media.Camera, spec)
	if err != nil {
		return nil, err
	}
	e := r.entries[slices.IndexFunc(r.entries, func(e *entry) bool { return e.ID == d.ID })]
	s, err := r.start(e)
	if err != nil {
		return nil, fmt.Errorf("open camera %q: %w", d.Name, err)
	}
	return s, nil
}

// start opens e's driver in the best of its modes. r.mu is held.
func (r *Driver) start(e *entry) (*source, error) {
	if e.open {
		return nil, fmt.Errorf("open in this program already: %w", media.ErrBusy)
	}
	drivers := driver.GetManager().Query(driver.FilterID(e.driverID))
	if len(drivers) != 1 {
		return nil, media.ErrNoDevice
	}
	d := drivers[0]
	if err := d.Open(); err != nil {
		return nil, err
	}
	mode, err := bestMode(d)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	// A driver that fails here has been closed by the framework.
	reader, err := d.(driver.VideoRecorder).VideoRecord(mode)
	if err != nil {
		return nil, err
	}
	e.open = true
	return &source{
		info: media.VideoInfo{
			Device: e.Device, Width: mode.Width, Height: mode.Height, FrameRate: float64(mode.FrameRate),
		},
		driver: d, reader: reader,
		closed: func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			e.open = false
		},
	}, nil
}

func bestMode(d driver.Driver) (prop.Media, error) {
	offered := d.Properties()
	modes := make([]media.CameraMode, len(offered))
	for i, p := range offered {
		modes[i] = media.CameraMode{Width: p.Width, Height: p.Height, Rate: float64(p.FrameRate)}
		for format, name := range v4l2Formats {
			if name == p.FrameFormat {
				modes[i].Format = format
			}
		}
	}
	if i := media.BestMode(modes); i >= 0 {
		return offered[i], nil
	}
	return prop.Media{}, fmt.Errorf("none of its pixel formats is known: %w", media.ErrFormat)
}
