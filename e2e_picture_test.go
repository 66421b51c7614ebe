package main

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/media"
	"parley/media/call"
	"parley/media/codec"
	"parley/media/device"
	"parley/media/mediatest"
)

// readY4M reads every picture of a file that scripts/material made.
func readY4M(t testing.TB, path string) []*media.Frame {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	header, rest, _ := strings.Cut(string(src), "\n")
	var w, h int
	if _, err := fmt.Sscanf(header, "YUV4MPEG2 W%d H%d", &w, &h); err != nil {
		t.Fatalf("%s: %q: %v", path, header, err)
	}
	var frames []*media.Frame
	for rest != "" {
		_, picture, _ := strings.Cut(rest, "\n")
		f := media.NewFrame(w, h)
		for _, plane := range [][]byte{f.Y, f.U, f.V} {
			picture = picture[copy(plane, picture):]
		}
		frames, rest = append(frames, f), picture
	}
	return frames
}

// paint converts a frame to the pixels of a tile of this size, as the program does.
func paint(t testing.TB, f *media.Frame, w, h int) *image.RGBA {
	t.Helper()
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	if err := codec.New().Paint(dst, f, media.Cover(f.Width, f.Height, w, h), false); err != nil {
		t.Fatal(err)
	}
	return dst
}

// best finds the picture of the set that is most like p: a rough look at all of them, then an
// exact one at the best.
func best(p *image.RGBA, set []*image.RGBA) (index int, dB float64) {
	rough := -1.0
	for i, q := range set {
		if v := mediatest.PSNRImage(p, q, 8); v > rough {
			index, rough = i, v
		}
	}
	for i := max(index-2, 0); i < min(index+3, len(set)); i++ {
		if v := mediatest.PSNRImage(p, set[i], 1); v > dB {
			index, dB = i, v
		}
	}
	return index, dB
}

// capped codes video at no more than a bit rate, whatever the call asks for.
type capped struct {
	media.Codecs
	bitRate int
	mu      sync.Mutex
	rates   map[int]bool // that encoders were told
}

func (c *capped) limit(cfg media.VideoConfig) media.VideoConfig {
	cfg.BitRate = min(cfg.BitRate, c.bitRate)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rates[cfg.BitRate] = true
	return cfg
}

func (c *capped) VideoEncoder(cfg media.VideoConfig) (media.VideoEncoder, error) {
	enc, err := c.Codecs.VideoEncoder(c.limit(cfg))
	return &cappedEncoder{enc, c}, err
}

type cappedEncoder struct {
	media.VideoEncoder
	codecs *capped
}

func (e *cappedEncoder) Configure(cfg media.VideoConfig) error {
	return e.VideoEncoder.Configure(e.codecs.limit(cfg))
}

// callInside runs a call in the test's own process, on real connections.
func callInside(t testing.TB, name, server string, change func(*call.Config)) *call.Call {
	t.Helper()
	devices := device.New(device.Config{Convert: codec.New()})
	cfg := call.Config{
		Name: name, Devices: devices, Codecs: codec.New(), Settings: iceSettings(),
		Camera: media.SpecOff, Microphone: media.SpecOff, Speaker: media.SpecOff, CameraOn: true, MicrophoneOn: true,
		Changed: func(call.State) {}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if server != "" {
		u, err := url.Parse(server)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Server = u
	}
	if change != nil {
		change(&cfg)
	}
	c, err := call.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(name, err)
		}
		devices.Close()
	})
	return c
}

// TestE2EPicture: what a tile shows is the frame that the camera gave, through encoder,
// connection and decoder, at 640x360 and 600 kbit/s.
func TestE2EPicture(t *testing.T) {
	endToEnd(t)
	const w, h, bitRate = 640, 360, 600_000
	_, addr := startRendezvous(t, "127.0.0.1:0")
	codecs := &capped{Codecs: codec.New(), bitRate: bitRate, rates: make(map[int]bool)}
	camera := material(t, "person1.y4m")
	ada := callInside(t, "Ada", "http://"+addr, func(c *call.Config) { c.Camera, c.Codecs = camera, codecs })
	ada.Do(call.NewMeeting{Join: true})
	awaitTrue(t, "live", func() bool { return ada.State().Phase == call.Live }, func() string { return ada.State().Problem })
	ben := callInside(t, "Ben", "", nil)
	ben.Do(call.Open{Text: ada.State().Link, Join: true})

	meter := call.NewMeter(ben)
	var shots []*image.RGBA
	var picture call.LineIn
	last := time.Now()
	awaitTrue(t, "60 pictures of 640x360", func() bool {
		for _, p := range ben.State().Peers {
			// A copy: the picture is only ours until the one after the next.
			if pic := look(ben, p.ID, media.Camera, w, h, time.Now()); pic != nil && pic.Source == image.Pt(w, h) {
				shots = append(shots, &image.RGBA{Pix: slices.Clone(pic.Image.Pix), Stride: pic.Image.Stride, Rect: pic.Image.Rect})
			}
		}
		if time.Since(last) > time.Second {
			last = time.Now()
			if l := meter.Line(last); len(l.Peers) > 0 {
				picture = l.Peers[0].VideoIn
			}
		}
		return len(shots) >= 60
	}, func() string { return fmt.Sprintf("%d pictures, %+v", len(shots), picture) })

	sent, wrong := tiles(t, camera, w, h), tiles(t, material(t, "person2.y4m"), w, h)
	var right, other []float64
	seen := make(map[int]bool)
	for _, s := range shots[len(shots)-30:] {
		i, dB := best(s, sent)
		seen[i] = true
		right = append(right, dB)
		_, dB = best(s, wrong)
		other = append(other, dB)
	}
	slices.Sort(right)
	slices.Sort(other)
	t.Logf("PSNR of 30 pictures: least %.1f, median %.1f dB; to another person's at most %.1f dB; encoder told %v bit/s; received %.0f kbit/s",
		right[0], right[15], other[29], codecs.rates, picture.Kbps)
	if right[15] <= 30 || right[0] <= 27 {
		t.Errorf("PSNR: least %.1f, median %.1f dB; want a median over 30 and none below 27", right[0], right[15])
	}
	if other[29] > 20 {
		t.Errorf("another person's picture is as like as %.1f dB: this test cannot tell", other[29])
	}
	if len(seen) < 10 {
		t.Errorf("30 pictures show only %d moments of the camera: they stand still", len(seen))
	}
}

// tiles are the pictures of a file as a tile shows them.
func tiles(t testing.TB, path string, w, h int) []*image.RGBA {
	t.Helper()
	var all []*image.RGBA
	for _, f := range readY4M(t, path) {
		all = append(all, paint(t, f, w, h))
		f.Release()
	}
	return all
}

// TestE2EWindow: in a real window, the tile of the only other person shows that person's
// camera, moving.
func TestE2EWindow(t *testing.T) {
	endToEnd(t)
	_, addr := startRendezvous(t, "127.0.0.1:0")
	ada := startParley(t, "Ada", nil, "bot", "--new", "--server", "http://"+addr, "--camera", material(t, "person1.y4m"), "--mic", material(t, "voice1.wav"))
	d := startDisplay(t)
	ben := startParley(t, "Ben", d.env(), "--join", "--camera", "off", "--mic", "tone", "--speaker", "off", ada.link())
	ben.await("sees and hears Ada", meets(1))
	ben.await("sees 640x360", func(l call.Line) bool { return len(l.Peers) == 1 && l.Peers[0].VideoIn.W == 640 })

	sent, wrong := tiles(t, material(t, "person1.y4m"), 640, 360), tiles(t, material(t, "person2.y4m"), 640, 360)
	var moments []int
	awaitTrue(t, "the window shows three moments of Ada", func() bool {
		shot := half(d.shoot(filepath.Join(t.TempDir(), "window.png")))
		i, dB := bestMiddle(shot, sent)
		_, other := bestMiddle(shot, wrong)
		t.Logf("moment %d: %.1f dB, another person %.1f dB", i, dB, other)
		if dB > 22 && dB > other+6 && !slices.Contains(moments, i) {
			moments = append(moments, i)
		}
		return len(moments) == 3
	}, func() string { return fmt.Sprint("moments ", moments) })
}

// half makes a picture half as wide and high.
func half(p *image.RGBA) *image.RGBA {
	r := image.NewRGBA(image.Rect(0, 0, p.Rect.Dx()/2, p.Rect.Dy()/2))
	for y := range r.Rect.Dy() {
		for x := range r.Rect.Dx() {
			for c := range 4 {
				a := 2*y*p.Stride + 8*x + c
				r.Pix[y*r.Stride+4*x+c] = uint8((int(p.Pix[a]) + int(p.Pix[a+4]) + int(p.Pix[a+p.Stride]) + int(p.Pix[a+p.Stride+4])) / 4)
			}
		}
	}
	return r
}

// bestMiddle compares only the middle, where a window has neither bars nor names, and finds where
// the tile lies: its size differs from the window's by the bar below and the margins.
func bestMiddle(shot *image.RGBA, set []*image.RGBA) (index int, dB float64) {
	middle := func(p *image.RGBA) *image.RGBA { return p.SubImage(image.Rect(160, 60, 480, 240)).(*image.RGBA) }
	crop := func(p *image.RGBA) *image.RGBA {
		m := middle(p)
		return &image.RGBA{Pix: m.Pix, Stride: m.Stride, Rect: image.Rect(0, 0, 320, 180)}
	}
	var all []*image.RGBA
	for _, p := range set {
		all = append(all, crop(p))
	}
	return best(crop(shot), all)
}

// readPNG reads a picture into plain RGBA.
func readPNG(t testing.TB, path string) *image.RGBA {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	src, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	dst := image.NewRGBA(image.Rect(0, 0, src.Bounds().Dx(), src.Bounds().Dy()))
	for y := range dst.Rect.Dy() {
		for x := range dst.Rect.Dx() {
			dst.Set(x, y, src.At(x, y))
		}
	}
	return dst
}
