package harness

import (
	"image"
	"testing"

	"parley/media"
	"parley/media/codec"
	"parley/media/mediatest"
)

// Paint converts a frame to the pixels of a tile of this size, as the program does.
func Paint(t testing.TB, f *media.Frame, w, h int) *image.RGBA {
	t.Helper()
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	if err := codec.New().Paint(dst, f, media.Cover(f.Width, f.Height, w, h), false); err != nil {
		t.Fatal(err)
	}
	return dst
}

// Best finds the picture of the set that is most similar to p. It compares all of them roughly, then the best ones exactly.
func Best(p *image.RGBA, set []*image.RGBA) (index int, dB float64) {
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

// Halved returns the picture at half its width and height.
func Halved(p *image.RGBA) *image.RGBA {
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
