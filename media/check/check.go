// Package check tries the devices and makes a real call inside the process: parley check.
package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"parley/media"
	"parley/media/bot"
	"parley/media/call"
)

// checkTime is how long the call lasts after its first frame.
const checkTime = 5 * time.Second

// ErrDevices means that calls work but a camera, microphone or speaker is missing.
var ErrDevices = errors.New("calls work, but not with every device")

// Config is what is checked.
type Config struct {
	Call   call.Config // of both sides; its devices are tried, and then the check sets them, names, server and sound
	Server *url.URL    // the rendezvous of the call
	Out    io.Writer   // gets the report
}

// Run lists the devices, opens those that a call would use, and makes a call between two peers in this
// process: test picture and tone, real codecs, real connections over loopback. The error says what is
// wrong, or wraps ErrDevices.
func Run(ctx context.Context, cfg Config) error {
	c := check{cfg}
	c.print("Devices\n")
	works := map[media.Kind]bool{}
	for _, k := range []media.Kind{media.Camera, media.Microphone, media.Speaker, media.Screen} {
		c.devices(k)
		works[k] = c.try(k)
	}
	c.print("\nCall\n  server      %s\n", cfg.Server.Host)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	ctx, stop := context.WithCancel(ctx)
	err := c.call(ctx, g)
	stop()
	if werr := g.Wait(); err == nil {
		err = werr
	}
	if poor := (poorCall{}); err != nil && !errors.As(err, &poor) {
		return err
	}
	return c.conclude(works, err)
}

// poorCall says what was bad about a call that was made.
type poorCall struct{ error }

func poor(format string, args ...any) error { return poorCall{fmt.Errorf(format, args...)} }

// conclude prints what a user of this machine can and cannot do in a meeting. poor is what was bad about the call,
// nil for nothing.
func (c check) conclude(works map[media.Kind]bool, poor error) error {
	can, cannot, missing := []string{"watch"}, []string(nil), []string(nil)
	for _, d := range []struct {
		kind        media.Kind
		can, cannot string
	}{
		{media.Speaker, "listen", "you hear nobody"},
		{media.Microphone, "speak", "nobody hears you"},
		{media.Camera, "show yourself", "nobody sees you"},
	} {
		if works[d.kind] {
			can = append(can, d.can)
			continue
		}
		cannot, missing = append(cannot, d.cannot), append(missing, "no working "+d.kind.String())
	}
	switch {
	case len(missing) == 0 && poor == nil:
		c.print("\nAll is well.\n")
	case len(missing) > 0 && poor == nil:
		c.print("\nThe call works. You can %s, but %s.\n", list(can), list(cannot))
	case len(missing) > 0:
		c.print("\nThe call is poor. You can %s, but %s.\n", list(can), list(cannot))
	}
	if poor != nil || len(missing) == 0 {
		return poor
	}
	return fmt.Errorf("%w: %s", ErrDevices, list(missing))
}

// list is "a", "a and b", "a, b and c".
func list(items []string) string {
	if n := len(items); n > 1 {
		return strings.Join(items[:n-1], ", ") + " and " + items[n-1]
	}
	return items[0]
}

type check struct{ Config }

// print writes to the report. A failed write does not fail the check.
func (c check) print(format string, args ...any) { _, _ = fmt.Fprintf(c.Out, format, args...) }

func (c check) devices(k media.Kind) {
	list, err := c.Call.Devices.List(k)
	if err != nil {
		c.print("  %-11s cannot be listed: %v\n", k, err)
		return
	}
	if len(list) == 0 {
		c.print("  %-11s none found\n", k)
	}
	for _, d := range list {
		mark := ""
		if d.Default {
			mark = " (default)"
		}
		c.print("  %-11s %s%s\n", k, d.Name, mark)
	}
}

// try opens and closes the device of a kind that a call would use, and reports whether that works.
func (c check) try(k media.Kind) bool {
	var device io.Closer
	var err error
	spec := map[media.Kind]string{media.Camera: c.Call.Camera, media.Microphone: c.Call.Microphone, media.Speaker: c.Call.Speaker}[k]
	switch {
	case spec == media.SpecOff:
		return false
	case k == media.Camera:
		device, err = c.Call.Devices.OpenCamera(spec)
	case k == media.Microphone:
		device, err = c.Call.Devices.OpenMicrophone(spec)
	case k == media.Speaker:
		device, err = c.Call.Devices.OpenSpeaker(spec)
	default: // a screen is opened by a choice, in the meeting
		return true
	}
	if err == nil {
		err = device.Close()
	}
	if err != nil && !errors.Is(err, media.ErrNoDevice) { // that there is none is in the list
		c.print("  %-11s cannot be used: %v\n", "", err)
	}
	return err == nil
}

// call makes the call and prints what one side sees and hears of the other.
func (c check) call(ctx context.Context, g *errgroup.Group) error {
	join := func(name string, cmd call.Command) (*call.Call, error) {
		cfg := c.Call
		cfg.Name, cfg.Server = name, c.Server
		cfg.Camera, cfg.Microphone, cfg.Speaker = media.SpecTest, media.SpecTone, media.SpecOff
		cfg.Sound = call.Sound{Original: true} // a tone is what noise suppression takes out
		cfg.Changed = func(call.State) {}
		side, err := call.New(cfg)
		if err != nil {
			return nil, err
		}
		g.Go(func() error { return side.Run(ctx) })
		side.Do(cmd)
		return side, nil
	}
	a, err := join("check a", call.NewMeeting{Join: true})
	if err != nil {
		return err
	}
	if err := until(ctx, 10*time.Second, func() bool { return a.State().Phase == call.Live }); err != nil {
		return fmt.Errorf("no meeting: %s", firstOf(a.State().Problem.String(), "the server does not answer"))
	}
	begin := time.Now()
	b, err := join("check b", call.Open{Text: a.State().Link, Join: true})
	if err != nil {
		return err
	}
	looker := func(side *call.Call) func() bool {
		return func() bool {
			s := side.State()
			return len(s.Peers) > 0 && bot.Look(side, s.Peers[0].ID, media.Camera, 1280, 720, time.Now()) != nil
		}
	}
	if err := until(ctx, 15*time.Second, looker(b)); err != nil {
		return fmt.Errorf("no picture came: %s", firstOf(b.State().Problem.String(), "the two sides found no path to each other"))
	}
	c.print("  first frame %.2f s after opening the link\n", time.Since(begin).Seconds())

	m := call.NewMeter(b)
	m.Line(time.Now())
	end := time.Now().Add(checkTime)
	see, seen := looker(b), looker(a)
	if err := until(ctx, 2*checkTime, func() bool { see(); seen(); return time.Now().After(end) }); err != nil {
		return err
	}
	return c.judge(m.Line(time.Now()))
}

// judge prints the figures of a call and returns an error if they are bad.
func (c check) judge(l call.Line) error {
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
	c.print("  path        %s, round trip %.1f ms\n", q.Path, rtt)
	c.print("  picture     %dx%d, %.1f fps, %.0f kbit/s, %.0f ms from capture to paint\n",
		q.VideoIn.W, q.VideoIn.H, q.VideoIn.FPS, q.VideoIn.Kbps, latency)
	c.print("  sound       %.0f dB, %.1f %% concealed, %.0f ms buffered\n",
		q.AudioIn.Level, q.AudioIn.Concealed, q.AudioIn.DelayMs)
	c.print("  STUN, TURN  none configured: peers meet on one network or by public addresses\n")
	switch {
	case q.VideoIn.FPS < 15:
		return poor("the picture came at %.1f fps; this machine is too busy for a call", q.VideoIn.FPS)
	case q.AudioIn.Level < -60:
		return poor("no sound came")
	case q.AudioIn.Concealed > 5:
		return poor("the sound broke up: %.1f %% had to be made up", q.AudioIn.Concealed)
	}
	return nil
}

// until polls at a display's rate until done returns true.
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
