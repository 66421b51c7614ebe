package assets

import (
	"bytes"
	"flag"
	"image"
	"image/png"
	"os"
	"testing"

	"github.com/fyne-io/oksvg"
	"github.com/srwiley/rasterx"
)

var update = flag.Bool("update", false, "write icon.png anew from icon.svg")

// TestIcon holds the picture to its drawing: packagers take the one, people edit the other.
func TestIcon(t *testing.T) {
	const size = 512
	icon, err := oksvg.ReadIconStream(bytes.NewReader(IconSVG))
	if err != nil {
		t.Fatal(err)
	}
	icon.SetTarget(0, 0, size, size)
	img := image.NewNRGBA(image.Rect(0, 0, size, size))
	icon.Draw(rasterx.NewDasher(size, size, rasterx.NewScannerGV(size, size, img, img.Bounds())), 1)
	if *update {
		var buf bytes.Buffer
		if err := png.Encode(&buf, img); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("icon.png", buf.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := png.Decode(bytes.NewReader(Icon))
	if err != nil {
		t.Fatal(err)
	}
	if got.Bounds() != img.Bounds() {
		t.Fatalf("icon.png is %v, want %v", got.Bounds(), img.Bounds())
	}
	off := 0
	for y := range size {
		for x := range size {
			ar, ag, ab, aa := got.At(x, y).RGBA()
			br, bg, bb, ba := img.At(x, y).RGBA()
			if max(diff(ar, br), diff(ag, bg), diff(ab, bb), diff(aa, ba)) > 0x1000 {
				off++
			}
		}
	}
	if off > size*size/1000 {
		t.Errorf("%d pixels of icon.png differ from icon.svg; run go test ./assets -update", off)
	}
}

func diff(a, b uint32) uint32 { return max(a, b) - min(a, b) }
