package e2e

import (
	"fmt"
	"image"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/media"
	"parley/media/bot"
	"parley/media/call"
	"parley/media/codec"
	"parley/media/mediatest"
	"parley/test/harness"
)

// TestE2EPicture compares a tile with the camera's frame, through encoder, connection and decoder, at 640x360 and
// 600 kbit/s.
func TestE2EPicture(t *testing.T) {
	harness.EndToEnd(t)
	const w, h, bitRate = 640, 360, 600_000
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	codecs := &capped{Codecs: codec.New(), bitRate: bitRate, rates: make(map[int]bool)}
	camera := harness.Material(t, "person1.y4m")
	ada := harness.CallInside(t, "Ada", "http://"+addr, func(c *call.Config) { c.Camera, c.Codecs = camera, codecs })
	ada.Do(call.NewMeeting{Join: true})
	harness.AwaitTrue(t, "live", func() bool { return ada.State().Phase == call.Live }, func() string { return ada.State().Problem.String() })
	ben := harness.CallInside(t, "Ben", "", nil)
	ben.Do(call.Open{Text: ada.State().Link, Join: true})

	meter := call.NewMeter(ben)
	var shots []*image.RGBA
	var picture call.LineVideoIn
	last := time.Now()
	harness.AwaitTrue(t, "60 pictures of 640x360", func() bool {
		for _, p := range ben.State().Peers {
			// A copy, because the picture's memory is reused two pictures later.
			if pic := bot.Look(ben, p.ID, media.Camera, w, h, time.Now()); pic != nil && pic.Source == image.Pt(w, h) {
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

	sent, wrong := tiles(t, camera, w, h), tiles(t, harness.Material(t, "person2.y4m"), w, h)
	var right, other []float64
	seen := make(map[int]bool)
	for _, s := range shots[len(shots)-30:] {
		i, dB := harness.Best(s, sent)
		seen[i] = true
		right = append(right, dB)
		_, dB = harness.Best(s, wrong)
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

// tiles are a file's pictures converted for a tile.
func tiles(t testing.TB, path string, w, h int) []*image.RGBA {
	t.Helper()
	var all []*image.RGBA
	for _, f := range mediatest.ReadY4M(t, path) {
		all = append(all, harness.Paint(t, f, w, h))
		f.Release()
	}
	return all
}

// TestE2EWindow checks that a real window shows the other member's moving camera.
func TestE2EWindow(t *testing.T) {
	harness.EndToEnd(t)
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	ada := harness.StartParley(t, "Ada", nil, "bot", "--new", "--server", "http://"+addr, "--camera", harness.Material(t, "person1.y4m"), "--mic", harness.Material(t, "voice1.wav"))
	d := harness.StartDisplay(t)
	ben := harness.StartParley(t, "Ben", d.Env(), "--join", "--camera", "off", "--mic", "tone", "--speaker", "off", ada.Link())
	ben.Await("sees and hears Ada", harness.Meets(1))
	ben.Await("sees 640x360", func(l call.Line) bool { return len(l.Peers) == 1 && l.Peers[0].VideoIn.W == 640 })

	sent, wrong := tiles(t, harness.Material(t, "person1.y4m"), 640, 360), tiles(t, harness.Material(t, "person2.y4m"), 640, 360)
	var moments []int
	harness.AwaitTrue(t, "the window shows three moments of Ada", func() bool {
		shot := harness.Halved(d.Shoot(filepath.Join(t.TempDir(), "window.png")))
		i, dB := bestMiddle(shot, sent)
		_, other := bestMiddle(shot, wrong)
		t.Logf("moment %d: %.1f dB, another person %.1f dB", i, dB, other)
		if dB > 22 && dB > other+6 && !slices.Contains(moments, i) {
			moments = append(moments, i)
		}
		return len(moments) == 3
	}, func() string { return fmt.Sprint("moments ", moments) })
}

// bestMiddle compares only the middle, where a window has no bars and names. It also finds the tile's position: the tile is
// the window without the bottom bar and the margins.
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
	return harness.Best(crop(shot), all)
}

// capped is a codec whose video bit rate is capped, whatever the call asks for.
type capped struct {
	media.Codecs
	bitRate int
	mu      sync.Mutex
	rates   map[int]bool // set on encoders
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
