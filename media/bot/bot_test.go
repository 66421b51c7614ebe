package bot

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

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

// rendezvous starts a real service on loopback.
func rendezvous(t *testing.T) *url.URL {
	t.Helper()
	srv, err := server.New(server.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	h := httptest.NewServer(srv)
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		h.Close()
	})
	u, err := url.Parse(h.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// config is two bots with generated pictures and sound.
func config(t *testing.T) Config {
	t.Helper()
	devices := device.New(device.Config{Convert: codec.New()})
	t.Cleanup(func() { devices.Close() })
	return Config{
		Count: 2, ViewW: 320, ViewH: 180, Problems: new(bytes.Buffer),
		Call: call.Config{
			Server: rendezvous(t), Devices: devices, Codecs: codec.New(), Transport: mesh,
			Camera: media.SpecTest, Microphone: media.SpecTone, Speaker: media.SpecOff, CameraOn: true, MicrophoneOn: true,
			Log: slog.New(slog.DiscardHandler),
		},
	}
}

// TestRunUntilAllLeave: two bots meet under different names. Run ends when both have left.
func TestRunUntilAllLeave(t *testing.T) {
	cfg := config(t)
	code := "7k3m-q9xt-2w8p"
	link := cfg.Call.Server.JoinPath("/").String() + "#" + code
	cfg.Begin = func(c *call.Call) { c.Do(call.Open{Text: link, Join: true}) }
	met := make(chan string, cfg.Count)
	cfg.Beside = func(ctx context.Context, c *call.Call) error {
		for {
			s := c.State()
			if len(s.Peers) == 1 && s.Peers[0].Phase == call.PeerConnected {
				met <- s.Peers[0].Name
				break
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(10 * time.Millisecond):
			}
		}
		for len(met) < cfg.Count { // the other has met this one too
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(10 * time.Millisecond):
			}
		}
		c.Do(call.Leave{})
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := Run(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{<-met: true, <-met: true}
	if !names["Bot 1"] || !names["Bot 2"] {
		t.Errorf("met %v", names)
	}
}

// TestRunEndsWithTheFirstError: an error of one Beside ends all bots.
func TestRunEndsWithTheFirstError(t *testing.T) {
	cfg := config(t)
	full := errors.New("no space left on device")
	cfg.Begin = func(*call.Call) {}
	cfg.Beside = func(context.Context, *call.Call) error { return full }
	if err := Run(context.Background(), cfg); !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
}
