package mediatest

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"

	"parley/media"
)

// TestQuality compares PSNR and SSIM with values calculated by hand.
func TestQuality(t *testing.T) {
	a, b := media.NewFrame(64, 48), media.NewFrame(64, 48)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range a.Y {
		a.Y[i] = byte(100 + rng.IntN(40))
	}
	copy(b.Y, a.Y)
	if p, s := PSNR(a, b), SSIM(a, b); p != Equal || math.Abs(s-1) > 1e-9 {
		t.Errorf("equal pictures: PSNR %v, SSIM %v", p, s)
	}
	// A step in brightness leaves the structure: 10 of 255 are 28.13 dB.
	for i := range b.Y {
		b.Y[i] = a.Y[i] + 10
	}
	if p, s := PSNR(a, b), SSIM(a, b); math.Abs(p-28.13) > 0.01 || s < 0.98 || s >= 1 {
		t.Errorf("brighter: PSNR %v, SSIM %v", p, s)
	}
	// A flat picture has no structure: of SSIM's second factor only the constant is left.
	for i := range b.Y {
		b.Y[i] = 120
	}
	if s := SSIM(a, b); s < 0.1 || s > 0.4 {
		t.Errorf("flat: SSIM %v", s)
	}
	for i := range b.Y {
		b.Y[i] = byte(100 + rng.IntN(40))
	}
	if s := SSIM(a, b); math.Abs(s) > 0.3 {
		t.Errorf("unrelated: SSIM %v", s)
	}
}

func TestPSNRImage(t *testing.T) {
	a, b := image.NewRGBA(image.Rect(0, 0, 8, 6)), image.NewRGBA(image.Rect(0, 0, 8, 6))
	for i := range a.Pix {
		a.Pix[i], b.Pix[i] = 100, 100
		if i%4 == 3 {
			b.Pix[i] = 255 // alpha does not count
		}
	}
	if p := PSNRImage(a, b, 1); p != Equal {
		t.Errorf("equal pictures: %v", p)
	}
	for i := range b.Pix {
		b.Pix[i] = 110
	}
	b.SetRGBA(1, 1, color.RGBA{}) // between the rows and columns that are looked at
	if p := PSNRImage(a, b, 2); math.Abs(p-28.13) > 0.01 {
		t.Errorf("brighter: %v", p)
	}
}
