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
	"parley/media/pipe"
	"parley/signal"
	"parley/signal/identity"
	"parley/signal/room"
)

// TestPlayOfALaterConnection: when a member's earlier connection ends after the later one began, the later
// one's sound stays.
func TestPlayOfALaterConnection(t *testing.T) {
	c, err := New(Config{Codecs: codec.New(), Changed: func(State) {}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.closeCodecs()
	var stops [2]func()
	var sounds [2]*pipe.AudioReceiver
	for i := range sounds {
		dec, err := c.cfg.Codecs.AudioDecoder(1)
		if err != nil {
			t.Fatal(err)
		}
		sounds[i] = pipe.NewAudioReceiver(dec)
		defer sounds[i].Close()
		stops[i] = c.play(track(ada, media.Microphone), sounds[i])
	}
	stops[0]()
	if c.voiceOf(ada) != sounds[1] {
		t.Error("the end of the earlier connection took the sound of the later one away")
	}
	stops[1]()
	if c.voiceOf(ada) != nil {
		t.Error("a sound is left after both have ended")
	}
}

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
	x.room = room.New(room.Config{URLs: meeting.WebSocketURLs(), Keys: signal.Derive(meeting.Code), Identity: identity.New(), Me: room.Member{Name: "Me"}, Log: c.cfg.Log})
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
