package host

import (
	"context"
	"log/slog"
	"net"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The rendezvous listens from the first meeting on, at one address, and ends with the app.
func TestHostListens(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	h := New(ctx, group, slog.New(slog.DiscardHandler))
	u, err := h.URL(ctx)
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.URL(ctx)
	if err != nil || again.String() != u.String() {
		t.Errorf("a second meeting is at %v (%v), the first at %v", again, err, u)
	}
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", u.Port()))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	cancel()
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", u.Port())); err == nil {
		c.Close()
		t.Error("the port is open after the app has ended")
	}
}
