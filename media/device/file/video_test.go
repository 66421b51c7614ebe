package file

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/media"
	"parley/media/codec"
)

// writeY4M writes frames of 4x2 pixels, the luma of frame i all i.
func writeY4M(t *testing.T, header string, frames int, tail string) string {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(header + "\n")
	for i := range frames {
		b.WriteString("FRAME\n")
		b.Write(bytes.Repeat([]byte{byte(i)}, 8))
		b.Write([]byte{100, 101, 200, 201})
	}
	b.WriteString(tail)
	path := filepath.Join(t.TempDir(), "clip.y4m")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const goodY4M = "YUV4MPEG2 W4 H2 F30000:1001 Ip A1:1 C420mpeg2 XYSCSS=420MPEG2"

func TestY4MLoopsAndKeepsTime(t *testing.T) {
	path := writeY4M(t, goodY4M, 3, "FRAME\ncut")
	synctest.Test(t, func(t *testing.T) {
		s, err := openY4M(path, codec.New())
		if err != nil {
			t.Fatal(err)
		}
		if i := s.Info(); i.Width != 4 || i.Height != 2 || i.FrameRate < 29.96 || i.FrameRate > 29.98 {
			t.Errorf("Info says %+v", i)
		}
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		const n = 30001
		var got int
		err = s.Run(ctx, func(f *media.Frame) {
			if want := byte(got % 3); f.Y[0] != want || f.Y[7] != want || f.U[1] != 101 || f.V[0] != 200 {
				t.Fatalf("frame %d: luma %v, chroma %v %v", got, f.Y, f.U, f.V)
			}
			if !f.Captured.Equal(time.Now()) {
				t.Fatalf("frame %d is captured at %v, now is %v", got, f.Captured, time.Now())
			}
			if got++; got == n {
				cancel()
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		// 30000 periods of 1001/30000 s are 1001 s, to the nanosecond.
		if took := time.Since(begin); took != 1001*time.Second {
			t.Errorf("%d frames took %v, want 1001s", n, took)
		}
		if s.file.Close() == nil {
			t.Error("Run left the file open")
		}
	})
}

func TestY4MSkipsWhatIsLate(t *testing.T) {
	path := writeY4M(t, "YUV4MPEG2 W4 H2 F10:1", 5, "")
	synctest.Test(t, func(t *testing.T) {
		s, err := openY4M(path, codec.New())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		var seen []byte
		err = s.Run(ctx, func(f *media.Frame) {
			seen = append(seen, f.Y[0])
			if len(seen) == 2 {
				time.Sleep(730 * time.Millisecond) // up to 0.83 s: frame 8 is due, which is 3
			}
			if len(seen) == 4 {
				if at := time.Since(begin); at != 900*time.Millisecond {
					t.Errorf("the frame after the pause came at %v, want 900ms", at)
				}
				cancel()
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := []byte{0, 1, 3, 4}; !bytes.Equal(seen, want) {
			t.Errorf("frames %v, want %v", seen, want)
		}
	})
}

func TestY4MMono(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mono.Y4M")
	if err := os.WriteFile(path, []byte("YUV4MPEG2 W2 H2 F5:1 Cmono\nFRAME Ixyz\nabcd"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Driver{Convert: codec.New()}.OpenCamera(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Run(ctx, func(f *media.Frame) {
		if string(f.Y) != "abcd" || f.U[0] != 128 || f.V[0] != 128 {
			t.Errorf("planes %q %v %v", f.Y, f.U, f.V)
		}
		cancel()
	}); err != nil {
		t.Fatal(err)
	}
}

func TestY4MRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty":         "",
		"other file":    "RIFF....AVI ",
		"longer magic":  "YUV4MPEG25 W4 H2 F30:1\nFRAME\n123456789012",
		"no size":       "YUV4MPEG2 F30:1\nFRAME\n123456789012",
		"no rate":       "YUV4MPEG2 W4 H2\nFRAME\n123456789012",
		"huge":          "YUV4MPEG2 W2000000000 H2000000000 F30:1\nFRAME\n",
		"too large int": "YUV4MPEG2 W99999999999999999999 H2 F30:1\nFRAME\n",
		"negative":      "YUV4MPEG2 W-4 H2 F30:1\nFRAME\n123456789012",
		"zero rate":     "YUV4MPEG2 W4 H2 F0:1\nFRAME\n123456789012",
		"zero divisor":  "YUV4MPEG2 W4 H2 F30:0\nFRAME\n123456789012",
		"fast":          "YUV4MPEG2 W4 H2 F1000000:1\nFRAME\n123456789012",
		"no colours":    "YUV4MPEG2 W4 H2 F30:1 C999\nFRAME\n123456789012",
		"8 bits of 7":   "YUV4MPEG2 W4 H2 F30:1 C420p7\nFRAME\n123456789012",
		"mixed fields":  "YUV4MPEG2 W4 H2 F30:1 Im\nFRAME\n123456789012",
		"cut 4:4:4":     "YUV4MPEG2 W4 H2 F30:1 C444\nFRAME\n123456789012",
		"endless line":  "YUV4MPEG2 W4 H2 F30:1 X" + strings.Repeat("x", 1000),
		"claims 8K":     "YUV4MPEG2 W8192 H8192 F30:1\nFRAME\nshort",
		"cut picture":   "YUV4MPEG2 W4 H2 F30:1\nFRAME\n12345678901",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bad.y4m")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := openY4M(path, codec.New())
			if !errors.Is(err, media.ErrFormat) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line with the path that is ErrFormat", err)
			}
		})
	}
}

func TestY4MGoesBadOnTheWay(t *testing.T) {
	s, err := openY4M(writeY4M(t, goodY4M, 2, "FRAMF\n123456789012"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context(), func(*media.Frame) {}); !errors.Is(err, media.ErrCorrupt) {
		t.Errorf("Run returned %v, want ErrCorrupt", err)
	}
}

func TestPatternStampsAndMoves(t *testing.T) {
	for _, spec := range []string{"test", "test:640x360@15", "test:322x181"} {
		synctest.Test(t, func(t *testing.T) {
			s, err := Driver{Convert: codec.New()}.OpenCamera(spec)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var last []byte
			var n int
			begin := time.Now()
			if err := s.Run(ctx, func(f *media.Frame) {
				if f.Width != s.Info().Width || f.Height != s.Info().Height {
					t.Fatalf("%s: frame of %dx%d", spec, f.Width, f.Height)
				}
				if age, ok := media.ReadStamp(f, time.Now().Add(7*time.Millisecond)); !ok || age != 7*time.Millisecond {
					t.Fatalf("%s: frame %d: stamp %v, %v", spec, n, age, ok)
				}
				below := f.Y[f.YStride*(f.Height/9):]
				if bytes.Equal(below, last) {
					t.Fatalf("%s: frame %d does not move", spec, n)
				}
				last = append(last[:0], below...)
				if n++; n == 100 {
					cancel()
				}
			}); err != nil {
				t.Fatal(err)
			}
			if want := time.Duration(99 / s.Info().FrameRate * float64(time.Second)); time.Since(begin).Round(time.Millisecond) != want.Round(time.Millisecond) {
				t.Errorf("%s: 100 frames in %v, want %v", spec, time.Since(begin), want)
			}
		})
	}
}

func BenchmarkPattern(b *testing.B) {
	p, err := openPattern("test")
	if err != nil {
		b.Fatal(err)
	}
	p.draw()
	for i := 0; b.Loop(); i++ {
		f := media.NewFrame(p.w, p.h)
		p.paint(f, i)
		media.DrawStamp(f, time.Now())
		f.Release()
	}
}

func FuzzY4M(f *testing.F) {
	f.Add([]byte(goodY4M + "\nFRAME\n123456789012"))
	f.Add([]byte("YUV4MPEG2 W2 H2 F5:1 Cmono\nFRAME\nabcd"))
	f.Add([]byte("YUV4MPEG2 W3 H3 F5:1 A4:3 It C422p10 XCOLORRANGE=FULL\nFRAME\n" + strings.Repeat("ab", 30)))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		h, err := parseY4M(r)
		if err != nil {
			if !errors.Is(err, media.ErrFormat) {
				t.Fatalf("%v is not ErrFormat", err)
			}
			return
		}
		if int64(len(data)) < h.Size+h.frameSize() {
			return // a source refuses it before it takes memory
		}
		next, err := readY4M(r, h.Size, make([]byte, h.frameSize()))
		if err != nil {
			return
		}
		if next > int64(len(data)) {
			t.Fatalf("read up to %d of %d bytes", next, len(data))
		}
		w, height := h.shown()
		frame := media.NewFrame(w, height)
		defer frame.Release()
		if err := codec.New().ConvertPlanar(frame, h.Planar, data[next-h.frameSize():next]); err != nil {
			t.Fatal(err)
		}
	})
}
