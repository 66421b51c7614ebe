//go:build linux

package x11_test

import (
	"context"
	"image"
	"syscall"
	"testing"
	"time"

	"github.com/jezek/xgb/xproto"

	"parley/media"
	"parley/media/codec"
	"parley/media/device/x11"
	"parley/media/pipe"
)

// cpuTime is what this process has used of the processor, in user and system mode.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkScreen is the CPU time of sharing and encoding 2560x1440, in percent of a core: a still screen, one with a
// caret that blinks twice a second, and one that scrolls at 15 frames a second. It leaves out the display server's.
func BenchmarkScreen(b *testing.B) {
	for _, c := range []struct {
		name string
		draw func(p *program, w xproto.Window, n int)
		wait time.Duration
	}{
		{"still", nil, time.Second},
		{"caret", func(p *program, w xproto.Window, n int) {
			p.fill(w, image.Rect(700, 500, 702, 516), []uint32{white, black}[n%2])
		}, 500 * time.Millisecond},
		{"scroll", func(p *program, w xproto.Window, n int) {
			p.must(xproto.CopyAreaChecked(p.c, xproto.Drawable(w), xproto.Drawable(w), p.gc, 0, 24, 0, 0, 2560, 1416))
			p.fill(w, image.Rect(0, 1416, 2560, 1440), white)
			for x := 20 + n*37%200; x < 2400; x += 17 + n*x%23 {
				p.fill(w, image.Rect(x, 1420, x+9, 1434), black)
			}
		}, time.Second / 15},
	} {
		b.Run(c.name, func(b *testing.B) {
			startX(b, "2560x1440x24")
			p := startProgram(b)
			w := p.window(image.Rect(-3, -3, 2560, 1440), white, "page")
			for n := range 60 {
				p.fill(w, image.Rect(0, n*24, 2560, n*24+24), white)
				for x := 20 + n*37%200; x < 2400; x += 17 + n*x%23 {
					p.fill(w, image.Rect(x, n*24+4, x+9, n*24+18), black)
				}
			}
			m := x11.New(codec.New())
			defer m.Close()
			s := pipe.NewVideoSender(codec.New(), nil, quiet)
			s.SetLimits(pipe.VideoLimits{FrameRate: 15, Screen: true})
			bytes := 0
			s.Subscribe(pipe.VideoWant{BitRate: 4_000_000}, func(p *media.Packet) { bytes += len(p.Data) })
			src, err := m.OpenScreen("screen:0", media.ScreenOptions{Pointer: true})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx, src) }()
			time.Sleep(4 * time.Second) // until it is sharp
			before, began := s.Stats(), time.Now()
			cpu := cpuTime(b)
			for n := range b.N {
				if c.draw != nil {
					c.draw(p, w, n)
				}
				time.Sleep(c.wait)
			}
			used, took := cpuTime(b)-cpu, time.Since(began)
			after := s.Stats()
			cancel()
			if err := <-done; err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(100*used.Seconds()/took.Seconds(), "%core")
			b.ReportMetric(float64(after.Frames-before.Frames)/took.Seconds(), "frames/s")
			b.ReportMetric(float64(after.Bytes-before.Bytes)*8/1000/took.Seconds(), "kbit/s")
		})
	}
}
