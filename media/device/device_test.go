package device

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/media"
	"parley/media/device/pulsetest"
	"parley/media/device/v4l2"
)

func newManager(t *testing.T) *Manager {
	t.Helper()
	m := New(Config{Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func TestOpenCameraRefuses(t *testing.T) {
	m := newManager(t)
	dir := t.TempDir()
	mp4 := filepath.Join(dir, "film.mp4")
	if err := os.WriteFile(mp4, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "folder.y4m")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for spec, want := range map[string]error{
		filepath.Join(dir, "none.y4m"): fs.ErrNotExist,
		folder:                         media.ErrFormat,
		mp4:                            media.ErrFormat,
		"no such camera":               media.ErrNoDevice,
		"test:0x0":                     media.ErrFormat,
		"test:640":                     media.ErrFormat,
		"test:640x360@0":               media.ErrFormat,
		"test:99999x360":               media.ErrFormat,
		"test:":                        media.ErrFormat,
	} {
		if _, err := m.OpenCamera(spec); !errors.Is(err, want) || !strings.Contains(fmt.Sprint(err), spec) {
			t.Errorf("OpenCamera(%q): %v, want %v", spec, err, want)
		}
	}
}

func TestOpenSoundRefuses(t *testing.T) {
	t.Setenv("PULSE_SERVER", "unix:"+t.TempDir()+"/none")
	m := newManager(t)
	mp3 := filepath.Join(t.TempDir(), "song.mp3")
	if err := os.WriteFile(mp3, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(t.TempDir(), "none.wav")
	for spec, want := range map[string]error{
		none: fs.ErrNotExist, mp3: media.ErrFormat, "tone:x": media.ErrFormat, "tone:5": media.ErrFormat, "tone:NaN": media.ErrFormat,
	} {
		if _, err := m.OpenMicrophone(spec); !errors.Is(err, want) || !strings.Contains(err.Error(), spec) {
			t.Errorf("OpenMicrophone(%q): %v, want %v", spec, err, want)
		}
	}
	if _, err := m.OpenSpeaker(filepath.Join(t.TempDir(), "no", "such.wav")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OpenSpeaker in no folder: %v", err)
	}
	if _, err := m.OpenSpeaker(mp3); !errors.Is(err, media.ErrFormat) {
		t.Errorf("OpenSpeaker(%q): %v, want ErrFormat", mp3, err)
	}
}

func TestWatchTellsOfChanges(t *testing.T) {
	pulse := pulsetest.Start(t)
	pulse.NullSink("room")
	pulse.Mic("desk")
	pulse.Use()
	m := newManager(t)
	m.poll = watchInterval / 20
	dev := t.TempDir()
	for _, d := range m.drivers {
		if v, ok := d.(*v4l2.Driver); ok {
			v.LookIn(dev, dev)
		}
	}
	seen := make(chan media.Kind, 100)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Watch(ctx, func(k media.Kind, _ []media.Device) { seen <- k }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	expect := func(want media.Kind, after string) {
		t.Helper()
		timeout := time.After(20 * time.Second)
		for {
			select {
			case k := <-seen:
				if k == want {
					return
				}
			case <-timeout:
				t.Fatalf("no word of a changed %v after %s", want, after)
			}
		}
	}
	names := func(kind media.Kind) (out []string) {
		list, err := m.List(kind)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			out = append(out, d.ID+"="+d.Name)
		}
		return out
	}
	for _, k := range []media.Kind{media.Camera, media.Microphone, media.Speaker} {
		expect(k, "the beginning") // the first list, without which a change before it would be lost
	}
	pulse.Mic("headset")
	expect(media.Microphone, "a headset was plugged in")
	pulse.Unplug("headset")
	expect(media.Microphone, "the headset went")
	if err := os.WriteFile(filepath.Join(dev, "video7"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expect(media.Camera, "a camera was plugged in")
	pulse.Mic("lamp")
	expect(media.Microphone, "a microphone was plugged in")
	pulse.SetDefault("room", false)
	pulse.NullSink("hall")
	expect(media.Speaker, "a speaker was plugged in")
	if got := names(media.Microphone); !slices.Equal(got, []string{"desk=desk", "lamp=lamp"}) {
		t.Errorf("microphones %v, want desk and lamp and no monitor", got)
	}
	pulse.SetDefault("hall", false)
	expect(media.Speaker, "the default changed")
}
