package vpx

import (
	"errors"
	"math/rand/v2"
	"testing"

	"parley/media"
	"parley/media/mediatest"
)

// stream codes moving material into n packets, the first one a keyframe.
func stream(t testing.TB, codec media.Codec, w, h, n int) [][]byte {
	cam := mediatest.NewCamera(t, w, h, 30)
	e := configure(t, nil, media.VideoConfig{Codec: codec, Width: w, Height: h, BitRate: w * h * 3, FrameRate: 30})
	var out [][]byte
	for i := 0; len(out) < n; i++ {
		f := cam.At(i)
		if p := encode(t, e, f, false); p != nil {
			out = append(out, p.Data)
		}
		f.Release()
	}
	return out
}

// TestCorrupt cuts and flips frames of a stream: each is an error or a picture, never a
// crash, and the next keyframe decodes as if nothing had been.
func TestCorrupt(t *testing.T) {
	flips := 150
	if testing.Short() {
		flips = 30
	}
	for _, codec := range []media.Codec{media.VP8, media.VP9} {
		packets := stream(t, codec, 320, 180, 8)
		clean := openDecoder(t, codec)
		d := openDecoder(t, codec)
		rng := rand.New(rand.NewPCG(3, 4))
		failed, tried := 0, 0
		damage := func(packet int, b []byte) {
			tried++
			for _, p := range packets[:packet] {
				decode(t, d, p)
			}
			f, err := d.Decode(b)
			switch {
			case err != nil && !errors.Is(err, media.ErrCorrupt):
				t.Fatalf("%s: error is not ErrCorrupt: %v", codec, err)
			case err != nil:
				failed++
				if _, err := d.Decode(packets[packet+1]); !errors.Is(err, media.ErrCorrupt) {
					t.Fatalf("%s: a frame on top of a bad one: %v", codec, err)
				}
			case f != nil:
				touch(f)
			}
			if db := mediatest.PSNR(decode(t, clean, packets[0]), decode(t, d, packets[0])); db != mediatest.Equal {
				t.Fatalf("%s: keyframe after damage decodes differently: %.1f dB", codec, db)
			}
		}
		for _, packet := range []int{0, 4} {
			p := packets[packet]
			for _, n := range []int{0, 1, 2, 3, 5, 9, 10, 11, len(p) / 4, len(p) / 2, len(p) * 9 / 10} {
				before := failed
				damage(packet, p[:n])
				if failed == before {
					t.Errorf("%s: packet %d cut to %d of %d bytes is no error", codec, packet, n, len(p))
				}
			}
			for range flips {
				b := append([]byte(nil), p...)
				for range 1 + rng.IntN(20) {
					b[rng.IntN(min(len(b), 1+rng.IntN(len(b))))] ^= byte(1 << rng.IntN(8))
				}
				damage(packet, b)
			}
		}
		t.Logf("%s: %d of %d damaged frames were errors", codec, failed, tried)
	}
}

// TestOversized checks that a header that promises a huge picture is refused.
func TestOversized(t *testing.T) {
	key8 := append([]byte(nil), stream(t, media.VP8, 64, 64, 1)[0]...)
	key8[6], key8[7] = 0xFF, 0x3F
	if _, err := openDecoder(t, media.VP8).Decode(key8); !errors.Is(err, media.ErrCorrupt) {
		t.Errorf("VP8 of 16383 pixels: %v", err)
	}
	packets := stream(t, media.VP9, 64, 64, 2)
	key9 := append([]byte(nil), packets[0]...)
	// Marker, profile and flags 8 bits, sync code 24, colour 4, then the width.
	key9[4] |= 0x0F
	key9[5] = 0xFF
	if _, err := openDecoder(t, media.VP9).Decode(key9); !errors.Is(err, media.ErrCorrupt) {
		t.Errorf("VP9 of 65000 pixels: %v", err)
	}
	// An inter frame that finds its size in no reference and brings its own.
	var w bitWriter
	w.put(2, 2)                // frame marker
	w.put(0, 2+1)              // profile, show_existing_frame
	w.put(1, 1)                // not a keyframe
	w.put(1, 1)                // shown
	w.put(0, 1+2)              // not resilient, reset_frame_context
	w.put(0, 8+12+3)           // refresh, references, size found in none
	w.put(uint64(40000-1), 16) // width
	w.put(uint64(40000-1), 16) // height
	inter := append(w.b, packets[1][len(w.b):]...)
	d := openDecoder(t, media.VP9)
	decode(t, d, packets[0])
	if _, err := d.Decode(inter); !errors.Is(err, media.ErrCorrupt) {
		t.Errorf("VP9 inter frame of 40000 pixels: %v", err)
	}
}

type bitWriter struct {
	b []byte
	n int
}

func (w *bitWriter) put(v uint64, bits int) {
	for i := bits - 1; i >= 0; i-- {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[w.n/8] |= byte(v>>i&1) << (7 - w.n%8)
		w.n++
	}
}

// touch reads all of f's pixels, so that a wrong plane crashes here.
func touch(f *media.Frame) (sum int) {
	for _, plane := range [][]byte{f.Y, f.U, f.V} {
		for _, v := range plane {
			sum += int(v)
		}
	}
	return sum
}

func FuzzVideoDecode(f *testing.F) {
	for _, codec := range []media.Codec{media.VP8, media.VP9} {
		packets := stream(f, codec, 96, 64, 4)
		vp9 := codec == media.VP9
		f.Add(vp9, packets[0], packets[1])
		f.Add(vp9, packets[0][:len(packets[0])/2], packets[2])
		f.Add(vp9, packets[1], packets[0])
		f.Add(vp9, []byte{}, packets[3][:8])
	}
	f.Fuzz(func(t *testing.T, vp9 bool, first, second []byte) {
		codec, read := media.VP8, readVP8
		if vp9 {
			codec, read = media.VP9, readVP9
		}
		d := openDecoder(t, codec)
		defer d.Close()
		for _, data := range [][]byte{first, second, first} {
			// A few bytes may lawfully ask for 8192x8192; that is slow, not wrong.
			if h, err := read(data); err == nil && h.width*h.height > 512*512 {
				return
			}
			out, err := d.Decode(data)
			if err != nil && !errors.Is(err, media.ErrCorrupt) {
				t.Fatal(err)
			}
			if err != nil && out != nil {
				t.Fatal("a frame and an error")
			}
			if out != nil {
				touch(out)
			}
		}
	})
}
