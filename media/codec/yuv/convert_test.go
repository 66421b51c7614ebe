package yuv_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"testing"

	"parley/media"
	"parley/media/codec/yuv"
	"parley/media/mediatest"
)

// pack writes f in format, with rows of stride bytes, the slow way.
func pack(f *media.Frame, format media.PixelFormat, stride int) []byte {
	w, h, cw, ch := f.Width, f.Height, (f.Width+1)/2, (f.Height+1)/2
	b := make([]byte, stride*(h+ch)+stride)
	luma := func(x, y int) byte { return f.Y[y*f.YStride+min(x, w-1)] }
	switch format {
	case media.FormatYUY2, media.FormatUYVY:
		for y := range h {
			for x := 0; x < w; x += 2 {
				c := y/2*f.UVStride + x/2
				p := b[y*stride+2*x:]
				if format == media.FormatYUY2 {
					p[0], p[1], p[2], p[3] = luma(x, y), f.U[c], luma(x+1, y), f.V[c]
				} else {
					p[0], p[1], p[2], p[3] = f.U[c], luma(x, y), f.V[c], luma(x+1, y)
				}
			}
		}
	case media.FormatNV12, media.FormatI420:
		cs := (stride + 1) / 2
		for y := range h {
			copy(b[y*stride:], f.Y[y*f.YStride:][:w])
		}
		for y := range ch {
			for x := range cw {
				u, v := f.U[y*f.UVStride+x], f.V[y*f.UVStride+x]
				if format == media.FormatNV12 {
					b[stride*(h+y)+2*x], b[stride*(h+y)+2*x+1] = u, v
				} else {
					b[stride*h+cs*y+x], b[stride*h+cs*(ch+y)+x] = u, v
				}
			}
		}
	}
	return b
}

func same(t *testing.T, got, want *media.Frame, limit float64) {
	t.Helper()
	for i, p := range [][2][]byte{{got.Y, want.Y}, {got.U, want.U}, {got.V, want.V}} {
		var sum float64
		for j := range p[0] {
			d := float64(p[0][j]) - float64(p[1][j])
			sum += max(d, -d)
		}
		if mean := sum / float64(len(p[0])); mean > limit {
			t.Errorf("plane %d: mean error %.2f", i, mean)
		}
	}
}

func TestConvertRaw(t *testing.T) {
	for _, size := range []image.Point{{640, 360}, {322, 182}, {33, 17}, {1, 1}} {
		f := mediatest.NewCamera(t, size.X, size.Y, 30).At(0)
		for _, format := range []media.PixelFormat{media.FormatYUY2, media.FormatUYVY, media.FormatNV12, media.FormatI420} {
			row := yuv.Row(format, size.X)
			for _, stride := range []int{row, row + 26} {
				data := pack(f, format, stride)
				got := media.NewFrame(size.X, size.Y)
				given := stride
				if stride == row {
					given = 0
				}
				if err := yuv.Convert(got, format, data, given); err != nil {
					t.Fatalf("%s %v: %v", format, size, err)
				}
				same(t, got, f, 0.01)
				least := yuv.Size(format, stride, size.X, size.Y)
				if err := yuv.Convert(got, format, append([]byte(nil), data[:least]...), given); err != nil {
					t.Errorf("%s %v: exact length: %v", format, size, err)
				}
				if err := yuv.Convert(got, format, data[:least-1], given); !errors.Is(err, media.ErrCorrupt) {
					t.Errorf("%s %v: a byte short: %v", format, size, err)
				}
			}
			for _, stride := range []int{-1, row - 1, 1 << 40} {
				if stride == 0 {
					continue // means none
				}
				if err := yuv.Convert(f, format, make([]byte, 1<<20), stride); !errors.Is(err, media.ErrCorrupt) {
					t.Errorf("%s: stride %d: %v", format, stride, err)
				}
			}
		}
	}
	if err := yuv.Convert(media.NewFrame(2, 2), 0x12345678, make([]byte, 99), 0); !errors.Is(err, media.ErrFormat) {
		t.Errorf("unknown format: %v", err)
	}
}

// TestConvertRGB paints a frame, converts the painting back and expects the frame again.
func TestConvertRGB(t *testing.T) {
	f := mediatest.NewCamera(t, 320, 180, 30).At(0)
	img := image.NewRGBA(f.Bounds())
	if err := yuv.Paint(img, f, f.Bounds(), false); err != nil {
		t.Fatal(err)
	}
	got := media.NewFrame(320, 180)
	if err := yuv.Convert(got, media.FormatRGBA, img.Pix, img.Stride); err != nil {
		t.Fatal(err)
	}
	same(t, got, f, 2)
	for i := 0; i < len(img.Pix); i += 4 {
		img.Pix[i], img.Pix[i+2] = img.Pix[i+2], img.Pix[i]
	}
	if err := yuv.Convert(got, media.FormatBGRA, img.Pix, 0); err != nil {
		t.Fatal(err)
	}
	same(t, got, f, 2)
}

// jpegOf is f as a full-range JPEG, and what a converter should make of that.
func jpegOf(t testing.TB, f *media.Frame) ([]byte, *media.Frame) {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, f.YCbCr(), &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), mediatest.Limited(img.(*image.YCbCr))
}

func TestConvertMJPEG(t *testing.T) {
	f := mediatest.NewCamera(t, 640, 360, 30).At(0)
	data, want := jpegOf(t, f)
	if w, h, err := media.JPEGSize(data); w != 640 || h != 360 || err != nil {
		t.Fatalf("size %dx%d, %v", w, h, err)
	}
	got := media.NewFrame(640, 360)
	if err := yuv.Convert(got, media.FormatMJPEG, data, 0); err != nil {
		t.Fatal(err)
	}
	same(t, got, want, 0.6)
	// Cameras leave out the Huffman tables, which never change, and pad the end.
	bare := append(withoutSegment(data, 0xC4), make([]byte, 700)...)
	clear(got.Y)
	if err := yuv.Convert(got, media.FormatMJPEG, bare, 0); err != nil {
		t.Fatal(err)
	}
	same(t, got, want, 0.6)
	if err := yuv.Convert(media.NewFrame(640, 352), media.FormatMJPEG, data, 0); !errors.Is(err, media.ErrCorrupt) {
		t.Errorf("other size: %v", err)
	}

	gray := image.NewGray(image.Rect(0, 0, 64, 48))
	for i := range gray.Pix {
		gray.Pix[i] = 200
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, gray, nil); err != nil {
		t.Fatal(err)
	}
	small := media.NewFrame(64, 48)
	if err := yuv.Convert(small, media.FormatMJPEG, b.Bytes(), 0); err != nil {
		t.Fatal(err)
	}
	if y, want := small.Y[100], byte(16+200*219/255); y < want-1 || y > want+1 || small.U[5] != 128 || small.V[5] != 128 {
		t.Errorf("gray 200 is %d, %d, %d", y, small.U[5], small.V[5])
	}
}

// withoutSegment removes all segments with the marker before the scan.
func withoutSegment(data []byte, marker byte) []byte {
	out := append([]byte(nil), data[:2]...)
	for i := 2; ; {
		n := 2 + int(data[i+2])<<8 + int(data[i+3])
		if data[i+1] == 0xDA {
			return append(out, data[i:]...)
		}
		if data[i+1] != marker {
			out = append(out, data[i:i+n]...)
		}
		i += n
	}
}

// TestBadMJPEG checks that a JPEG cut short is an error and that none crashes.
func TestBadMJPEG(t *testing.T) {
	f := mediatest.NewCamera(t, 160, 90, 30).At(0)
	data, _ := jpegOf(t, f)
	got := media.NewFrame(160, 90)
	for n := range len(data) - 2 {
		if n > 700 && n%37 != 0 {
			continue
		}
		if err := yuv.Convert(got, media.FormatMJPEG, data[:n], 0); !errors.Is(err, media.ErrCorrupt) {
			t.Fatalf("cut to %d of %d: %v", n, len(data), err)
		}
		ended := append(append([]byte(nil), data[:n]...), 0xFF, 0xD9)
		if err := yuv.Convert(got, media.FormatMJPEG, ended, 0); err != nil && !errors.Is(err, media.ErrCorrupt) {
			t.Fatalf("cut to %d, with an end: %v", n, err)
		}
	}
	rng := rand.New(rand.NewPCG(9, 10))
	for range 3000 {
		b := append([]byte(nil), data...)
		for range 1 + rng.IntN(10) {
			b[rng.IntN(1+rng.IntN(len(b)))] = byte(rng.IntN(256))
		}
		if err := yuv.Convert(got, media.FormatMJPEG, b, 0); err != nil && !errors.Is(err, media.ErrCorrupt) {
			t.Fatal(err)
		}
	}
}

func FuzzMJPEG(f *testing.F) {
	img := image.NewYCbCr(image.Rect(0, 0, 32, 16), image.YCbCrSubsampleRatio422)
	var b bytes.Buffer
	rgba := image.NewRGBA(img.Rect)
	rgba.Set(3, 3, color.White)
	for _, m := range []image.Image{img, rgba} {
		b.Reset()
		if err := jpeg.Encode(&b, m, nil); err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.Clone(b.Bytes()))
		f.Add(bytes.Clone(b.Bytes()[:b.Len()/2]))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w, h, err := media.JPEGSize(data)
		if err != nil {
			if !errors.Is(err, media.ErrCorrupt) {
				t.Fatal(err)
			}
			w, h = 32, 16
		}
		if w*h > 512*512 {
			return
		}
		dst := media.NewFrame(w, h)
		defer dst.Release()
		if err := yuv.Convert(dst, media.FormatMJPEG, data, 0); err != nil && !errors.Is(err, media.ErrCorrupt) {
			t.Fatal(err)
		}
	})
}

func BenchmarkMJPEG(b *testing.B) {
	data, _ := jpegOf(b, mediatest.NewCamera(b, 1280, 720, 30).At(0))
	b.Run("libyuv", func(b *testing.B) {
		dst := media.NewFrame(1280, 720)
		for b.Loop() {
			if err := yuv.Convert(dst, media.FormatMJPEG, data, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("image-jpeg", func(b *testing.B) {
		for b.Loop() {
			if _, err := jpeg.Decode(bytes.NewReader(data)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
