// Package device opens cameras, screens, microphones and speakers, and their file and
// test-pattern stand-ins, and tells when they come and go.
package device

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"time"

	"parley/media"
	"parley/media/device/file"
	"parley/media/device/pulse"
)

// Config is what a Manager needs from outside.
type Config struct {
	Convert media.PixelConverter // turns a camera's or screen's pixels into frames
	Log     *slog.Logger         // nil is silent
}

// driver is one source of devices: a kind of hardware, or files that stand in for it. A driver has the methods of
// one or more of the interfaces below, for the kinds that it opens.
type driver interface {
	// List returns the devices of a kind. For a kind that the driver does not know, the list is empty.
	List(media.Kind) ([]media.Device, error)
	// Takes reports whether this driver opens a spec.
	Takes(kind media.Kind, spec string) bool
	// Close releases what the driver's devices share. They must have been closed before.
	Close() error
}

type (
	cameras interface {
		OpenCamera(spec string) (media.VideoSource, error)
	}
	screens interface {
		OpenScreen(id string, o media.ScreenOptions) (media.VideoSource, error)
		Shareables(preview image.Point) ([]media.Shareable, error)
	}
	microphones interface {
		OpenMicrophone(spec string) (media.AudioSource, error)
	}
	speakers interface {
		OpenSpeaker(spec string) (media.AudioSink, error)
	}
	systemSounds interface {
		OpenSystemSound() (media.AudioSource, error)
	}
)

// Manager is the media.Devices of this machine. Nothing is opened before the first call
// that needs it. All methods may be called from any goroutine.
type Manager struct {
	log     *slog.Logger
	drivers []driver      // the first that takes a spec opens it
	poll    time.Duration // the interval at which Watch lists the devices
}

var _ media.Devices = (*Manager)(nil)

// New returns a manager that starts nothing.
func New(cfg Config) *Manager {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	drivers := append([]driver{file.Driver{Convert: cfg.Convert}}, pictures(cfg.Convert)...)
	return &Manager{log: log, poll: watchInterval, drivers: append(drivers, pulse.New(log))}
}

// Close releases the sound system and the registered drivers. All devices must have been closed before.
func (m *Manager) Close() error {
	var all []error
	for _, d := range m.drivers {
		all = append(all, d.Close())
	}
	return errors.Join(all...)
}

// List returns the devices of a kind. If there is none, the list is empty; that is not an error.
func (m *Manager) List(kind media.Kind) ([]media.Device, error) {
	var out []media.Device
	for _, d := range m.drivers {
		devices, err := d.List(kind)
		if err != nil {
			return nil, err
		}
		out = append(out, devices...)
	}
	return out, nil
}

// find returns the driver for a spec as an opener of type T.
func find[D any](m *Manager, kind media.Kind, spec string) (D, error) {
	for _, d := range m.drivers {
		if opens, ok := d.(D); ok && d.Takes(kind, spec) {
			return opens, nil
		}
	}
	var none D
	return none, fmt.Errorf("open %s %q: %w", kind, spec, media.ErrUnsupported)
}

// OpenCamera opens the first camera, the test pattern, a .y4m file, or a camera by its ID
// or name.
func (m *Manager) OpenCamera(spec string) (media.VideoSource, error) {
	d, err := find[cameras](m, media.Camera, spec)
	if err != nil {
		return nil, err
	}
	s, err := d.OpenCamera(spec)
	return s, file.Explain(err, media.Camera, spec)
}

// OpenScreen opens a screen or a window by its ID from List or Shareables, a part of the
// screen by the ID "region:X,Y,WxH" in pixels, or the default screen. None of them is ever
// busy.
func (m *Manager) OpenScreen(id string, o media.ScreenOptions) (media.VideoSource, error) {
	d, err := find[screens](m, media.Screen, id)
	if err != nil {
		return nil, err
	}
	return d.OpenScreen(id, o)
}

// Shareables implements media.Devices.
func (m *Manager) Shareables(preview image.Point) ([]media.Shareable, error) {
	d, err := find[screens](m, media.Screen, media.SpecDefault)
	if err != nil {
		return nil, err
	}
	return d.Shareables(preview)
}

// OpenMicrophone opens the default microphone, the tone, a .wav file, or a microphone by
// its ID or name.
func (m *Manager) OpenMicrophone(spec string) (media.AudioSource, error) {
	d, err := find[microphones](m, media.Microphone, spec)
	if err != nil {
		return nil, err
	}
	s, err := d.OpenMicrophone(spec)
	return s, file.Explain(err, media.Microphone, spec)
}

// OpenSpeaker opens the default speaker, a .wav file to write, or a speaker by its ID or
// name.
func (m *Manager) OpenSpeaker(spec string) (media.AudioSink, error) {
	d, err := find[speakers](m, media.Speaker, spec)
	if err != nil {
		return nil, err
	}
	s, err := d.OpenSpeaker(spec)
	return s, file.Explain(err, media.Speaker, spec)
}

// OpenSystemSound opens the sound that the machine plays, without this process's own.
func (m *Manager) OpenSystemSound() (media.AudioSource, error) {
	d, err := find[systemSounds](m, media.Speaker, media.SpecDefault)
	if err != nil {
		return nil, err
	}
	return d.OpenSystemSound()
}

// watchInterval is how often Watch lists the devices: soon enough after somebody has plugged in a headset, and rarely
// enough to cost nothing. Screens change more rarely, and listing them takes a new connection to the display, so they
// are listed every fifth time.
const (
	watchInterval    = time.Second
	watchScreenTurns = 5
)

// Watch implements media.Devices. It compares lists, which works for every kind of device and survives a restart of
// the sound server.
func (m *Manager) Watch(ctx context.Context, list func(media.Kind, []media.Device)) error {
	last := make(map[media.Kind]string)
	look := func(k media.Kind) {
		devices, err := m.List(k)
		now := fmt.Sprint(devices, err)
		if before, known := last[k]; known && now == before {
			return
		}
		last[k] = now
		if err != nil {
			m.log.Warn("list devices", "kind", k.String(), "err", err)
			return
		}
		m.log.Info("devices", "kind", k.String(), "count", len(devices))
		list(k, devices)
	}
	tick := time.NewTicker(m.poll)
	defer tick.Stop()
	for turn := 0; ; turn++ {
		for _, k := range []media.Kind{media.Camera, media.Microphone, media.Speaker, media.Screen} {
			if k != media.Screen || turn%watchScreenTurns == 0 {
				look(k)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
