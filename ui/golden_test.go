package ui

import (
	"flag"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden pictures anew")

// A golden picture may differ in this share of its pixels by more than the tolerance: glyph
// edges move a little between processors.
const (
	tolerance = 24 // of 255, in a channel
	allowed   = 0.0002
)

// golden compares what the window shows with testdata/NAME.png. What differs is kept in
// testdata/failed for review. With -update, only pictures that differ are written.
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

// difference is the share of pixels that are not alike.
func difference(a, b image.Image) float64 {
	if a.Bounds() != b.Bounds() {
		return 1
	}
	off, r := 0, a.Bounds()
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			ar, ag, ab, _ := a.At(x, y).RGBA()
			br, bg, bb, _ := b.At(x, y).RGBA()
			if max(apart(ar, br), apart(ag, bg), apart(ab, bb)) > tolerance {
				off++
			}
		}
	}
	return float64(off) / float64(r.Dx()*r.Dy())
}

func apart(a, b uint32) uint32 { return (max(a, b) - min(a, b)) >> 8 }
