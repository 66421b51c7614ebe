package yuv_test

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"

	"parley/media"
	"parley/media/codec/yuv"
	"parley/media/mediatest"
)

// reference is Paint by arithmetic: for each pixel of dst the mean of crop under it.
func reference(dst *image.RGBA, f *media.Frame, crop image.Rectangle, mirror bool) {
	w, h := dst.Rect.Dx(), dst.Rect.Dy()
	for y := range h {
		for x := range w {
			x0, x1 := crop.Min.X+x*crop.Dx()/w, crop.Min.X+(x+1)*crop.Dx()/w
			y0, y1 := crop.Min.Y+y*crop.Dy()/h, crop.Min.Y+(y+1)*crop.Dy()/h
			var sy, su, sv, n float64
			for j := y0; j < max(y1, y0+1); j++ {
				for i := x0; i < max(x1, x0+1); i++ {
					sy += float64(f.Y[j*f.YStride+i])
					su += float64(f.U[j/2*f.UVStride+i/2])
					sv += float64(f.V[j/2*f.UVStride+i/2])
					n++
				}
			}
			yy, u, v := 1.164383*(sy/n-16), su/n-128, sv/n-128
			clamp := func(v float64) uint8 { return uint8(min(max(v+0.5, 0), 255)) }
			at := x
			if mirror {
				at = w - 1 - x
			}
			dst.SetRGBA(dst.Rect.Min.X+at, dst.Rect.Min.Y+y, color.RGBA{
				clamp(yy + 1.596027*v), clamp(yy - 0.391762*u - 0.812968*v), clamp(yy + 2.017232*u), 255,
			})
		}
	}
}

func TestPaint(t *testing.T) {
	full := mediatest.NewCamera(t, 640, 360, 30).At(3)
	odd := mediatest.NewCamera(t, 641, 359, 30).At(3)
	tests := []struct {
		name   string
		f      *media.Frame
		crop   image.Rectangle
		w, h   int
		mirror bool
		limit  float64 // mean error of brightness, of 255
	}{
		{"same size", full, full.Bounds(), 640, 360, false, 2},
		{"mirrored", full, full.Bounds(), 640, 360, true, 2},
		{"third", full, full.Bounds(), 213, 120, false, 3},
		{"half, mirrored", full, full.Bounds(), 320, 180, true, 3},
		{"nearly the same", full, full.Bounds(), 600, 340, false, 8},
		{"enlarged", full, full.Bounds(), 1280, 720, false, 6},
		{"cut", full, image.Rect(80, 40, 560, 320), 240, 140, false, 3},
		{"odd corner, same size", full, image.Rect(81, 41, 560, 320), 479, 279, false, 3},
		{"odd corner, mirrored", full, image.Rect(81, 41, 561, 320), 480, 279, true, 3},
		{"odd frame", odd, odd.Bounds(), 641, 359, true, 2},
		{"odd frame to its corner", odd, image.Rect(101, 101, 641, 359), 270, 129, false, 3},
		{"dot", odd, image.Rect(640, 358, 641, 359), 1, 1, true, 2},
		{"icon", full, full.Bounds(), 64, 36, false, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// A part of a larger picture, to see that nothing else is written.
			canvas := image.NewRGBA(image.Rect(0, 0, tt.w+7, tt.h+5))
			got := canvas.SubImage(image.Rect(3, 2, 3+tt.w, 2+tt.h)).(*image.RGBA)
			want := image.NewRGBA(got.Rect)
			if err := yuv.Paint(got, tt.f, tt.crop, tt.mirror); err != nil {
				t.Fatal(err)
			}
			reference(want, tt.f, tt.crop, tt.mirror)
			var light, sum float64
			for y := range canvas.Rect.Dy() {
				for x := range canvas.Rect.Dx() {
					a := canvas.RGBAAt(x, y)
					if !image.Pt(x, y).In(got.Rect) {
						if a != (color.RGBA{}) {
							t.Fatalf("painted outside, at %d,%d", x, y)
						}
						continue
					}
					b := want.RGBAAt(x, y)
					if a.A != 255 {
						t.Fatalf("pixel %d,%d is not opaque", x, y)
					}
					r, g, bl := float64(a.R)-float64(b.R), float64(a.G)-float64(b.G), float64(a.B)-float64(b.B)
					sum += math.Abs(r) + math.Abs(g) + math.Abs(bl)
					light += math.Abs(0.299*r + 0.587*g + 0.114*bl)
				}
			}
			// Colour is scaled in 4:2:0 and so has half the tile's resolution.
			light, sum = light/float64(tt.w*tt.h), sum/float64(3*tt.w*tt.h)
			t.Logf("mean error of brightness %.2f, of a channel %.2f", light, sum)
			if light > tt.limit || sum > 9 {
				t.Errorf("mean error of brightness %.2f, of a channel %.2f", light, sum)
			}
		})
	}
}

func TestPaintRefuses(t *testing.T) {
	f := media.NewFrame(64, 48)
	dst := image.NewRGBA(image.Rect(0, 0, 32, 24))
	for _, crop := range []image.Rectangle{{}, image.Rect(-1, 0, 10, 10), image.Rect(0, 0, 65, 48), image.Rect(5, 5, 5, 9)} {
		if err := yuv.Paint(dst, f, crop, false); !errors.Is(err, media.ErrFormat) {
			t.Errorf("crop %v: %v", crop, err)
		}
	}
	if err := yuv.Paint(image.NewRGBA(image.Rectangle{}), f, f.Bounds(), false); err != nil {
		t.Errorf("empty tile: %v", err)
	}
	short := &image.RGBA{Pix: make([]byte, 100), Stride: 128, Rect: dst.Rect}
	if err := yuv.Paint(short, f, f.Bounds(), false); !errors.Is(err, media.ErrFormat) {
		t.Errorf("short picture: %v", err)
	}
	f.V = f.V[:3]
	if err := yuv.Paint(dst, f, f.Bounds(), false); !errors.Is(err, media.ErrFormat) {
		t.Errorf("short plane: %v", err)
	}
	if err := yuv.Scale(media.NewFrame(8, 8), f); !errors.Is(err, media.ErrFormat) {
		t.Errorf("scale short plane: %v", err)
	}
}

// TestOddSizes scales and paints between random sizes; it finds what crashes.
func TestOddSizes(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	size := func() int { return 1 + rng.IntN(1+rng.IntN(300)) }
	for range 300 {
		src, dst := media.NewFrame(size(), size()), media.NewFrame(size(), size())
		if err := yuv.Scale(dst, src); err != nil {
			t.Fatal(err)
		}
		x, y := rng.IntN(src.Width), rng.IntN(src.Height)
		crop := image.Rect(x, y, x+1+rng.IntN(src.Width-x), y+1+rng.IntN(src.Height-y))
		if err := yuv.Paint(image.NewRGBA(image.Rect(0, 0, size(), size())), src, crop, rng.IntN(2) == 0); err != nil {
			t.Fatal(err)
		}
		src.Release()
		dst.Release()
	}
}

func BenchmarkPaint(b *testing.B) {
	f := mediatest.NewCamera(b, 1280, 720, 30).At(0)
	for _, size := range []image.Point{{1280, 720}, {640, 360}, {500, 281}, {426, 240}, {320, 180}, {200, 112}} {
		for _, mirror := range []bool{false, true} {
			b.Run(fmt.Sprintf("%dx%d/mirror=%t", size.X, size.Y, mirror), func(b *testing.B) {
				dst := image.NewRGBA(image.Rectangle{Max: size})
				for b.Loop() {
					if err := yuv.Paint(dst, f, f.Bounds(), mirror); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
