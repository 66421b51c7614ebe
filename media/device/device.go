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
	"parley/media/device/v4l2"
	"parley/media/device/x11"
)

// Config is what a Manager needs from outside.
type Config struct {
	Convert media.PixelConverter // turns a camera's or screen's pixels into frames
	Log     *slog.Logger         // nil is silent
}

// driver is one way to come by devices: a kind of hardware, or files that stand in for it. What it
// opens, it says by having the methods of one or more of the interfaces below.
type driver interface {
	// List names what is there of a kind; of a kind that the driver does not know, nothing.
	List(media.Kind) ([]media.Device, error)
	// Takes says whether a spec is for this driver to open.
	Takes(kind media.Kind, spec string) bool
	// Close lets go of what the driver shares between devices. They must have been closed before.
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
	every   time.Duration // between two looks of Watch
}

var _ media.Devices = (*Manager)(nil)

// New returns a manager that starts nothing.
func New(cfg Config) *Manager {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Manager{log: log, every: watchInterval, drivers: []driver{
		file.Driver{Convert: cfg.Convert}, v4l2.New(cfg.Convert), x11.New(cfg.Convert), pulse.New(log),
	}}
}

// Close lets go of the sound system and of the registered drivers. What is still open
// must have been closed before.
func (m *Manager) Close() error {
	var all []error
	for _, d := range m.drivers {
		all = append(all, d.Close())
	}
	return errors.Join(all...)
}

// List names the devices of a kind. No device at all is an empty list, not an error.
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

// find returns the driver for a spec as what it opens.
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

// OpenSystemSound opens what the machine plays, without what this process plays.
func (m *Manager) OpenSystemSound() (media.AudioSource, error) {
	d, err := find[systemSounds](m, media.Speaker, media.SpecDefault)
	if err != nil {
		return nil, err
	}
	return d.OpenSystemSound()
}

// watchInterval is how often Watch looks: soon enough for somebody who has just plugged in
// a headset, rarely enough to cost nothing. Screens change more rarely and are asked for
// with a new connection to the display, so they have every fifth turn.
const (
	watchInterval    = time.Second
	watchScreenTurns = 5
)

// Watch implements media.Devices by comparing lists, which works the same for every kind
// of device and survives a restart of the sound server.
func (m *Manager) Watch(ctx context.Context, changed func(media.Kind)) error {
	kinds := []media.Kind{media.Camera, media.Microphone, media.Speaker, media.Screen}
	last := make(map[media.Kind]string)
	for _, k := range kinds {
		last[k] = m.fingerprint(k)
	}
	tick := time.NewTicker(m.every)
	defer tick.Stop()
	for turn := 1; ; turn++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, k := range kinds {
			if k == media.Screen && turn%watchScreenTurns != 0 {
				continue
			}
			if now := m.fingerprint(k); now != last[k] {
				last[k] = now
				m.log.Info("devices changed", "kind", k.String())
				changed(k)
			}
		}
	}
}

// fingerprint is equal for equal lists.
func (m *Manager) fingerprint(kind media.Kind) string {
	devices, err := m.List(kind)
	if err != nil {
		return "error: " + err.Error()
	}
	return fmt.Sprint(devices)
}
