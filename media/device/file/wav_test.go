package file

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/media"
)

// wavBytes is a .wav file with the same samples, 1 being full scale, in every channel.
func wavBytes(tag, bits, rate, channels int, samples []float64) []byte {
	var data []byte
	for _, v := range samples {
		for range channels {
			switch bits {
			case 16:
				data = binary.LittleEndian.AppendUint16(data, uint16(int16(math.Round(v*32767))))
			case 24:
				u := uint32(int32(math.Round(v * (1<<23 - 1))))
				data = append(data, byte(u), byte(u>>8), byte(u>>16))
			case 32:
				data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(v)))
			}
		}
	}
	frame := channels * bits / 8
	b := []byte("RIFF....WAVELIST\x03\x00\x00\x00abc\x00fmt \x10\x00\x00\x00")
	b = binary.LittleEndian.AppendUint16(b, uint16(tag))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate*frame))
	b = binary.LittleEndian.AppendUint16(b, uint16(frame))
	b = binary.LittleEndian.AppendUint16(b, uint16(bits))
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	return append(b, data...)
}

func sine(hz float64, rate, n int, amplitude float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = amplitude * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))
	}
	return out
}

func tempFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// capture runs a microphone for a number of blocks.
func capture(t *testing.T, s media.AudioSource, blocks int) []int16 {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var pcm []int16
	begin := time.Now()
	var n int
	if err := s.Run(ctx, func(a media.Audio) {
		if len(a.PCM) != media.BlockSamples || a.Channels != 1 {
			t.Fatalf("block of %d samples, %d channels", len(a.PCM), a.Channels)
		}
		if want := begin.Add(time.Duration(n) * media.BlockDuration); !a.Captured.Equal(want) {
			t.Fatalf("block %d heard at %v, want %v", n, a.Captured, want)
		}
		pcm = append(pcm, a.PCM...)
		if n++; n == blocks {
			cancel()
		}
	}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took != time.Duration(blocks)*media.BlockDuration {
		t.Fatalf("%d blocks took %v", blocks, took)
	}
	return pcm
}

// distortion fits a sine of hz to pcm. It returns the level of the residual, in dB below the sine, and the sine's
// amplitude.
func distortion(pcm []int16, hz float64) (db, amplitude float64) {
	var ss, cc, xs, xc, sc float64
	w := 2 * math.Pi * hz / media.SampleRate
	for i, v := range pcm {
		s, c := math.Sincos(w * float64(i))
		ss, cc, sc = ss+s*s, cc+c*c, sc+s*c
		xs, xc = xs+float64(v)*s, xc+float64(v)*c
	}
	det := ss*cc - sc*sc
	a, b := (xs*cc-xc*sc)/det, (xc*ss-xs*sc)/det
	var rest, all float64
	for i, v := range pcm {
		s, c := math.Sincos(w * float64(i))
		fit := a*s + b*c
		rest += (float64(v) - fit) * (float64(v) - fit)
		all += fit * fit
	}
	return 10 * math.Log10(rest/all), math.Hypot(a, b)
}

func TestWAVFormatsAndRates(t *testing.T) {
	for _, c := range []struct {
		tag, bits, rate, channels int
		hz                        float64
	}{
		{wavPCM, 16, 48000, 1, 1000},
		{wavPCM, 16, 44100, 2, 1000},
		{wavPCM, 24, 44100, 1, 12000},
		{wavPCM, 16, 16000, 1, 3000},
		{wavPCM, 16, 8000, 1, 1000},
		{wavPCM, 16, 11025, 3, 700},
		{wavFloat, 32, 96000, 2, 15000},
		{wavFloat, 32, 192000, 8, 5000},
	} {
		path := tempFile(t, "tone.wav", wavBytes(c.tag, c.bits, c.rate, c.channels, sine(c.hz, c.rate, c.rate, 0.5)))
		synctest.Test(t, func(t *testing.T) {
			s, err := Driver{}.OpenMicrophone(path)
			if err != nil {
				t.Fatal(err)
			}
			pcm := capture(t, s, 150) // 1.5 s: over the end of the file, which fits on its beginning
			db, amplitude := distortion(pcm[4800:], c.hz)
			if db > -75 || math.Abs(amplitude/16384-1) > 0.01 {
				t.Errorf("%+v: rest %.1f dB, amplitude %.0f, want below -75 dB and 16384", c, db, amplitude)
			}
		})
	}
}

func TestResamplerLetsNoAliasThrough(t *testing.T) {
	// 30 kHz at 96 kHz would come out at 18 kHz.
	path := tempFile(t, "ultra.wav", wavBytes(wavFloat, 32, 96000, 1, sine(30000, 96000, 96000, 0.5)))
	synctest.Test(t, func(t *testing.T) {
		s, err := openWAVSource(path)
		if err != nil {
			t.Fatal(err)
		}
		if level := media.Level(capture(t, s, 100)[4800:]); level > -80 {
			t.Errorf("an inaudible tone comes out at %.1f dBFS", level)
		}
	})
}

func TestWAVWithoutLength(t *testing.T) {
	b := wavBytes(wavPCM, 16, 48000, 1, sine(1000, 48000, 4800, 0.5))
	at := bytes.Index(b, []byte("data")) + 4
	for _, length := range []uint32{0, math.MaxUint32} {
		binary.LittleEndian.PutUint32(b[at:], length)
		h, err := parseWAV(bytes.NewReader(b), int64(len(b)))
		if err != nil || h.Size != 9600 {
			t.Errorf("length %#x: %+v, %v; want all 9600 bytes", length, h, err)
		}
	}
}

func TestWAVRefuses(t *testing.T) {
	good := wavBytes(wavPCM, 16, 48000, 1, sine(1000, 48000, 480, 0.5))
	format := bytes.Index(good, []byte("fmt ")) + 8
	edit := func(off int, b ...byte) []byte {
		out := append([]byte(nil), good...)
		copy(out[format+off:], b)
		return out
	}
	for name, data := range map[string][]byte{
		"empty":           nil,
		"other file":      []byte("ID3\x03 an mp3 file with a wrong name"),
		"only header":     good[:12],
		"no sound chunk":  good[:bytes.Index(good, []byte("data"))],
		"no samples":      good[:bytes.Index(good, []byte("data"))+8],
		"sound first":     append([]byte("RIFF....WAVEdata\x04\x00\x00\x00abcd"), good[12:]...),
		"huge chunk":      []byte("RIFF....WAVEfmt \xff\xff\xff\xffx"),
		"endless chunks":  append([]byte("RIFF....WAVE"), bytes.Repeat([]byte("junk\x00\x00\x00\x00"), 5000)...),
		"ADPCM":           edit(0, 2),
		"no channels":     edit(2, 0),
		"1000 channels":   edit(2, 0xE8, 3),
		"rate 0":          edit(4, 0, 0, 0, 0),
		"rate 4 GHz":      edit(4, 0xFF, 0xFF, 0xFF, 0xFF),
		"wrong alignment": edit(12, 7),
		"12 bit":          edit(14, 12),
		"A-law of 16":     edit(0, wavALaw),
	} {
		t.Run(name, func(t *testing.T) {
			path := tempFile(t, "bad.wav", data)
			_, err := openWAVSource(path)
			if !errors.Is(err, media.ErrFormat) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line with the path that is ErrFormat", err)
			}
		})
	}
}

func TestTone(t *testing.T) {
	for spec, hz := range map[string]float64{"tone": 440, "tone:880": 880} {
		synctest.Test(t, func(t *testing.T) {
			s, err := Driver{}.OpenMicrophone(spec)
			if err != nil {
				t.Fatal(err)
			}
			pcm := capture(t, s, 200)
			if level := media.Level(pcm); math.Abs(level+20) > 0.1 {
				t.Errorf("%s: level %.2f dBFS, want -20", spec, level)
			}
			if db, _ := distortion(pcm, hz); db > -70 {
				t.Errorf("%s: no sine of %g Hz: rest %.1f dB", spec, hz, db)
			}
		})
	}
}

func TestWAVSinkWritesWhatIsHeard(t *testing.T) {
	path := filepath.Join(t.TempDir(), "heard.wav")
	synctest.Test(t, func(t *testing.T) {
		s, err := Driver{}.OpenSpeaker(path)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		var n int
		if err := s.Run(ctx, func(pcm []int16) {
			for i := range pcm {
				pcm[i] = int16(n*len(pcm) + i)
			}
			if n == 155 { // as if killed now: the header tells of one second or more, all of it there
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				h, err := parseWAV(bytes.NewReader(b), int64(len(b)))
				if claimed := int64(binary.LittleEndian.Uint32(b[40:])); err != nil || claimed < 48000*4 || claimed > int64(len(b))-44 || h.Size != claimed {
					t.Errorf("midway: %d bytes, header claims %d, %v", len(b), claimed, err)
				}
			}
			if n++; n == 203 {
				cancel()
			}
		}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != 2020*time.Millisecond {
			t.Errorf("203 blocks took %v, want 2.02s from the first to the last", took)
		}
	})
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h, err := parseWAV(bytes.NewReader(b), int64(len(b)))
	if err != nil || h.Rate != 48000 || h.Channels != 2 || h.Bits != 16 || h.Size != 203*1920 || int64(len(b)) != h.Start+h.Size {
		t.Fatalf("%d bytes with header %+v, %v", len(b), h, err)
	}
	for i := range 203 * 960 {
		if v := int16(binary.LittleEndian.Uint16(b[h.Start+int64(2*i):])); v != int16(i) {
			t.Fatalf("sample %d is %d, want %d", i, v, int16(i))
		}
	}
}

func FuzzWAV(f *testing.F) {
	f.Add(wavBytes(wavPCM, 16, 44100, 2, sine(440, 44100, 20, 1)))
	f.Add(wavBytes(wavFloat, 32, 8000, 1, sine(440, 8000, 20, 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := parseWAV(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			if !errors.Is(err, media.ErrFormat) {
				t.Fatalf("%v is not ErrFormat", err)
			}
			return
		}
		if h.Size < 1 || h.Start+h.Size > int64(len(data)) || h.Size%int64(h.frame()) != 0 {
			t.Fatalf("sound at %d, %d bytes of %d", h.Start, h.Size, len(data))
		}
		for _, v := range h.mono(nil, data[h.Start:h.Start+h.Size]) {
			toInt16(v)
			if v != v {
				t.Fatal("NaN comes through")
			}
		}
	})
}
