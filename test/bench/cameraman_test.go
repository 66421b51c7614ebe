package bench

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"parley/media"
	"parley/media/bot"
	"parley/media/call"
	"parley/media/codec"
	"parley/test/harness"
)

// TestBenchCameraman is not a test. It is the process of filmOurs, which may be in a network namespace. It joins a call
// as a bot does, and writes decoded pictures and statistics to a folder.
func TestBenchCameraman(t *testing.T) {
	dir := os.Getenv("PARLEY_FILM")
	if dir == "" {
		t.Skip("make bench starts this")
	}
	ben := harness.CallInside(t, "Ben", "", func(c *call.Config) {
		c.Codecs, c.Microphone = &filmed{Codecs: codec.New(), dir: dir}, os.Getenv("PARLEY_FILM_MIC")
	})
	ben.Do(call.Open{Text: os.Getenv("PARLEY_FILM_LINK"), Join: true})
	stats, err := os.Create(filepath.Join(dir, "stats"))
	if err != nil {
		t.Fatal(err)
	}
	defer stats.Close()
	meter, enc := call.NewMeter(ben), json.NewEncoder(stats)
	last := time.Now()
	for now := range time.Tick(time.Second / 60) { // until the process is killed
		for _, p := range ben.State().Peers {
			bot.Look(ben, p.ID, media.Camera, 1280, 720, now)
		}
		if now.Sub(last) >= time.Second {
			last = now
			if err := enc.Encode(meter.Line(now)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// filmed saves a decoded picture from time to time.
type filmed struct {
	media.Codecs
	dir string
}

func (f *filmed) VideoDecoder(c media.Codec) (media.VideoDecoder, error) {
	dec, err := f.Codecs.VideoDecoder(c)
	return &filmedDecoder{VideoDecoder: dec, dir: f.dir}, err
}

type filmedDecoder struct {
	media.VideoDecoder
	dir  string
	next time.Time
}

func (d *filmedDecoder) Decode(data []byte) (*media.Frame, error) {
	f, err := d.VideoDecoder.Decode(data)
	if now := time.Now(); err == nil && f != nil && now.After(d.next) {
		d.next = now.Add(qualityEvery)
		if _, no := os.Stat(filepath.Join(d.dir, filming)); no == nil {
			err = d.keep(f, now)
		}
	}
	return f, err
}

// keep writes the luma under a name that developed understands, and only when it is whole.
func (d *filmedDecoder) keep(f *media.Frame, now time.Time) error {
	luma := make([]byte, 0, f.Width*f.Height)
	for y := range f.Height {
		luma = append(luma, f.Y[y*f.YStride:][:f.Width]...)
	}
	path := filepath.Join(d.dir, fmt.Sprintf("%dx%d-%d.luma", f.Width, f.Height, now.UnixMilli()))
	if err := os.WriteFile(path+".part", luma, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

// TestLikeness checks that the measure finds a picture's original in the file, also if the picture is smaller or worse.
// It is 1 for an equal picture, and less for a worse one.
func TestLikeness(t *testing.T) {
	if testing.Short() {
		t.Skip("seconds of arithmetic")
	}
	o := readOriginal(t, harness.Material(t, "person1-720p.y4m"))
	for _, i := range []int{0, 1, 37, len(o.full) - 1} {
		f := o.full[i]
		worse := []*media.Frame{f, o.scaled(o.scaled(f, 960, 540), 1280, 720), o.scaled(f, 640, 360), o.scaled(f, 320, 180)}
		before := 1.1
		for _, pic := range worse {
			found, like := o.find(pic), o.likeness(pic)
			t.Logf("picture %d at %dx%d: found %d, SSIM %.4f", i, pic.Width, pic.Height, found, like)
			if found != i {
				t.Errorf("picture %d is taken for %d", i, found)
			}
			if like >= before {
				t.Errorf("picture %d: SSIM %.4f for a worse one, %.4f for a better one", i, like, before)
			}
			before = like
		}
		if like := o.likeness(f); like < 1-1e-9 {
			t.Errorf("picture %d is like itself by %.6f, want 1", i, like)
		}
	}
	noise := lumaFrame(1280, 720, nil)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise.Y {
		noise.Y[i] = byte(rng.IntN(256))
	}
	if like := o.likeness(noise); like > 0.1 {
		t.Errorf("noise is like the camera by %.3f", like)
	}
}
