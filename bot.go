package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"parley/media"
	"parley/media/call"
	"parley/signal"
)

// bot takes part without a window, as often as --count says.
func (p *program) bot() error {
	announce := p.announcer()
	var out io.Writer
	if p.stats != nil {
		out = &lockedWriter{w: p.stats}
	}
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	p.cancelAll = cancel
	var ends sync.WaitGroup
	for i := range p.count {
		cfg := p.callConfig()
		if cfg.Name == "" {
			cfg.Name = "Bot"
		}
		if p.count > 1 {
			cfg.Name = fmt.Sprintf("%s %d", cfg.Name, i+1)
		}
		ended := make(chan struct{})
		var once sync.Once
		var problem string
		cfg.Changed = func(s call.State) {
			announce(s)
			if s.Problem != problem && s.Problem != "" {
				fmt.Fprintln(os.Stderr, "parley:", s.Problem)
			}
			problem = s.Problem
			if s.Phase == call.Ended {
				once.Do(func() { close(ended) })
			}
		}
		c, err := call.New(cfg)
		if err != nil {
			return err
		}
		ends.Add(1)
		p.group.Go(func() error { return c.Run(ctx) })
		p.group.Go(func() error { p.watch(ctx, c); return nil })
		p.group.Go(func() error { return p.writeStats(ctx, out, c) })
		p.group.Go(func() error {
			defer ends.Done()
			p.leaveLater(ctx, c)
			select {
			case <-ended:
			case <-ctx.Done():
				return nil
			}
			if s := c.State(); s.Reason != call.Left {
				return failure{errors.New("the meeting ended")}
			}
			return nil
		})
		p.begin(c)
	}
	ends.Wait()
	return nil
}

// watch looks at everybody's picture, at the display's pace, as a window would. A view tells nobody
// that a picture has come, because a window asks anyway whenever it may draw; and what a bot reports
// as painted, and when, is to be what a window would report.
func (p *program) watch(ctx context.Context, c *call.Call) {
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
			look(c, peer.ID, media.Camera, p.viewW, p.viewH, now)
			if peer.Screen {
				look(c, peer.ID, media.Screen, p.viewW, p.viewH, now)
			}
		}
	}
}

func look(c *call.Call, id signal.ID, kind media.Kind, w, h int, now time.Time) *media.Picture {
	v := c.View(id, kind)
	v.Resize(w, h, media.FitCover)
	pic := v.Take()
	if pic != nil {
		v.Painted(pic.Captured, now)
	}
	return pic
}

// iceSettings are the connection settings of the app: loopback is a path too, for several
// Parleys on one machine, and names of the network's own are not asked for.
func iceSettings() webrtc.SettingEngine {
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	return s
}

// lockedWriter lets several bots write whole lines to one file.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
