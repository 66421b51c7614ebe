// Package device opens cameras, screens, microphones and speakers, and their file and
// test-pattern stand-ins, and tells when they come and go.
package device

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"parley/media"
)

// Config is what a Manager needs from outside.
type Config struct {
	Convert media.PixelConverter // turns a camera's or screen's pixels into frames
	Log     *slog.Logger         // nil is silent
}

// Manager is the media.Devices of this machine. Nothing is opened before the first call
// that needs it. All methods may be called from any goroutine.
type Manager struct {
	log     *slog.Logger
	video   *registry
	screens screenSystem
	audio   *audioSystem
}

var _ media.Devices = (*Manager)(nil)

// New returns a manager that starts nothing.
func New(cfg Config) *Manager {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Manager{log: log, video: newRegistry(cfg.Convert), screens: screenSystem{cfg.Convert}, audio: newAudioSystem(log)}
}

// Close lets go of the sound system and of the registered drivers. What is still open
// must have been closed before.
func (m *Manager) Close() error {
	m.video.close()
	return m.audio.close()
}

// List names the devices of a kind. No device at all is an empty list, not an error.
func (m *Manager) List(kind media.Kind) ([]media.Device, error) {
	switch kind {
	case media.Camera:
		return m.video.list(kind)
	case media.Screen:
		return m.screens.list()
	case media.Microphone, media.Speaker:
		devices, err := m.audio.list(kind)
		if errors.Is(err, media.ErrNoDevice) {
			return nil, nil
		}
		return devices, err
	}
	return nil, fmt.Errorf("list devices of kind %d: %w", kind, media.ErrUnsupported)
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
	tick := time.NewTicker(watchInterval)
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

// OpenCamera opens the first camera, the test pattern, a .y4m file, or a camera by its ID
// or name.
func (m *Manager) OpenCamera(spec string) (media.VideoSource, error) {
	switch {
	case spec == media.SpecTest || strings.HasPrefix(spec, media.SpecTest+":"):
		return openPattern(spec)
	case isFile(spec, ".y4m"):
		return openY4M(spec)
	}
	s, err := m.video.open(media.Camera, spec)
	return s, explainFile(err, spec, ".y4m", y4mHint)
}

// OpenScreen opens a screen or a window by its ID from List or Shareables, a part of the
// screen by the ID "region:X,Y,WxH" in pixels, or the default screen. None of them is ever
// busy.
func (m *Manager) OpenScreen(id string, o media.ScreenOptions) (media.VideoSource, error) {
	return m.screens.open(id, o)
}

// Shareables implements media.Devices.
func (m *Manager) Shareables(preview image.Point) ([]media.Shareable, error) {
	return m.screens.shareables(preview)
}

// OpenMicrophone opens the default microphone, the tone, a .wav file, or a microphone by
// its ID or name.
func (m *Manager) OpenMicrophone(spec string) (media.AudioSource, error) {
	switch {
	case spec == media.SpecTone || strings.HasPrefix(spec, media.SpecTone+":"):
		return openTone(spec)
	case isFile(spec, ".wav"):
		return openWAVSource(spec)
	}
	s, err := m.audio.openMicrophone(spec)
	return s, explainFile(err, spec, ".wav", wavHint)
}

// OpenSpeaker opens the default speaker, a .wav file to write, or a speaker by its ID or
// name.
func (m *Manager) OpenSpeaker(spec string) (media.AudioSink, error) {
	if isFile(spec, ".wav") {
		return createWAVSink(spec)
	}
	s, err := m.audio.openSpeaker(spec)
	return s, explainFile(err, spec, ".wav", "only .wav can be written")
}

func isFile(spec, ext string) bool { return strings.EqualFold(filepath.Ext(spec), ext) }

// explainFile says more when what was not found as a device is a file of another type.
func explainFile(err error, spec, ext, hint string) error {
	if err == nil || !errors.Is(err, media.ErrNoDevice) {
		return err
	}
	if st, statErr := os.Stat(spec); statErr == nil && st.Mode().IsRegular() {
		return fmt.Errorf("open %q: not a %s file; %s: %w", spec, ext, hint, media.ErrFormat)
	}
	return err
}

// choose finds the device that spec means: the default one (or else the first), or one
// with this ID, or else this name.
func choose(devices []media.Device, kind media.Kind, spec string) (media.Device, error) {
	if spec == media.SpecDefault || spec == "" {
		for _, d := range devices {
			if d.Default {
				return d, nil
			}
		}
		if len(devices) > 0 {
			return devices[0], nil
		}
		return media.Device{}, fmt.Errorf("open %s: %w", kind, media.ErrNoDevice)
	}
	for _, d := range devices {
		if d.ID == spec {
			return d, nil
		}
	}
	for _, d := range devices {
		if d.Name == spec {
			return d, nil
		}
	}
	return media.Device{}, fmt.Errorf("open %s %q: %w", kind, spec, media.ErrNoDevice)
}
