package bench

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/media"
	"parley/media/call"
	"parley/media/codec"
	"parley/media/mediatest"
	"parley/test/harness"
)

// The quality of a picture is its SSIM against the camera's: of the decoded luma, without colour conversion, at the
// camera's size. A smaller picture is scaled up to that by the same scaler for both products. The camera loops a file,
// so the picture in the file that is most like the received one is the one that was sent.

const (
	qualityEvery = 400 * time.Millisecond // from one picture to the next
	qualityTime  = 10 * time.Second
	// After its rate is steady, a browser takes seconds more to choose a smaller picture.
	qualitySettle = 9 * time.Second
)

// original is the file that a camera loops.
type original struct {
	t     testing.TB
	full  []*media.Frame
	small []*media.Frame
}

const smallW, smallH = 160, 90

func readOriginal(t testing.TB, path string) original {
	t.Helper()
	o := original{t: t, full: mediatest.ReadY4M(t, path)}
	for _, f := range o.full {
		o.small = append(o.small, o.scaled(f, smallW, smallH))
	}
	return o
}

func (o original) scaled(f *media.Frame, w, h int) *media.Frame {
	o.t.Helper()
	if f.Width == w && f.Height == h {
		return f
	}
	dst := media.NewFrame(w, h)
	if err := codec.New().Scale(dst, f); err != nil {
		o.t.Fatal(err)
	}
	return dst
}

// find returns which picture of the file this is. It compares all roughly, and those beside the best exactly.
func (o original) find(pic *media.Frame) int {
	o.t.Helper()
	small := o.scaled(pic, smallW, smallH)
	rough := mostLike(small, o.small, 0, len(o.small))
	return mostLike(o.scaled(pic, o.full[0].Width, o.full[0].Height), o.full, rough-2, rough+3)
}

// mostLike is the index of the picture most like pic among those from first to before end. The file loops.
func mostLike(pic *media.Frame, all []*media.Frame, first, end int) int {
	best, dB := 0, -1.0
	for i := first; i < end; i++ {
		at := (i + len(all)) % len(all)
		if v := mediatest.PSNR(pic, all[at]); v > dB {
			best, dB = at, v
		}
	}
	return best
}

// likeness is the SSIM of a received picture.
func (o original) likeness(pic *media.Frame) float64 {
	o.t.Helper()
	return mediatest.SSIM(o.scaled(pic, o.full[0].Width, o.full[0].Height), o.full[o.find(pic)])
}

// lumaFrame is a frame of these grey values.
func lumaFrame(w, h int, luma []byte) *media.Frame {
	f := media.NewFrame(w, h)
	copy(f.Y, luma)
	for _, plane := range [][]byte{f.U, f.V} {
		for i := range plane {
			plane[i] = 128
		}
	}
	return f
}

// qualities are calls over paths with these capacities, from wide to narrow, so that no product is measured while its
// rate still rises.
var qualities = []scenario{qualityScenario(1000, false), qualityScenario(300, true)}

func qualityScenario(kbps int, quick bool) scenario {
	id := fmt.Sprint(kbps)
	return scenario{
		name: "picture quality at " + id, quick: quick, takes: 40 * time.Second,
		figures: []benchFigure{
			{"ssim" + id, "picture quality at " + id + " kbit/s: SSIM against the source", "", atLeast, 1, []string{"fps" + id}},
			{"fps" + id, "  frame rate there", "fps", shown, 0, nil},
			{"width" + id, "  width there", "px", atLeast, 1, nil},
			{"kbps" + id, "  received there: video", "kbit/s", shown, 0, nil},
		},
		part: &pathPart{"narrow path", false, func(t testing.TB, p onPath) sample {
			p.net.Throttle(kbps)
			time.Sleep(qualitySettle)
			p.film()
			points := watchPath(p.look, qualityTime)
			k := kept(points)
			s := sample{"fps" + id: k["fps"], "width" + id: k["width"], "kbps" + id: rate(points[0], points[len(points)-1])}
			// With too few of them there is no figure.
			if pictures := p.pictures(); len(pictures) >= 20 {
				s["ssim"+id] = medianLikeness(t, pictures)
			}
			return s
		}},
	}
}

// The camera's file is read once, since that takes seconds.
var (
	adaOnce   sync.Once
	adaCamera original
)

func medianLikeness(t testing.TB, pictures []*media.Frame) float64 {
	t.Helper()
	adaOnce.Do(func() { adaCamera = readOriginal(t, harness.Material(t, "person1-720p.y4m")) })
	source := adaCamera
	source.t = t
	var all []float64
	for _, pic := range pictures {
		all = append(all, source.likeness(pic))
	}
	return harness.Quantile(all, 0.5)
}

// chromiumPath makes a call of two pages over a path of their own.
func chromiumPath(t testing.TB) onPath {
	t.Helper()
	n := harness.StartNetwork(t, 0)
	a, b := pathMembers(t, n)
	_, ben := chromiumCall(t, a, b)
	return onPath{
		net:  n,
		look: func() point { return chromiumPoint(ben) },
		film: func() { ben.do(`film("ada", %s)`, qualityEvery.Milliseconds()) },
		pictures: func() []*media.Frame {
			var all []*media.Frame
			for range eval[int](ben, `cut()`) {
				all = append(all, nextPicture(ben))
			}
			return all
		},
	}
}

func nextPicture(c *chromium) *media.Frame {
	c.t.Helper()
	p := eval[struct {
		Width, Height int
		Luma          string
	}](c, `nextPicture()`)
	luma, err := base64.StdEncoding.DecodeString(p.Luma)
	if err != nil {
		c.t.Fatal(err)
	}
	return lumaFrame(p.Width, p.Height, luma)
}

// ourPath is the same call of ours. Ben is a process of this test (TestBenchCameraman), because the bot saves no pictures.
func ourPath(t testing.TB) onPath {
	t.Helper()
	n := harness.StartNetwork(t, 0)
	a, b := pathMembers(t, n)
	ada := startMember(t, "Ada", a, "--new", "--server", startMeetingPlace(t, a.host))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ben := harness.Launch(t, []string{"PARLEY_FILM=" + dir, "PARLEY_FILM_LINK=" + ada.Link(), "PARLEY_FILM_MIC=" + b.mic},
		"ip", "netns", "exec", b.host, self, "-test.run", "^TestBenchCameraman$")
	ben.Name, ben.Stats = "Ben", filepath.Join(dir, "stats")
	ben.Await("is connected", func(l call.Line) bool { return len(l.Peers) == 1 && l.Peers[0].State == "connected" })
	return onPath{
		net:  n,
		look: func() point { return ourPoint(ben) },
		film: func() {
			if err := os.WriteFile(filepath.Join(dir, filming), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		pictures: func() []*media.Frame {
			if err := os.Remove(filepath.Join(dir, filming)); err != nil {
				t.Fatal(err)
			}
			return developed(t, dir)
		},
	}
}

// filming is the file whose presence requests pictures.
const filming = "filming"

// developed reads and removes the pictures in a folder, WxH-number.luma.
func developed(t testing.TB, dir string) []*media.Frame {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.luma"))
	if err != nil {
		t.Fatal(err)
	}
	var all []*media.Frame
	for _, path := range paths {
		luma, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		size, _, _ := strings.Cut(filepath.Base(path), "-")
		w, h, _ := strings.Cut(size, "x")
		width, _ := strconv.Atoi(w)
		height, _ := strconv.Atoi(h)
		all = append(all, lumaFrame(width, height, luma))
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	return all
}
