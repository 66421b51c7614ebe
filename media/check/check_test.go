package check

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	"parley/media/call"
	"parley/media/codec"
	"parley/media/device"
	"parley/signal/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// report runs the check and returns what it printed.
func report(t *testing.T, ctx context.Context, server *url.URL) (string, error) {
	t.Helper()
	devices := device.New(device.Config{Convert: codec.New()})
	defer devices.Close()
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	var out bytes.Buffer
	err := Run(ctx, Config{
		Call:   call.Config{Devices: devices, Codecs: codec.New(), Settings: settings, CameraOn: true, MicrophoneOn: true, Log: slog.New(slog.DiscardHandler)},
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
