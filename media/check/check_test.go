package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"parley/media"
	"parley/media/call"
	"parley/media/codec"
	"parley/media/device"
	"parley/media/peer"
	"parley/media/transport"
	"parley/signal/server"
)

// mesh connects as the app does.
func mesh(c transport.Config) call.Transport { return peer.NewMesh(c, peer.Network{}) }

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// report runs the check and returns what it printed.
func report(t *testing.T, ctx context.Context, server *url.URL) (string, error) {
	t.Helper()
	devices := device.New(device.Config{Convert: codec.New()})
	defer devices.Close()
	var out bytes.Buffer
	err := Run(ctx, Config{
		Call:   call.Config{Devices: devices, Codecs: codec.New(), Transport: mesh, CameraOn: true, MicrophoneOn: true, Log: slog.New(slog.DiscardHandler)},
		Server: server, Out: &out,
	})
	return out.String(), err
}

// TestReport: the check makes a call and prints what came of it. How good it is, a busy machine decides.
func TestReport(t *testing.T) {
	if testing.Short() {
		t.Skip("a call of 5 s")
	}
	srv, err := server.New(server.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	h := httptest.NewServer(srv)
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		h.Close()
	}()
	u, err := url.Parse(h.URL)
	if err != nil {
		t.Fatal(err)
	}
	text, err := report(t, ctx, u)
	for _, want := range []string{"camera", "speaker", u.Host, "first frame", "picture ", "sound"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not have %q (%v):\n%s", want, err, text)
		}
	}
}

// TestNoServer: without a rendezvous the check says that there is no meeting.
func TestNoServer(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for 10 s")
	}
	text, err := report(t, t.Context(), &url.URL{Scheme: "http", Host: "127.0.0.1:1"})
	if err == nil || !strings.Contains(err.Error(), "no meeting") || strings.Contains(text, "All is well") {
		t.Errorf("error %v, report\n%s", err, text)
	}
}

// none has a camera that another program uses and no sound.
type none struct{ media.Devices }

func (none) OpenCamera(string) (media.VideoSource, error) {
	return nil, fmt.Errorf("open camera: %w", media.ErrBusy)
}

func (none) OpenMicrophone(string) (media.AudioSource, error) {
	return nil, fmt.Errorf("open microphone: %w", media.ErrNoDevice)
}

func (none) OpenSpeaker(string) (media.AudioSink, error) {
	return nil, fmt.Errorf("open speaker: %w", media.ErrNoDevice)
}

var errPoor = errors.New("the sound broke up")

// TestVerdict: the end of the report says what somebody can do here, and all is well only when nothing is missing.
func TestVerdict(t *testing.T) {
	devices := device.New(device.Config{Convert: codec.New()})
	defer devices.Close()
	wav := filepath.Join(t.TempDir(), "heard.wav")
	for _, c := range []struct {
		devices               media.Devices
		camera, mic, speaker  string
		says                  []string
		missing, missingNever string
		poor                  error // what was bad about the call
	}{
		{devices, media.SpecTest, media.SpecTone, wav, []string{"All is well."}, "", "", nil},
		{devices, media.SpecOff, media.SpecOff, wav, []string{"You can watch and listen, but nobody hears you and nobody sees you."}, "no working microphone and no working camera", "speaker", nil},
		{devices, media.SpecTest, media.SpecTone, media.SpecOff, []string{"You can watch, speak and show yourself, but you hear nobody."}, "no working speaker", "camera", nil},
		{none{devices}, media.SpecDefault, media.SpecDefault, media.SpecDefault, []string{"in use by another program", "You can watch, but you hear nobody, nobody hears you and nobody sees you."}, "no working speaker, no working microphone and no working camera", "well", nil},
		{devices, media.SpecTest, media.SpecTone, media.SpecOff, []string{"The call is poor. You can watch, speak and show yourself, but you hear nobody."}, "", "", errPoor},
		{devices, media.SpecTest, media.SpecTone, wav, nil, "", "", errPoor},
	} {
		var out bytes.Buffer
		check := check{Config{Call: call.Config{Devices: c.devices, Camera: c.camera, Microphone: c.mic, Speaker: c.speaker}, Out: &out}}
		works := map[media.Kind]bool{}
		for _, k := range []media.Kind{media.Camera, media.Microphone, media.Speaker, media.Screen} {
			works[k] = check.try(k)
		}
		err := check.conclude(works, c.poor)
		for _, line := range c.says {
			if !strings.Contains(out.String(), line) {
				t.Errorf("%s, %s, %s: %q is not in\n%s", c.camera, c.mic, c.speaker, line, out.String())
			}
		}
		switch {
		case c.poor != nil:
			if !errors.Is(err, c.poor) || errors.Is(err, ErrDevices) || strings.Contains(out.String(), "All is well") {
				t.Errorf("a poor call: %v, report\n%s", err, out.String())
			}
		case c.missing == "" && err != nil:
			t.Errorf("nothing is missing, and %v", err)
		case c.missing != "" && (!errors.Is(err, ErrDevices) || !strings.Contains(err.Error(), c.missing) || strings.Contains(err.Error(), c.missingNever)):
			t.Errorf("%v, want %q", err, c.missing)
		}
	}
}
