package pipe_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"parley/assets"
	"parley/media"
	"parley/media/codec"
	"parley/media/mediatest"
	"parley/media/pipe"
)

// page is a screen full of small text in several colours, as an editor shows it; n makes
// another one of it.
func page(t testing.TB, w, h, n int) *media.Frame {
	t.Helper()
	data, err := assets.Fonts.ReadFile("fonts/Inter-Regular.otf")
	if err != nil {
		t.Fatal(err)
	}
	inter, err := opentype.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	face, err := opentype.NewFace(inter, &opentype.FaceOptions{Size: 13, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		t.Fatal(err)
	}
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(img, img.Rect, image.White, image.Point{}, draw.Src)
	inks := []color.Color{color.Black, color.RGBA{0x9a, 0x20, 0x20, 255}, color.RGBA{0x10, 0x50, 0xb0, 255}, color.RGBA{0x10, 0x70, 0x30, 255}}
	for line := range h / 18 {
		d := font.Drawer{Dst: img, Src: image.NewUniform(inks[(line*7+n)%len(inks)]), Face: face, Dot: fixed.P(12+line%5*16, 18*line+14)}
		d.DrawString(fmt.Sprintf("%4d  func (s State) next%d(ev Event) (State, []Effect) { return s.with(ev.ID, %d*Reconnecting), nil } // as before", line, n, line*line))
	}
	f := media.NewFrame(w, h)
	if err := codec.New().Convert(f, media.FormatRGBA, img.Pix, img.Stride); err != nil {
		t.Fatal(err)
	}
	return f
}

// slides is a screen that shows what comes through the channel, and stands still between.
type slides chan *media.Frame

func (slides) Info() media.VideoInfo { return media.VideoInfo{} }
func (slides) Close() error          { return nil }

func (s slides) Run(ctx context.Context, emit func(*media.Frame)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case f := <-s:
			f.Captured = time.Now()
			emit(f)
		}
	}
}

// viewer decodes what a sender sends.
type viewer struct {
	t     testing.TB
	dec   media.VideoDecoder
	start time.Time

	mu      sync.Mutex
	want    *media.Frame
	packets int
	dB      float64 // of the newest picture against want
}

// seen is how many pictures there were, and how good the newest is.
func (v *viewer) seen() (packets int, dB float64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.packets, v.dB
}

// expect has the pictures from now on compared with another one.
func (v *viewer) expect(f *media.Frame) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.want = f
}

func view(t testing.TB, want *media.Frame) *viewer {
	t.Helper()
	dec, err := codec.New().VideoDecoder(media.VP8)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dec.Close() })
	return &viewer{t: t, dec: dec, want: want, start: time.Now()}
}

func (v *viewer) take(p *media.Packet) {
	f, err := v.dec.Decode(p.Data)
	if err != nil || f == nil {
		v.t.Errorf("decode: %v, %v", f, err)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.packets, v.dB = v.packets+1, mediatest.PSNR(f, v.want)
	v.t.Logf("%4d ms: %6d bytes, key %-5v %.1f dB", time.Since(v.start).Milliseconds(), len(p.Data), p.Key, v.dB)
}

// pause lets a sender work for a while.
func pause(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// How good a text is, in dB.
const (
	readable = 35
	enough   = 40 // nobody tells it from the original
)

func TestStillScreenGetsSharp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := page(t, 1280, 720, 0), page(t, 1280, 720, 1)
		s := pipe.NewVideoSender(codec.New(), nil, quiet)
		s.SetLimits(pipe.VideoLimits{FrameRate: 15, Screen: true})
		path := pipe.VideoWant{BitRate: 3_000_000}
		v := view(t, first)
		u := s.Subscribe(path, v.take)
		defer u.Cancel()
		src := make(slides)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx, src) }()
		src <- first
		pause(time.Second)
		if _, dB := v.seen(); dB < enough {
			t.Errorf("after a second it is at %.1f dB", dB)
		}
		// Then it costs nothing.
		pause(3 * time.Second)
		n, _ := v.seen()
		pause(time.Minute)
		if now, _ := v.seen(); now != n {
			t.Errorf("%d packets of a picture that is as good as it gets", now-n)
		}
		// Who joins late sees the same at once, with nothing new captured.
		late := view(t, first)
		defer s.Subscribe(path, late.take).Cancel()
		pause(200 * time.Millisecond)
		if n, dB := late.seen(); n == 0 || dB < readable {
			t.Errorf("a late joiner has %d pictures, the newest of %.1f dB", n, dB)
		}
		pause(time.Second)
		if _, dB := late.seen(); dB < enough {
			t.Errorf("a late joiner has %.1f dB after a second", dB)
		}
		// A new page starts anew.
		v.expect(second)
		late.expect(second)
		src <- second
		pause(time.Second)
		if n, dB := v.seen(); dB < enough {
			t.Errorf("the second page is at %.1f dB after a second, with %d pictures", dB, n)
		}
		// A keyframe that somebody asks for comes without a new picture too.
		n, _ = v.seen()
		u.RequestKeyframe()
		pause(2 * time.Second)
		if now, dB := v.seen(); now == n || dB < enough {
			t.Errorf("%d pictures after a keyframe was asked for, %.1f dB", now-n, dB)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
