package vpx

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"parley/media"
	"parley/media/mediatest"
)

// TestRate checks that what comes out within any 5 s, dropped frames included, is within 15%
// of what was asked for in those 5 s: from the first frame on, and across changes.
func TestRate(t *testing.T) {
	type step struct {
		seconds, kbps int
	}
	tests := []struct {
		w, h  int
		fps   float64
		steps []step
	}{
		{320, 180, 15, []step{{10, 100}, {8, 250}, {8, 60}, {8, 150}}},
		{640, 360, 30, []step{{8, 600}, {8, 200}, {8, 1500}, {8, 600}}},
		{1280, 720, 30, []step{{6, 1500}, {6, 500}, {6, 2500}}},
		{960, 540, 24, []step{{8, 800}, {2, 300}, {2, 1200}, {8, 700}}},
		{640, 360, 60, []step{{8, 1000}, {8, 400}}},
	}
	for _, codec := range []media.Codec{media.VP8, media.VP9} {
		for i, tt := range tests {
			if testing.Short() && (i > 0 || codec != media.VP8) {
				break
			}
			t.Run(fmt.Sprintf("%s %dx%d@%.0f", codec, tt.w, tt.h, tt.fps), func(t *testing.T) {
				t.Parallel()
				cam := mediatest.NewCamera(t, tt.w, tt.h, tt.fps)
				cfg := media.VideoConfig{Codec: codec, Width: tt.w, Height: tt.h, FrameRate: tt.fps}
				var sent, asked []float64 // bits, a frame
				var e media.VideoEncoder
				dropped, n := 0, 0
				for _, s := range tt.steps {
					cfg.BitRate = s.kbps * 1000
					e = configure(t, e, cfg)
					for range int(float64(s.seconds) * tt.fps) {
						f := cam.At(n)
						p := encode(t, e, f, n == 0)
						f.Release()
						n++
						asked = append(asked, float64(cfg.BitRate)/tt.fps)
						if p == nil {
							dropped++
							sent = append(sent, 0)
							continue
						}
						sent = append(sent, float64(8*len(p.Data)))
					}
				}
				worst, at := worstWindow(sent, asked, int(5*tt.fps))
				t.Logf("worst 5 s: %+.1f%% at %.1f s; %d of %d frames dropped", 100*worst, float64(at)/tt.fps, dropped, n)
				if worst > 0.15 || worst < -0.15 {
					t.Errorf("5 s from %.1f s: rate is off by %+.1f%%", float64(at)/tt.fps, 100*worst)
				}
			})
		}
	}
}

// worstWindow slides over n frames and returns the largest relative difference.
func worstWindow(sent, asked []float64, n int) (worst float64, at int) {
	var s, a float64
	for i := range sent {
		s, a = s+sent[i], a+asked[i]
		if i < n-1 {
			continue
		}
		if d := s/a - 1; d*d > worst*worst {
			worst, at = d, i+1-n
		}
		s, a = s-sent[i+1-n], a-asked[i+1-n]
	}
	return worst, at
}

func configure(t testing.TB, e media.VideoEncoder, cfg media.VideoConfig) media.VideoEncoder {
	t.Helper()
	if e != nil {
		if err := e.Configure(cfg); err != nil {
			t.Fatal(err)
		}
		return e
	}
	e, err := NewEncoder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func encode(t testing.TB, e media.VideoEncoder, f *media.Frame, key bool) *media.Packet {
	t.Helper()
	p, err := e.Encode(f, key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPicture checks what a remote tile must show: above 30 dB at 640x360 and 600 kbit/s,
// in every frame but the very first ones, of a detailed photograph that always moves.
func TestPicture(t *testing.T) {
	for _, codec := range []media.Codec{media.VP8, media.VP9} {
		t.Run(string(codec), func(t *testing.T) {
			cam := mediatest.NewCamera(t, 640, 360, 30)
			e := configure(t, nil, media.VideoConfig{Codec: codec, Width: 640, Height: 360, BitRate: 600_000, FrameRate: 30})
			d := openDecoder(t, codec)
			sum, lowest, n := 0.0, 99.0, 150
			if testing.Short() {
				n = 30
			}
			for i := range n {
				f := cam.At(i)
				p := encode(t, e, f, false)
				if p == nil {
					t.Fatalf("frame %d was dropped", i)
				}
				if p.Width != 640 || p.Height != 360 || p.Codec != codec || !p.Captured.Equal(f.Captured) || p.Key != (i == 0) {
					t.Fatalf("packet %d says %+v", i, *p)
				}
				db := mediatest.PSNR(f, decode(t, d, p.Data))
				f.Release()
				sum, lowest = sum+db, min(lowest, db)
			}
			t.Logf("PSNR %.1f dB mean, %.1f dB lowest", sum/float64(n), lowest)
			if sum/float64(n) < 30 || lowest < 28 {
				t.Errorf("PSNR %.1f dB mean, %.1f dB lowest", sum/float64(n), lowest)
			}
		})
	}
}

// TestChangeWhileRunning changes each setting of a running encoder, also to sizes that
// libvpx finds awkward, and checks that every packet decodes to the size asked for.
func TestChangeWhileRunning(t *testing.T) {
	base := media.VideoConfig{Width: 640, Height: 360, BitRate: 600_000, FrameRate: 30}
	changes := []struct {
		name string
		key  bool // starts with a keyframe
		do   func(*media.VideoConfig)
	}{
		{"nothing", false, func(*media.VideoConfig) {}},
		{"bit rate", false, func(c *media.VideoConfig) { c.BitRate = 200_000 }},
		{"bit rate below the least", false, func(c *media.VideoConfig) { c.BitRate = -5 }},
		{"enormous bit rate", false, func(c *media.VideoConfig) { c.BitRate = 1 << 40 }},
		{"frame rate", false, func(c *media.VideoConfig) { c.FrameRate = 15 }},
		{"no frame rate", false, func(c *media.VideoConfig) { c.FrameRate = 0 }},
		{"speed", false, func(c *media.VideoConfig) { c.Speed = 9 }},
		{"more speed than there is", false, func(c *media.VideoConfig) { c.Speed = 99 }},
		{"screen", false, func(c *media.VideoConfig) { c.Screen = true }},
		{"threads", true, func(c *media.VideoConfig) { c.Threads = 2 }},
		{"more threads than sense", true, func(c *media.VideoConfig) { c.Threads = 1000 }},
		{"smaller", true, func(c *media.VideoConfig) { c.Width, c.Height = 320, 180 }},
		{"larger", true, func(c *media.VideoConfig) { c.Width, c.Height = 1280, 720 }},
		{"odd", true, func(c *media.VideoConfig) { c.Width, c.Height = 333, 187 }},
		{"dot", true, func(c *media.VideoConfig) { c.Width, c.Height = 1, 1 }},
		{"column", true, func(c *media.VideoConfig) { c.Width, c.Height = 3, 500 }},
		{"widest", true, func(c *media.VideoConfig) { c.Width, c.Height = media.MaxDimension, 17 }},
		{"portrait", true, func(c *media.VideoConfig) { c.Width, c.Height = 360, 640 }},
	}
	for _, codec := range []media.Codec{media.VP8, media.VP9} {
		if testing.Short() && codec != media.VP8 {
			continue
		}
		t.Run(string(codec), func(t *testing.T) {
			cam := mediatest.NewCamera(t, 640, 360, 30)
			base.Codec = codec
			e := configure(t, nil, base)
			d := openDecoder(t, codec)
			n := 0
			frames := func(cfg media.VideoConfig, what string, key bool) {
				t.Helper()
				for i := range 4 {
					f := cam.At(n)
					n++
					p := encode(t, e, f, false)
					f.Release()
					if i == 0 && (p == nil && key || p != nil && p.Key != key) {
						t.Fatalf("%s: first packet: %+v, keyframe wanted: %t", what, p, key)
					}
					if p == nil {
						continue
					}
					out := decode(t, d, p.Data)
					if out.Width != cfg.Width || out.Height != cfg.Height {
						t.Fatalf("%s: decoded %dx%d, want %dx%d", what, out.Width, out.Height, cfg.Width, cfg.Height)
					}
				}
			}
			frames(base, "start", true)
			for _, c := range changes {
				cfg := base
				c.do(&cfg)
				configure(t, e, cfg)
				frames(cfg, c.name, c.key)
				configure(t, e, base)
				frames(base, "back from "+c.name, c.key)
			}
		})
	}
}

func TestRefusedConfig(t *testing.T) {
	good := media.VideoConfig{Codec: media.VP8, Width: 64, Height: 48, BitRate: 100_000, FrameRate: 30}
	bad := map[string]func(*media.VideoConfig){
		"codec":     func(c *media.VideoConfig) { c.Codec = "H264" },
		"no codec":  func(c *media.VideoConfig) { c.Codec = "" },
		"no width":  func(c *media.VideoConfig) { c.Width = 0 },
		"no height": func(c *media.VideoConfig) { c.Height = -3 },
		"too wide":  func(c *media.VideoConfig) { c.Width = media.MaxDimension + 1 },
		"too high":  func(c *media.VideoConfig) { c.Height = media.MaxDimension + 1 },
	}
	e := configure(t, nil, good)
	for name, do := range bad {
		cfg := good
		do(&cfg)
		if _, err := NewEncoder(cfg); !errors.Is(err, media.ErrFormat) {
			t.Errorf("%s: new: %v", name, err)
		}
		if err := e.Configure(cfg); !errors.Is(err, media.ErrFormat) {
			t.Errorf("%s: configure: %v", name, err)
		}
	}
	cfg := good
	cfg.Codec = media.VP9
	if err := e.Configure(cfg); !errors.Is(err, media.ErrFormat) {
		t.Errorf("another codec: %v", err)
	}
	f := media.NewFrame(64, 48)
	if encode(t, e, f, false) == nil {
		t.Error("a refused configuration stopped the encoder")
	}
	f.U = f.U[:10]
	if _, err := e.Encode(f, false); !errors.Is(err, media.ErrFormat) {
		t.Errorf("short plane: %v", err)
	}
	e.Close()
	if _, err := e.Encode(media.NewFrame(64, 48), false); err == nil {
		t.Error("closed encoder encodes")
	}
}

// TestKeyframe checks that a requested keyframe comes at once and needs nothing before it.
func TestKeyframe(t *testing.T) {
	for _, codec := range []media.Codec{media.VP8, media.VP9} {
		cam := mediatest.NewCamera(t, 640, 360, 30)
		e := configure(t, nil, media.VideoConfig{Codec: codec, Width: 640, Height: 360, BitRate: 300_000, FrameRate: 30})
		for i := range 40 {
			f := cam.At(i)
			p := encode(t, e, f, i%10 == 7)
			if want := i == 0 || i%10 == 7; p == nil && want || p != nil && p.Key != want {
				t.Fatalf("%s frame %d: %+v, keyframe wanted: %t", codec, i, p, want)
			}
			if i%10 == 7 {
				if db := mediatest.PSNR(f, decode(t, openDecoder(t, codec), p.Data)); db < 25 {
					t.Errorf("%s keyframe %d alone: %.1f dB", codec, i, db)
				}
			}
		}
	}
}

// TestClock gives the encoder times that no camera should, and checks that it goes on and
// does not spend the bits of a pause at once.
func TestClock(t *testing.T) {
	for _, codec := range []media.Codec{media.VP8, media.VP9} {
		cam := mediatest.NewCamera(t, 640, 360, 30)
		e := configure(t, nil, media.VideoConfig{Codec: codec, Width: 640, Height: 360, BitRate: 600_000, FrameRate: 30})
		for i := range 60 {
			encode(t, e, cam.At(i), false)
		}
		odd := []time.Time{{}, mediatest.Epoch, mediatest.Epoch, mediatest.Epoch.Add(-time.Hour), mediatest.Epoch.Add(time.Hour), {}, mediatest.Epoch.Add(1000 * time.Hour)}
		for i, captured := range odd {
			f := cam.At(60 + i)
			f.Captured = captured
			p := encode(t, e, f, false)
			if p == nil {
				continue
			}
			if mean := 600_000 / 30 / 8; len(p.Data) > 8*mean {
				t.Errorf("%s at %v: a frame of %d bytes, %d times the mean", codec, captured, len(p.Data), len(p.Data)/mean)
			}
		}
	}
}

// TestJitter checks that frames at uneven times cost the same as at even ones, and that a
// camera at half its nominal frame rate still gets the whole bit rate.
func TestJitter(t *testing.T) {
	const kbps = 600
	seconds := time.Duration(20)
	if testing.Short() {
		seconds = 4
	}
	rhythms := map[string][]time.Duration{ // ms
		"even":   {33},
		"uneven": {10, 56},
		"burst":  {1, 1, 1, 130},
		"slow":   {67},
	}
	for _, codec := range []media.Codec{media.VP8, media.VP9} {
		for name, rhythm := range rhythms {
			if testing.Short() && name != "uneven" {
				continue
			}
			cam := mediatest.NewCamera(t, 320, 180, 30)
			e := configure(t, nil, media.VideoConfig{Codec: codec, Width: 320, Height: 180, BitRate: kbps * 1000, FrameRate: 30})
			bytes, largest := 0, 0
			var clock time.Duration
			for i := 0; clock < seconds*time.Second; i++ {
				clock += rhythm[i%len(rhythm)] * time.Millisecond
				f := cam.At(i)
				f.Captured = mediatest.Epoch.Add(clock)
				if p := encode(t, e, f, false); p != nil {
					bytes, largest = bytes+len(p.Data), max(largest, len(p.Data))
				}
				f.Release()
			}
			rate := float64(bytes) * 8 / clock.Seconds() / 1000
			t.Logf("%s %s: %.0f kbit/s, largest frame %d bytes", codec, name, rate, largest)
			if rate < 0.85*kbps || rate > 1.15*kbps {
				t.Errorf("%s %s: %.0f kbit/s, asked for %d", codec, name, rate, kbps)
			}
		}
	}
}

func openDecoder(t testing.TB, codec media.Codec) media.VideoDecoder {
	t.Helper()
	d, err := NewDecoder(codec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func decode(t testing.TB, d media.VideoDecoder, data []byte) *media.Frame {
	t.Helper()
	f, err := d.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if f == nil {
		t.Fatal("decoder shows nothing")
	}
	return f
}

func BenchmarkEncode(b *testing.B) {
	for _, codec := range []media.Codec{media.VP8, media.VP9} {
		for _, s := range []struct{ w, h, kbps int }{{640, 360, 600}, {1280, 720, 1500}} {
			b.Run(fmt.Sprintf("%s/%dx%d", codec, s.w, s.h), func(b *testing.B) {
				frames := clip(b, s.w, s.h)
				e := configure(b, nil, media.VideoConfig{Codec: codec, Width: s.w, Height: s.h, BitRate: s.kbps * 1000, FrameRate: 30})
				for i := 0; b.Loop(); i++ {
					encode(b, e, frames[i%len(frames)], false)
				}
			})
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, codec := range []media.Codec{media.VP8, media.VP9} {
		b.Run(string(codec)+"/1280x720", func(b *testing.B) {
			packets := stream(b, codec, 1280, 720, 30)
			d := openDecoder(b, codec)
			for i := 0; b.Loop(); i++ {
				decode(b, d, packets[i%len(packets)])
			}
		})
	}
}

// clip is a second there and back, so that it has no cut where it begins again. It has no
// times, so that the encoder takes it for an even 30 frames a second.
func clip(t testing.TB, w, h int) []*media.Frame {
	cam := mediatest.NewCamera(t, w, h, 30)
	var frames []*media.Frame
	for i := range 15 {
		f := cam.At(i)
		f.Captured = time.Time{}
		frames = append(frames, f)
	}
	for i := 14; i >= 0; i-- {
		frames = append(frames, frames[i])
	}
	return frames
}
