package ui

import (
	"flag"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden pictures anew")

// This share of a golden picture's pixels may differ by more than the tolerance: glyph edges vary a little
// between processors.
const (
	tolerance = 24 // of 255, per channel
	allowed   = 0.0002
)

// golden compares the window with testdata/NAME.png. A picture that differs is written to testdata/failed for
// review, or with -update over the old one.
func golden(t *testing.T, w *Window, name string) {
	t.Helper()
	got := w.win.Canvas().Capture()
	path := filepath.Join("testdata", name+".png")
	want, err := read(path)
	if *update {
		if err != nil || difference(got, want) > allowed {
			write(t, path, got)
		}
		return
	}
	if err != nil {
		t.Fatalf("%v; run go test ./ui -update and look at the picture", err)
	}
	if share := difference(got, want); share > allowed {
		failed := filepath.Join("testdata", "failed", name+".png")
		write(t, failed, got)
		t.Errorf("%s differs from %s in %.2f%% of its pixels", failed, path, share*100)
	}
}

func read(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return png.Decode(f)
}

func write(t *testing.T, path string, img image.Image) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatalf("encode %s: %v", path, err)
	}
}

// difference is the share of pixels that differ by more than the tolerance, from 0 to 1.
func difference(a, b image.Image) float64 {
	if a.Bounds() != b.Bounds() {
		return 1
	}
	p, q, off := pixels(a), pixels(b), 0
	for i := 0; i < len(p); i += 4 {
		if [4]byte(p[i:]) == [4]byte(q[i:]) {
			continue
		}
		if max(apart(p[i], q[i]), apart(p[i+1], q[i+1]), apart(p[i+2], q[i+2])) > tolerance {
			off++
		}
	}
	return float64(off) / float64(len(p)/4)
}

// pixels are the bytes of an opaque picture, four per pixel.
func pixels(img image.Image) []byte {
	switch img := img.(type) {
	case *image.NRGBA: // as a canvas captures it
		return img.Pix
	case *image.RGBA: // as a PNG file without transparency decodes
		return img.Pix
	}
	rgba := image.NewRGBA(img.Bounds())
	draw.Draw(rgba, rgba.Rect, img, rgba.Rect.Min, draw.Src)
	return rgba.Pix
}

func apart(a, b byte) byte { return max(a, b) - min(a, b) }
