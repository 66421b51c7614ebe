package call

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"parley/media"
	"parley/media/codec"
	"parley/signal"
	"parley/signal/room"
)

// TestViewsGoWithTheirMembers: a hundred members come and go and leave nothing behind, even if the window
// asks for their view once more. One that is back at once keeps its view.
func TestViewsGoWithTheirMembers(t *testing.T) {
	c, err := New(Config{Codecs: codec.New(), Changed: func(State) {}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.closeCodecs()
	ctx, cancel := context.WithCancel(t.Context())
	g, ctx := errgroup.WithContext(ctx)
	x := newExecutor(ctx, c, g)
	x.room = room.New(room.Config{URLs: meeting.WebSocketURLs(), Keys: signal.Derive(meeting.Code), Me: member(signal.NewID(), "Me"), Log: c.cfg.Log})
	m := live(t)
	now := noon
	apply := func(ev func(model) event) {
		now = now.Add(time.Second)
		x.apply(&m, ev(m), now)
	}
	for i := range 100 {
		id := signal.ID(fmt.Sprintf("member%010d", i))
		there, gone := roomIs(room.Connected, member(id, "X")), roomIs(room.Connected)
		apply(there)
		v := c.View(id, media.Camera)
		apply(gone)
		apply(there)
		if c.View(id, media.Camera) != v {
			t.Fatal("whoever is back at once has another view")
		}
		apply(gone)
		c.View(id, media.Camera)
	}
	now = now.Add(viewStays)
	apply(roomIs(room.Connected, member(ada, "Ada")))
	if len(c.views) != 4 || len(x.here) != 1 {
		t.Errorf("%d views, %d members; want those of Ada and our own", len(c.views), len(x.here))
	}
	cancel()
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}
