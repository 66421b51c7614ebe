package file

import (
	"context"
	"encoding/binary"
	"math"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"parley/media"
	"parley/media/codec"
)

func ffmpeg(t *testing.T, args ...string) []byte {
	t.Helper()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	cmd := exec.Command("ffmpeg", append([]string{"-v", "error", "-y"}, args...)...)
	var text strings.Builder
	cmd.Stderr = &text
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ffmpeg %v: %v: %s", args, err, text.String())
	}
	return out
}

// planePSNR is the PSNR of two planes, in dB.
func planePSNR(a, b []byte) float64 {
	var sum float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return 10 * math.Log10(255*255*float64(len(a))/max(sum, 1e-9))
}

// TestY4MAsFFmpegWritesIt has ffmpeg write each kind of .y4m that it can, and holds our frame against its
// own conversion to 4:2:0 of limited range.
func TestY4MAsFFmpegWritesIt(t *testing.T) {
	const limited, full = "tv", "pc"
	for _, c := range []struct {
		name, pixels, size, colours string // range that is written
		setup                       string // more filters for the file
		want                        string // filters of the reference
		w, h                        int
	}{
		{"420", "yuv420p", "320x180", limited, "", "", 320, 180},
		{"420 full", "yuv420p", "320x180", full, "", "", 320, 180},
		{"411", "yuv411p", "320x180", limited, "", "", 320, 180},
		{"422", "yuv422p", "320x180", limited, "", "", 320, 180},
		{"422 full", "yuv422p", "320x180", full, "", "", 320, 180},
		{"444", "yuv444p", "320x180", limited, "", "", 320, 180},
		{"444 full", "yuv444p", "320x180", full, "", "", 320, 180},
		{"mono", "gray", "320x180", full, "", "", 320, 180},
		{"420p10", "yuv420p10le", "320x180", limited, "", "", 320, 180},
		{"422p10", "yuv422p10le", "320x180", limited, "", "", 320, 180},
		{"444p12", "yuv444p12le", "320x180", limited, "", "", 320, 180},
		{"mono10", "gray10le", "320x180", full, "", "", 320, 180},
		{"odd 420", "yuv420p", "321x181", limited, "", "", 321, 181},
		{"odd 411", "yuv411p", "323x181", limited, "", "", 323, 181},
		{"odd 422", "yuv422p", "321x181", limited, "", "", 321, 181},
		{"odd 444", "yuv444p", "321x181", limited, "", "", 321, 181},
		{"wide pixels", "yuv420p", "320x240", limited, ",setsar=4/3", "scale=426:240,", 426, 240},
		{"tall pixels", "yuv444p", "320x180", limited, ",setsar=8/9", "scale=320:202,", 320, 202},
		{"top field first", "yuv420p", "320x180", limited, ",setfield=tff", "field=top,scale=320:180,", 320, 180},
		{"bottom field first", "yuv422p", "320x180", limited, ",setfield=bff", "field=bottom,scale=320:180,", 320, 180},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "clip.y4m")
			// Colours without hard edges: converters filter chroma differently at edges.
			ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=5", "-frames:v", "2",
				"-vf", "format=yuv444p,gblur=3,scale="+strings.Replace(c.size, "x", ":", 1)+":out_range="+c.colours+",format="+c.pixels+c.setup,
				"-color_range", c.colours, "-strict", "-1", path)
			raw := ffmpeg(t, "-i", path, "-frames:v", "1", "-vf", c.want+"scale=out_range=tv,format=yuv420p",
				"-f", "rawvideo", "-")
			s, err := Driver{Convert: codec.New()}.OpenCamera(path)
			if err != nil {
				t.Fatal(err)
			}
			if i := s.Info(); i.Width != c.w || i.Height != c.h {
				t.Fatalf("%dx%d, want %dx%d", i.Width, i.Height, c.w, c.h)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if err := s.Run(ctx, func(f *media.Frame) {
				if ctx.Err() != nil {
					return
				}
				cancel()
				y, cw := c.w*c.h, (c.w+1)/2*((c.h+1)/2)
				if len(raw) != y+2*cw {
					t.Fatalf("the reference has %d bytes, want %d", len(raw), y+2*cw)
				}
				luma, u, v := planePSNR(f.Y, raw[:y]), planePSNR(f.U, raw[y:y+cw]), planePSNR(f.V, raw[y+cw:])
				t.Logf("luma %.1f dB, chroma %.1f and %.1f", luma, u, v)
				if luma < 40 || u < 36 || v < 36 {
					t.Errorf("luma %.1f dB, chroma %.1f and %.1f; want 40 and 36", luma, u, v)
				}
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestWAVAsFFmpegWritesIt holds our reading of each kind of .wav against ffmpeg's.
func TestWAVAsFFmpegWritesIt(t *testing.T) {
	for _, c := range []struct {
		kind  string
		worst float64 // how far a sample may be off, of full scale
		more  []string
	}{
		{"pcm_u8", 1e-6, nil},
		{"pcm_s16le", 1e-6, nil},
		{"pcm_s24le", 1e-6, nil},
		{"pcm_s32le", 1e-6, nil},
		{"pcm_f32le", 1e-6, nil},
		{"pcm_f64le", 1e-6, nil},
		{"pcm_alaw", 1e-6, nil},
		{"pcm_mulaw", 1e-6, nil},
		{"pcm_s24le", 1e-6, []string{"-rf64", "always"}},
	} {
		for _, channels := range []int{1, 2} {
			name := c.kind + " " + strconv.Itoa(channels) + strings.Join(c.more, " ")
			t.Run(name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "sound.wav")
				args := []string{
					"-f", "lavfi", "-i", "anoisesrc=r=16000:d=0.5:a=0.9:seed=1", "-ac", strconv.Itoa(channels), "-c:a", c.kind,
				}
				ffmpeg(t, append(append(args, c.more...), path)...)
				raw := ffmpeg(t, "-i", path, "-f", "f32le", "-")
				s, err := openWAVSource(path)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				data := make([]byte, s.header.Size)
				if _, err := s.file.ReadAt(data, s.header.Start); err != nil {
					t.Fatal(err)
				}
				got := s.header.mono(nil, data)
				if s.header.Rate != 16000 || len(got) != len(raw)/4/channels || len(got) != 8000 {
					t.Fatalf("%d samples at %d Hz, ffmpeg reads %d", len(got), s.header.Rate, len(raw)/4/channels)
				}
				for i, v := range got {
					var want float64
					for n := range channels {
						want += float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*(i*channels+n):])))
					}
					if want /= float64(channels); math.Abs(float64(v)-want) > c.worst {
						t.Fatalf("sample %d is %v, ffmpeg reads %v", i, v, want)
					}
				}
			})
		}
	}
}

// TestWAVNamesWhatItRefuses checks that ADPCM and other codecs are refused in one line that says what to do.
func TestWAVNamesWhatItRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sound.wav")
	ffmpeg(t, "-f", "lavfi", "-i", "anoisesrc=r=16000:d=0.5", "-c:a", "adpcm_ima_wav", path)
	_, err := Driver{}.OpenMicrophone(path)
	if err == nil || !strings.Contains(err.Error(), wavHint) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q, want one line that says how to convert it", err)
	}
}
