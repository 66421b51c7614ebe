package opus

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"parley/media"
)

// voice is n packets of something like speech: a gliding harmonic tone under syllables.
func voice(n, channels int) []int16 {
	pcm := make([]int16, n*media.PacketSamples*channels)
	phase := 0.0
	for i := range n * media.PacketSamples {
		t := float64(i) / media.SampleRate
		phase += 2 * math.Pi * (150 + 40*math.Sin(2*math.Pi*0.7*t)) / media.SampleRate
		v := 0.0
		for h := 1; h <= 12; h++ {
			v += math.Sin(float64(h)*phase) / float64(h)
		}
		v *= 0.6 + 0.4*math.Sin(2*math.Pi*4*t)
		for c := range channels {
			pcm[i*channels+c] = int16(6000 * v)
		}
	}
	return pcm
}

func audioPair(t testing.TB, cfg media.AudioConfig) (media.AudioEncoder, media.AudioDecoder) {
	t.Helper()
	e, err := NewEncoder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecoder(cfg.Channels)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(); d.Close() })
	return e, d
}

func encodeAll(t testing.TB, e media.AudioEncoder, pcm []int16, channels int) [][]byte {
	t.Helper()
	size := media.PacketSamples * channels
	var out [][]byte
	for i := 0; i+size <= len(pcm); i += size {
		b, err := e.Encode(nil, pcm[i:i+size])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// correlation is the largest normalized cross-correlation of a and b over lags of b
// behind a, in samples of all channels.
func correlation(a, b []int16, maxLag int) (best float64, lag int) {
	for l := 0; l <= maxLag; l++ {
		var ab, aa, bb float64
		for i := 0; i+l < len(b); i++ {
			x, y := float64(a[i]), float64(b[i+l])
			ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
		}
		if c := ab / math.Sqrt(aa*bb+1); c > best {
			best, lag = c, l
		}
	}
	return best, lag
}

func TestOpusRoundTrip(t *testing.T) {
	for _, cfg := range []media.AudioConfig{
		{Channels: 1, BitRate: 32_000},
		{Channels: 1, BitRate: 24_000, Loss: 0.2},
		{Channels: 2, BitRate: 96_000, Music: true},
		{Channels: 1, BitRate: 1},
	} {
		const n = 50
		e, d := audioPair(t, cfg)
		in := voice(n, cfg.Channels)
		packets := encodeAll(t, e, in, cfg.Channels)
		size, bytes := media.PacketSamples*cfg.Channels, 0
		out := make([]int16, n*size)
		for i, p := range packets {
			bytes += len(p)
			if err := d.Decode(out[i*size:(i+1)*size], p); err != nil {
				t.Fatal(err)
			}
		}
		c, lag := correlation(in[5*size:20*size], out[5*size:20*size], 960)
		rate := float64(bytes*8) / (n * 0.02)
		t.Logf("%+v: correlation %.3f, %d samples late, %.1f kbit/s", cfg, c, lag/cfg.Channels, rate/1000)
		if c < 0.9 && cfg.BitRate > 10_000 || c < 0.5 {
			t.Errorf("%+v: correlation %.3f", cfg, c)
		}
		if want := max(float64(cfg.BitRate), minOpusRate); rate > 1.3*want {
			t.Errorf("%+v: %.0f bit/s", cfg, rate)
		}
	}
}

// TestOpusRecover loses every fifth packet and asks that FEC from the packet after it is
// nearer to the original than concealment.
func TestOpusRecover(t *testing.T) {
	const n, size = 100, media.PacketSamples
	in := voice(n, 1)
	rng := rand.New(rand.NewPCG(5, 6))
	for i := 0; i < len(in); i += 7 * size { // syllables that nothing before announces
		gain := 0.2 + 0.8*rng.Float64()
		for j := i; j < min(i+7*size, len(in)); j++ {
			in[j] = int16(float64(in[j]) * gain)
		}
	}
	e, fec := audioPair(t, media.AudioConfig{Channels: 1, BitRate: 32_000, Loss: 0.2})
	_, conceal := audioPair(t, media.AudioConfig{Channels: 1, BitRate: 32_000})
	_, whole := audioPair(t, media.AudioConfig{Channels: 1, BitRate: 32_000})
	packets := encodeAll(t, e, in, 1)
	var want, recovered, concealed [size]int16
	var errFEC, errPLC float64
	for i, p := range packets {
		if err := whole.Decode(want[:], p); err != nil {
			t.Fatal(err)
		}
		lost := i%5 == 4 && i+1 < n
		var err1, err2 error
		if lost {
			err1, err2 = fec.Recover(recovered[:], packets[i+1]), conceal.Conceal(concealed[:])
		} else {
			err1, err2 = fec.Decode(recovered[:], p), conceal.Decode(concealed[:], p)
		}
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if lost {
			errFEC += distance(want[:], recovered[:])
			errPLC += distance(want[:], concealed[:])
		}
	}
	t.Logf("squared error of FEC is %.2f of that of concealment", errFEC/errPLC)
	if errFEC > 0.6*errPLC {
		t.Errorf("FEC is hardly better than concealment: %.2f of its error", errFEC/errPLC)
	}
}

func distance(a, b []int16) (sum float64) {
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return sum
}

func TestOpusSilence(t *testing.T) {
	e, d := audioPair(t, media.AudioConfig{Channels: 1, BitRate: 32_000, DTX: true})
	encodeAll(t, e, voice(20, 1), 1)
	packets := encodeAll(t, e, make([]int16, 100*media.PacketSamples), 1)
	tiny := 0
	pcm := make([]int16, media.PacketSamples)
	for _, p := range packets {
		if len(p) <= 2 {
			tiny++
		}
		if err := d.Decode(pcm, p); err != nil {
			t.Fatal(err)
		}
	}
	if tiny < 80 {
		t.Errorf("%d of 100 silent packets are tiny", tiny)
	}
}

func TestOpusConfigure(t *testing.T) {
	e, d := audioPair(t, media.AudioConfig{Channels: 2, BitRate: 64_000})
	pcm := make([]int16, 2*media.PacketSamples)
	for _, cfg := range []media.AudioConfig{
		{Channels: 2, BitRate: 12_000},
		{Channels: 2, BitRate: 128_000, Music: true},
		{Channels: 2, BitRate: 24_000, Loss: 0.3, DTX: true},
		{Channels: 2, BitRate: 1 << 40, Loss: 7},
	} {
		if err := e.Configure(cfg); err != nil {
			t.Fatal(err)
		}
		bytes := 0
		for _, p := range encodeAll(t, e, voice(25, 2), 2) {
			bytes += len(p)
			if err := d.Decode(pcm, p); err != nil {
				t.Fatal(err)
			}
		}
		if rate := bytes * 8 * 2; rate > cfg.BitRate*13/10 {
			t.Errorf("%+v: %d bit/s", cfg, rate)
		}
	}
	if err := e.Configure(media.AudioConfig{Channels: 1, BitRate: 64_000}); !errors.Is(err, media.ErrFormat) {
		t.Errorf("other channels: %v", err)
	}
	if _, err := e.Encode(nil, pcm[:100]); !errors.Is(err, media.ErrFormat) {
		t.Errorf("short block: %v", err)
	}
	if b, err := e.Encode([]byte("head"), pcm); err != nil || string(b[:4]) != "head" || len(b) < 5 {
		t.Errorf("append: %q, %v", b, err)
	}
	for _, channels := range []int{0, 3} {
		_, err1 := NewEncoder(media.AudioConfig{Channels: channels})
		_, err2 := NewDecoder(channels)
		if !errors.Is(err1, media.ErrFormat) || !errors.Is(err2, media.ErrFormat) {
			t.Errorf("%d channels: %v, %v", channels, err1, err2)
		}
	}
}

func TestOpusBadPacket(t *testing.T) {
	_, d := audioPair(t, media.AudioConfig{Channels: 1})
	pcm := make([]int16, media.PacketSamples)
	for name, p := range map[string][]byte{
		"empty":       {},
		"10 ms":       {0xF0, 1, 2},
		"60 ms":       {0x18, 1, 2},
		"no count":    {0x0B},
		"bad lengths": {0x0A, 0xFF, 0xFF},
	} {
		if err := d.Decode(pcm, p); !errors.Is(err, media.ErrCorrupt) {
			t.Errorf("decode %s: %v", name, err)
		}
		if err := d.Recover(pcm, p); !errors.Is(err, media.ErrCorrupt) {
			t.Errorf("recover %s: %v", name, err)
		}
	}
	if err := d.Conceal(pcm[:10]); !errors.Is(err, media.ErrFormat) {
		t.Errorf("short buffer: %v", err)
	}
	d.Close()
	if err := d.Conceal(pcm); err == nil {
		t.Error("closed decoder decodes")
	}
}

func FuzzOpusDecode(f *testing.F) {
	e, _ := audioPair(f, media.AudioConfig{Channels: 1, BitRate: 32_000, Loss: 0.2})
	for _, p := range encodeAll(f, e, voice(4, 1), 1) {
		f.Add(p, p[:len(p)/2])
	}
	f.Add([]byte{}, []byte{0x08})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		for _, channels := range []int{1, 2} {
			d, err := NewDecoder(channels)
			if err != nil {
				t.Fatal(err)
			}
			pcm := make([]int16, channels*media.PacketSamples)
			for _, err := range []error{d.Decode(pcm, first), d.Recover(pcm, second), d.Decode(pcm, second), d.Conceal(pcm)} {
				if err != nil && !errors.Is(err, media.ErrCorrupt) {
					t.Fatal(err)
				}
			}
			d.Close()
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
