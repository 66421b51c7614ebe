package compare

import (
	"image"
	"image/jpeg"
	"os"
	"testing"
	"time"

	"parley/media"
	"parley/media/codec"
	"parley/media/mediatest"
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

// pan moves a camera of w by h pixels over a photograph.
func pan(t testing.TB, photo *media.Frame, w, h, frames int) []*media.Frame {
	clip := make([]*media.Frame, frames)
	for i := range clip {
		clip[i] = resize(t, mediatest.Pan(photo, w, h, float64(i)/30), w, h)
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
