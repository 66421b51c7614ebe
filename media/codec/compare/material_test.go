package compare

import (
	"image"
	"image/jpeg"
	"math"
	"os"
	"testing"
	"time"

	"parley/media"
	"parley/media/codec"
)

// photos are from Debian's mate-backgrounds: a beetle on a leaf, a garden, and sand, in which
// there is much for an encoder to lose.
var photos = []string{"LadyBird", "Garden", "Dune"}

// photo loads a photograph; without it there is nothing to measure.
func photo(t testing.TB, name string) *media.Frame {
	file, err := os.Open("/usr/share/backgrounds/mate/nature/" + name + ".jpg")
	if err != nil {
		t.Skip("no photographs; scripts/setup --test installs them: ", err)
	}
	defer file.Close()
	img, err := jpeg.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	b := img.Bounds()
	rgba := image.NewRGBA(b)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			rgba.Set(x, y, img.At(x, y))
		}
	}
	f := media.NewFrame(b.Dx()&^1, b.Dy()&^1)
	if err := codec.New().Convert(f, media.FormatRGBA, rgba.Pix, rgba.Stride); err != nil {
		t.Fatal(err)
	}
	return f
}

// pan moves a window of w by h pixels over a photograph like a camera in a hand: back and forth at
// 300 pixels a second, with a slower sway up and down.
func pan(t testing.TB, photo *media.Frame, w, h, frames int) []*media.Frame {
	const speed = 300.0
	zoom := min(float64(photo.Width)/float64(2*w), float64(photo.Height)/(1.3*float64(h)))
	cw, ch := int(zoom*float64(w)), int(zoom*float64(h))
	spanX, spanY := float64(photo.Width-cw), float64(photo.Height-ch)
	clip := make([]*media.Frame, frames)
	for i := range clip {
		at := float64(i) / 30
		x := math.Mod(at*speed*zoom, 2*spanX)
		if x > spanX {
			x = 2*spanX - x
		}
		px, py := int(x)&^1, int(spanY/2*(1+math.Sin(at)))&^1
		c := py/2*photo.UVStride + px/2
		part := &media.Frame{
			Width: cw, Height: ch, YStride: photo.YStride, UVStride: photo.UVStride,
			Y: photo.Y[py*photo.YStride+px:], U: photo.U[c:], V: photo.V[c:],
		}
		clip[i] = resize(t, part, w, h)
		clip[i].Captured = time.Unix(0, 0).Add(time.Duration(i) * time.Second / 30)
	}
	return clip
}

func resize(t testing.TB, f *media.Frame, w, h int) *media.Frame {
	out := media.NewFrame(w, h)
	if err := codec.New().Scale(out, f); err != nil {
		t.Fatal(err)
	}
	return out
}
