package device

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/prop"

	"parley/media"
)

// found is a camera that the machine has now.
type found struct {
	media.Device
	key     string // equal for as long as it is the same piece of hardware
	adapter func() driver.Adapter
}

// entry is a found device with its driver in mediadevices' manager.
type entry struct {
	found
	driverID string
	open     bool
}

// registry keeps the drivers of cameras registered that are there.
type registry struct {
	convert media.PixelConverter
	nodes   *cameraNodes

	mu      sync.Mutex
	entries map[media.Kind][]*entry
}

func newRegistry(convert media.PixelConverter) *registry {
	return &registry{convert: convert, nodes: newCameraNodes(), entries: make(map[media.Kind][]*entry)}
}

// close takes the drivers away again.
func (r *registry) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, all := range r.entries {
		for _, e := range all {
			driver.GetManager().Delete(e.driverID)
		}
	}
	clear(r.entries)
}

// scan brings the drivers of a kind up to date. r.mu is held.
func (r *registry) scan(kind media.Kind) error {
	now := r.nodes.find(r.convert)
	var err error
	var next []*entry
	for _, f := range now {
		i := slices.IndexFunc(r.entries[kind], func(e *entry) bool { return e.key == f.key })
		if i >= 0 {
			e := r.entries[kind][i]
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
	for _, e := range r.entries[kind] {
		if !slices.Contains(next, e) {
			driver.GetManager().Delete(e.driverID)
		}
	}
	r.entries[kind] = next
	return nil
}

// register makes a driver for f. The manager does not say which ID it chose, but gives
// every driver the information it came with.
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

func (r *registry) list(kind media.Kind) ([]media.Device, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.scan(kind); err != nil {
		return nil, err
	}
	var out []media.Device
	for _, e := range r.entries[kind] {
		out = append(out, e.Device)
	}
	return out, nil
}

// open starts the device that spec means. One is open once at a time.
func (r *registry) open(kind media.Kind, spec string) (media.VideoSource, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.scan(kind); err != nil {
		return nil, fmt.Errorf("open %s: %w", kind, err)
	}
	var devices []media.Device
	for _, e := range r.entries[kind] {
		devices = append(devices, e.Device)
	}
	d, err := choose(devices, kind, spec)
	if err != nil {
		return nil, err
	}
	e := r.entries[kind][slices.IndexFunc(r.entries[kind], func(e *entry) bool { return e.ID == d.ID })]
	s, err := r.start(e)
	if err != nil {
		return nil, fmt.Errorf("open %s %q: %w", kind, d.Name, err)
	}
	return s, nil
}

// start opens e's driver in the best of its modes. r.mu is held.
func (r *registry) start(e *entry) (*driverSource, error) {
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
	return &driverSource{
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
	modes := d.Properties()
	if mode, ok := chooseMode(modes); ok {
		return mode, nil
	}
	return prop.Media{}, fmt.Errorf("none of its pixel formats is known: %w", media.ErrFormat)
}
