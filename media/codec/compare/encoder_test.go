package compare

import (
	"testing"

	"parley/media"
	"parley/media/codec"
	"parley/media/mediatest"
)

// TestEncoder codes and decodes what the tables are about: one layer of each codec, and three.
func TestEncoder(t *testing.T) {
	f := media.NewFrame(640, 360)
	for i := range f.Y {
		f.Y[i] = byte(i%640/4 + i/640/8)
	}
	for i := range f.U {
		f.U[i], f.V[i] = 100, 150
	}
	three := []int{100_000, 200_000, 400_000}
	for name, k := range map[string]Knobs{
		"VP8":   {Codec: media.VP8, Speed: -6, Rates: three[:1]},
		"VP9":   {Codec: media.VP9, Speed: 9, Rates: three[:1]},
		"SVC":   {Codec: media.VP9, Speed: 9, Rates: three},
		"K-SVC": {Codec: media.VP9, Speed: 9, Rates: three, KeyOnly: true},
	} {
		k.Width, k.Height = f.Width, f.Height
		e, err := NewEncoder(k)
		if err != nil {
			t.Fatal(name, err)
		}
		dec, err := codec.New().VideoDecoder(k.Codec)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			data, err := e.Encode(f, i == 0)
			if err != nil || data == nil {
				t.Fatalf("%s: frame %d: %d bytes, %v", name, i, len(data), err)
			}
			seen, err := dec.Decode(data)
			if err != nil || seen == nil || seen.Width != f.Width || seen.Height != f.Height {
				t.Fatalf("%s: frame %d shows %+v, %v", name, i, seen, err)
			}
			if s := mediatest.SSIM(f, seen); s < 0.9 {
				t.Errorf("%s: frame %d: SSIM %.3f", name, i, s)
			}
		}
		e.Close()
		dec.Close()
	}
	if _, err := NewEncoder(Knobs{Codec: media.VP9, Width: 64, Height: 64}); err == nil {
		t.Error("an encoder without a layer")
	}
	if _, err := NewEncoder(Knobs{Codec: media.VP9, Rates: three}); err == nil {
		t.Error("an encoder of no size")
	}
}
