// Package bot takes part in a meeting without a window.
package bot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"parley/media"
	"parley/media/call"
	"parley/signal"
)

// ErrEnded says that a meeting ended for a bot that had not left it.
var ErrEnded = errors.New("the meeting ended")

// Config is what the bots do.
type Config struct {
	Call         call.Config // of every bot; Changed, if set, gets the states of all
	Count        int
	ViewW, ViewH int                                     // the size of their views of others, in pixels
	Begin        func(*call.Call)                        // gives a bot its first command
	Beside       func(context.Context, *call.Call) error // runs beside each call until the context ends; it may make the call leave
	Problems     io.Writer                               // gets a line for each problem
}

// Run starts the bots and returns when all have left, the first error occurs or ctx ends.
func Run(ctx context.Context, cfg Config) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	var running sync.WaitGroup
	for i := range cfg.Count {
		c, ended, err := cfg.make(i)
		if err != nil {
			cancel()
			return errors.Join(err, g.Wait())
		}
		running.Add(1)
		g.Go(func() error { return c.Run(ctx) })
		g.Go(func() error { watch(ctx, c, cfg.ViewW, cfg.ViewH); return nil })
		g.Go(func() error { return cfg.Beside(ctx, c) })
		g.Go(func() error {
			defer running.Done()
			select {
			case <-ended:
			case <-ctx.Done():
				return nil
			}
			if c.State().Reason != call.Left {
				return ErrEnded
			}
			return nil
		})
		cfg.Begin(c)
	}
	running.Wait()
	cancel()
	return g.Wait()
}

// make makes a bot. The channel is closed when its meeting ends.
func (cfg Config) make(i int) (*call.Call, <-chan struct{}, error) {
	one := cfg.Call
	if one.Name == "" {
		one.Name = "Bot"
	}
	if cfg.Count > 1 {
		one.Name = fmt.Sprintf("%s %d", one.Name, i+1)
	}
	ended := make(chan struct{})
	var once sync.Once
	var problem call.Problem
	one.Changed = func(s call.State) {
		if cfg.Call.Changed != nil {
			cfg.Call.Changed(s)
		}
		if s.Problem != problem && s.Problem != (call.Problem{}) {
			fmt.Fprintln(cfg.Problems, "parley:", s.Problem)
		}
		problem = s.Problem
		if s.Phase == call.Ended {
			once.Do(func() { close(ended) })
		}
	}
	c, err := call.New(one)
	return c, ended, err
}

// watch takes every picture at a display's rate, as a window does. Views do not announce new pictures,
// because a window polls whenever it can draw. So a bot polls too, and reports the frames and delays that a
// window would report.
func watch(ctx context.Context, c *call.Call, w, h int) {
	tick := time.NewTicker(time.Second / 60)
	defer tick.Stop()
	for {
		var now time.Time
		select {
		case <-ctx.Done():
			return
		case now = <-tick.C:
		}
		for _, peer := range c.State().Peers {
			Look(c, peer.ID, media.Camera, w, h, now)
			if peer.Screen {
				Look(c, peer.ID, media.Screen, w, h, now)
			}
		}
	}
}

// Look takes a member's newest picture at this size and reports it as painted. It returns nil if there is
// no new one.
func Look(c *call.Call, id signal.ID, kind media.Kind, w, h int, now time.Time) *media.Picture {
	v := c.View(id, kind)
	v.Resize(w, h, media.FitCover)
	pic := v.Take()
	if pic != nil {
		v.Painted(pic.Captured, now)
	}
	return pic
}
