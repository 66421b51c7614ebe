package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"parley/media"
	"parley/media/call"
	"parley/signal/host"
	"parley/signal/server"
)

// checkTime is how long the call of parley check lasts after its first frame.
const checkTime = 5 * time.Second

// check tries the devices and makes a real call between two peers inside this process:
// test picture and tone, real codecs, real connections over loopback.
func (p *program) check() error {
	fmt.Println("Devices")
	for _, k := range []media.Kind{media.Camera, media.Microphone, media.Speaker, media.Screen} {
		p.reportDevices(k)
	}
	fmt.Println("\nCall")
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	ctx, stop := context.WithCancel(ctx)
	err := p.checkCall(ctx, g)
	stop()
	if werr := g.Wait(); err == nil {
		err = werr
	}
	if err != nil {
		return failure{err}
	}
	fmt.Println("\nAll is well.")
	return nil
}

func (p *program) reportDevices(k media.Kind) {
	list, err := p.devices.List(k)
	if err != nil {
		fmt.Printf("  %-11s cannot be listed: %v\n", k, err)
		return
	}
	if len(list) == 0 {
		fmt.Printf("  %-11s none found\n", k)
	}
	for _, d := range list {
		mark := ""
		if d.Default {
			mark = " (default)"
		}
		fmt.Printf("  %-11s %s%s\n", k, d.Name, mark)
	}
}

// checkCall runs the call and prints what one side sees and hears of the other.
func (p *program) checkCall(ctx context.Context, g *errgroup.Group) error {
	where := p.server
	if where == nil {
		u, err := loopbackServer(ctx, g, p)
		if err != nil {
			return err
		}
		where = u
		fmt.Println("  server      inside this process")
	} else {
		fmt.Println("  server     ", where.Host)
	}
	join := func(name string, cmd call.Command) (*call.Call, error) {
		cfg := p.callConfig()
		cfg.Name, cfg.Server = name, where
		cfg.Camera, cfg.Microphone, cfg.Speaker = media.SpecTest, media.SpecTone, media.SpecOff
		cfg.Sound = call.Sound{Original: true} // a tone is what noise suppression takes out
		cfg.Changed = func(call.State) {}
		c, err := call.New(cfg)
		if err != nil {
			return nil, err
		}
		g.Go(func() error { return c.Run(ctx) })
		c.Do(cmd)
		return c, nil
	}
	a, err := join("check a", call.NewMeeting{Join: true})
	if err != nil {
		return err
	}
	if err := until(ctx, 10*time.Second, func() bool { return a.State().Phase == call.Live }); err != nil {
		return fmt.Errorf("no meeting: %s", firstOf(a.State().Problem, "the server does not answer"))
	}
	begin := time.Now()
	b, err := join("check b", call.Open{Text: a.State().Link, Join: true})
	if err != nil {
		return err
	}
	looker := func(c *call.Call) func() bool {
		return func() bool {
			s := c.State()
			return len(s.Peers) > 0 && look(c, s.Peers[0].ID, media.Camera, 1280, 720, time.Now()) != nil
		}
	}
	if err := until(ctx, 15*time.Second, looker(b)); err != nil {
		return fmt.Errorf("no picture came: %s", firstOf(b.State().Problem, "the two sides found no path to each other"))
	}
	fmt.Printf("  first frame %.2f s after opening the link\n", time.Since(begin).Seconds())

	m := call.NewMeter(b)
	m.Line(time.Now())
	end := time.Now().Add(checkTime)
	see, seen := looker(b), looker(a)
	if err := until(ctx, 2*checkTime, func() bool { see(); seen(); return time.Now().After(end) }); err != nil {
		return err
	}
	return p.judge(m.Line(time.Now()))
}

// judge prints the figures of a call and says whether they are those of a good one.
func (p *program) judge(l call.Line) error {
	if len(l.Peers) == 0 {
		return fmt.Errorf("the other side was lost")
	}
	q := l.Peers[0]
	rtt, latency := 0.0, 0.0
	if q.RTT != nil {
		rtt = *q.RTT
	}
	if q.VideoIn.LatencyMs != nil {
		latency = *q.VideoIn.LatencyMs
	}
	fmt.Printf("  path        %s, round trip %.1f ms\n", q.Path, rtt)
	fmt.Printf("  picture     %dx%d, %.1f fps, %.0f kbit/s, %.0f ms from capture to paint\n",
		q.VideoIn.W, q.VideoIn.H, q.VideoIn.FPS, q.VideoIn.Kbps, latency)
	fmt.Printf("  sound       %.0f dB, %.1f %% concealed, %.0f ms buffered\n",
		q.AudioIn.Level, q.AudioIn.Concealed, q.AudioIn.DelayMs)
	fmt.Println("  STUN, TURN  none configured: peers meet on one network or by public addresses")
	switch {
	case q.VideoIn.FPS < 15:
		return fmt.Errorf("the picture came at %.1f fps; this machine is too busy for a call", q.VideoIn.FPS)
	case q.AudioIn.Level < -60:
		return fmt.Errorf("no sound came")
	case q.AudioIn.Concealed > 5:
		return fmt.Errorf("the sound broke up: %.1f %% had to be made up", q.AudioIn.Concealed)
	}
	return nil
}

// loopbackServer runs a rendezvous that only this process reaches.
func loopbackServer(ctx context.Context, g *errgroup.Group, p *program) (*url.URL, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen on loopback: %w", err)
	}
	srv, err := server.New(server.Config{Log: p.log})
	if err != nil {
		l.Close()
		return nil, err
	}
	g.Go(func() error { return srv.Run(ctx) })
	g.Go(func() error { return host.Serve(ctx, l, srv) })
	return &url.URL{Scheme: "http", Host: l.Addr().String()}, nil
}

// until looks at the display's pace until done says so.
func until(ctx context.Context, limit time.Duration, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(time.Second / 60)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
