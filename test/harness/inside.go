package harness

import (
	"context"
	"io"
	"log/slog"
	"net/url"
	"testing"

	"parley/media"
	"parley/media/call"
	"parley/media/codec"
	"parley/media/device"
	"parley/media/peer"
	"parley/media/transport"
)

// CallInside runs a call in the test's own process, on real connections.
func CallInside(t testing.TB, name, server string, change func(*call.Config)) *call.Call {
	t.Helper()
	devices := device.New(device.Config{Convert: codec.New()})
	cfg := call.Config{
		Name: name, Devices: devices, Codecs: codec.New(), Transport: mesh,
		Camera: media.SpecOff, Microphone: media.SpecOff, Speaker: media.SpecOff, CameraOn: true, MicrophoneOn: true,
		Changed: func(call.State) {}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if server != "" {
		u, err := url.Parse(server)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Server = u
	}
	if change != nil {
		change(&cfg)
	}
	c, err := call.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(name, err)
		}
		devices.Close()
	})
	return c
}

// mesh connects as the app does.
func mesh(c transport.Config) call.Transport { return peer.NewMesh(c, peer.Network{}) }
