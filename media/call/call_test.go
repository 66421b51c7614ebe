package call

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/media"
	"parley/media/codec"
	"parley/media/device"
	"parley/media/peer"
	"parley/media/transport"
	"parley/signal/server"
)

// mesh connects as the app does.
func mesh(c transport.Config) Transport { return peer.NewMesh(c, peer.Network{}) }

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service runs a real service, without an address, until stop.
func service(t testing.TB) (srv *server.Server, stop func()) {
	t.Helper()
	srv, err := server.New(server.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	return srv, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error("server:", err)
		}
	}
}

// rendezvous starts a real service on loopback.
func rendezvous(t testing.TB) *url.URL {
	t.Helper()
	srv, stop := service(t)
	h := httptest.NewServer(srv)
	t.Cleanup(func() { stop(); h.Close() })
	u, err := url.Parse(h.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// caller starts a call with stand-in devices that deliver real pictures and sound.
func caller(t testing.TB, server *url.URL, name string, change func(*Config)) *Call {
	t.Helper()
	devices := device.New(device.Config{Convert: codec.New()})
	cfg := Config{
		Name: name, Server: server, Devices: devices, Codecs: codec.New(), Transport: mesh,
		Camera: "test", Microphone: "tone", Speaker: media.SpecOff, CameraOn: true, MicrophoneOn: true,
		Changed: func(State) {},
		Log:     slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: logLevel()})).With("me", name),
	}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.Run(ctx); err != nil {
			t.Error(name, err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		devices.Close()
	})
	return c
}

func logLevel() slog.Level {
	if os.Getenv("PARLEY_LOG") == "debug" {
		return slog.LevelDebug
	}
	return slog.LevelError
}

// eventually polls real, running parts; it fails the test when the time is over.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestTwoSeeAndHearEachOther(t *testing.T) {
	server := rendezvous(t)
	ada := caller(t, server, "Ada", nil)
	ada.Do(NewMeeting{Join: true})
	eventually(t, "live", func() bool { return ada.State().Phase == Live })
	bo := caller(t, server, "Bo", nil)
	bo.Do(Open{Text: ada.State().Link, Join: true})
	for _, c := range []*Call{ada, bo} {
		var other Peer
		eventually(t, "met", func() bool {
			s := c.State()
			if len(s.Peers) == 1 {
				other = s.Peers[0]
			}
			return len(s.Peers) == 1 && other.Phase == PeerConnected
		})
		v := c.View(other.ID, media.Camera)
		v.Resize(640, 360, media.FitCover)
		eventually(t, "a picture", func() bool { return v.Take() != nil })
		eventually(t, "heard", func() bool { return c.Level(other.ID) > -40 })
	}
}
