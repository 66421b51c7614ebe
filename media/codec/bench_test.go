package codec

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"testing"
	"time"

	"parley/media"
)

func BenchmarkEncode(b *testing.B) {
	for _, codec := range []media.Codec{media.VP8, media.VP9} {
		for _, s := range []struct{ w, h, kbps int }{{640, 360, 600}, {1280, 720, 1500}} {
			b.Run(fmt.Sprintf("%s/%dx%d", codec, s.w, s.h), func(b *testing.B) {
				frames := clip(b, s.w, s.h)
				e := configure(b, nil, media.VideoConfig{Codec: codec, Width: s.w, Height: s.h, BitRate: s.kbps * 1000, FrameRate: 30})
				for i := 0; b.Loop(); i++ {
					encode(b, e, frames[i%len(frames)], false)
				}
			})
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, codec := range []media.Codec{media.VP8, media.VP9} {
		b.Run(string(codec)+"/1280x720", func(b *testing.B) {
			packets := stream(b, codec, 1280, 720, 30)
			d := decoder(b, codec)
			for i := 0; b.Loop(); i++ {
				decode(b, d, packets[i%len(packets)])
			}
		})
	}
}

// clip is a second there and back, so that it has no cut where it begins again. It has no
// times, so that the encoder takes it for an even 30 frames a second.
func clip(t testing.TB, w, h int) []*media.Frame {
	cam := camera{photo(t, "Dune.jpg"), w, h, 30}
	var frames []*media.Frame
	for i := range 15 {
		f := cam.at(i)
		f.Captured = time.Time{}
		frames = append(frames, f)
	}
	for i := 14; i >= 0; i-- {
		frames = append(frames, frames[i])
	}
	return frames
}

func BenchmarkPaint(b *testing.B) {
	f := camera{photo(b, "Dune.jpg"), 1280, 720, 30}.at(0)
	for _, size := range []image.Point{{1280, 720}, {640, 360}, {500, 281}, {426, 240}, {320, 180}, {200, 112}} {
		for _, mirror := range []bool{false, true} {
			b.Run(fmt.Sprintf("%dx%d/mirror=%t", size.X, size.Y, mirror), func(b *testing.B) {
				dst := image.NewRGBA(image.Rectangle{Max: size})
				for b.Loop() {
					if err := New().Paint(dst, f, f.Bounds(), mirror); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkMJPEG(b *testing.B) {
	data, _ := jpegOf(b, camera{photo(b, "Dune.jpg"), 1280, 720, 30}.at(0))
	b.Run("libyuv", func(b *testing.B) {
		dst := media.NewFrame(1280, 720)
		for b.Loop() {
			if err := New().Convert(dst, media.FormatMJPEG, data, 0); err != nil {
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

func BenchmarkOpus(b *testing.B) {
	const n = 50
	in := voice(n, 1)
	e, d := audioPair(b, media.AudioConfig{Channels: 1, BitRate: 32_000, Loss: 0.1, DTX: true})
	packets := encodeAll(b, e, in, 1)
	b.Run("encode", func(b *testing.B) {
		var buf []byte
		for i := 0; b.Loop(); i++ {
			at := i % n * media.PacketSamples
			buf, _ = e.Encode(buf[:0], in[at:at+media.PacketSamples])
		}
	})
	b.Run("decode", func(b *testing.B) {
		pcm := make([]int16, media.PacketSamples)
		for i := 0; b.Loop(); i++ {
			if err := d.Decode(pcm, packets[i%n]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
