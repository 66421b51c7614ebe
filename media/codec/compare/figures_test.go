package compare

import (
	"fmt"
	"image"
	"os"
	"runtime"
	"testing"
	"text/tabwriter"

	"golang.org/x/sys/unix"

	"parley/media"
	"parley/media/codec"
	"parley/media/mediatest"
)

// sizes are those of the camera's layers, and rates, in bit/s, the ones that are asked about.
var (
	sizes = []image.Point{{320, 180}, {640, 360}, {1280, 720}}
	rates = []int{150_000, 500_000, 1_500_000}
)

func open(t testing.TB, cfg media.VideoConfig) coder {
	cfg.FrameRate = 30
	enc, err := codec.New().VideoEncoder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return product{enc}
}

// single is one encoder of the product.
func single(name string, cfg media.VideoConfig) *trial {
	name = fmt.Sprintf("%s %dx%d %s", cfg.Codec, cfg.Width, cfg.Height, name)
	return &trial{name: name, codec: cfg.Codec, w: cfg.Width, h: cfg.Height, open: func(t testing.TB) []coder {
		return []coder{open(t, cfg)}
	}}
}

// simulcast is an encoder for each layer, from one source of the largest size.
func simulcast(c media.Codec) *trial {
	top := sizes[len(sizes)-1]
	return &trial{name: string(c) + " simulcast", codec: c, w: top.X, h: top.Y, open: func(t testing.TB) (all []coder) {
		for i, s := range sizes {
			all = append(all, open(t, media.VideoConfig{Codec: c, Width: s.X, Height: s.Y, BitRate: rates[i]}))
		}
		return all
	}}
}

// tuned is one encoder with knobs.
func tuned(name string, k Knobs) *trial {
	return &trial{name: name, codec: k.Codec, w: k.Width, h: k.Height, open: func(t testing.TB) []coder {
		e, err := NewEncoder(k)
		if err != nil {
			t.Fatal(name, err)
		}
		return []coder{bare{e}}
	}}
}

// BenchmarkFigures compares the codecs, as the product uses them, and VP9's layers.
func BenchmarkFigures(b *testing.B) {
	var trials []*trial
	for _, s := range []image.Point{sizes[2], sizes[1], sizes[0]} {
		for _, r := range rates {
			for _, c := range []media.Codec{media.VP8, media.VP9} {
				trials = append(trials, single(fmt.Sprintf("%d kbit/s", r/1000), media.VideoConfig{Codec: c, Width: s.X, Height: s.Y, BitRate: r}))
			}
		}
	}
	top := sizes[2]
	trials = append(trials, simulcast(media.VP8), simulcast(media.VP9))
	for _, speed := range []int{9, 7} {
		svc := Knobs{Codec: media.VP9, Width: top.X, Height: top.Y, Speed: speed, StaticThreshold: 1}
		// Whoever gets a layer gets those below too, and together they may use the rate of one layer of
		// simulcast takes; without prediction between layers, but in keyframes, a layer goes alone.
		svc.Rates = []int{rates[0], rates[1] - rates[0], rates[2] - rates[1]}
		trials = append(trials, tuned(fmt.Sprintf("VP9 SVC, speed %d", speed), svc))
		svc.KeyOnly, svc.Rates = true, rates
		trials = append(trials, tuned(fmt.Sprintf("VP9 K-SVC, speed %d", speed), svc))
	}
	for i, r := range rates {
		for _, temporal := range []bool{false, true} {
			trials = append(trials, single(fmt.Sprintf("%d kbit/s, temporal layers %t", r/1000, temporal), media.VideoConfig{
				Codec: media.VP8, Width: sizes[i].X, Height: sizes[i].Y, BitRate: r, Temporal: temporal,
			}))
		}
	}
	report(b, trials)
}

// BenchmarkFiguresVP8 turns libvpx's knobs for VP8 at the rates that the ladder gives its layers.
func BenchmarkFiguresVP8(b *testing.B) {
	var trials []*trial
	for _, l := range []struct{ w, h, rate int }{{1280, 720, 1_500_000}, {1280, 720, 1_000_000}, {640, 360, 600_000}, {640, 360, 300_000}, {320, 180, 150_000}} {
		add := func(what string, turn func(*Knobs)) *trial {
			k := Knobs{Codec: media.VP8, Width: l.w, Height: l.h, Speed: -6, Rates: []int{l.rate}, StaticThreshold: 1}
			turn(&k)
			tr := tuned(fmt.Sprintf("VP8 %dx%d %d kbit/s %s", l.w, l.h, l.rate/1000, what), k)
			trials = append(trials, tr)
			return tr
		}
		for _, speed := range []int{-4, -5, -6, -8, -10, -12, -16} {
			add(fmt.Sprint("speed ", speed), func(k *Knobs) { k.Speed = speed })
		}
		for _, threshold := range []int{0, 100, 500} {
			add(fmt.Sprint("static threshold ", threshold), func(k *Knobs) { k.StaticThreshold = threshold })
		}
		// 4 is adaptive, which WebRTC takes for cameras.
		add("denoiser", func(k *Knobs) { k.Noise = 4 })
		add("2 threads", func(k *Knobs) { k.Threads, k.Partitions = 2, 1 }).clock = unix.CLOCK_PROCESS_CPUTIME_ID
	}
	report(b, trials)
}

// BenchmarkFiguresSizes asks which size of a face looks best at the rates of a narrow path. A picture is
// compared at the camera's size, to which it is scaled up.
func BenchmarkFiguresSizes(b *testing.B) {
	film := mediatest.ReadY4M(b, "../../../build/material/person1-720p.y4m")
	const seconds = 8
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nSSIM of VP8 at kbit/s\t150\t200\t250\t300\t400\t")
	for _, size := range []image.Point{{320, 180}, {480, 270}, {640, 360}, {720, 404}, {800, 450}, {960, 540}, {1280, 720}} {
		fmt.Fprintf(w, "%dx%d\t", size.X, size.Y)
		for _, rate := range []int{150_000, 200_000, 250_000, 300_000, 400_000} {
			var source, shown []*media.Frame
			for i := range 30 * seconds {
				f := film[i%len(film)]
				source, shown = append(source, resize(b, f, size.X, size.Y)), append(shown, f)
			}
			tr := single("", media.VideoConfig{Codec: media.VP8, Width: size.X, Height: size.Y, BitRate: rate})
			tr.run(b, source, shown)
			fmt.Fprintf(w, "%.4f\t", tr.ssim/float64(tr.compared))
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}

// report runs the trials on every photograph and prints a line for each.
func report(b *testing.B, trials []*trial) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, name := range photos {
		picture := photo(b, name)
		source := pan(b, picture, 1280, 720, clipFrames)
		clips := map[int][]*media.Frame{}
		for _, s := range sizes {
			for _, f := range source {
				small := resize(b, f, s.X, s.Y)
				small.Captured = f.Captured
				clips[s.X] = append(clips[s.X], small)
			}
		}
		for _, tr := range trials {
			tr.run(b, clips[tr.w], clips[tr.w])
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nencoder\tencode ms\tdecode ms\tkbit/s\tshown kbit/s\tPSNR dB\tSSIM\t")
	for _, tr := range trials {
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.0f\t%.0f\t%.2f\t%.4f\t\n", tr.name, tr.per(tr.encode), tr.per(tr.decode),
			tr.kbps(tr.bytes), tr.kbps(tr.shown), tr.psnr/float64(tr.compared), tr.ssim/float64(tr.compared))
	}
	w.Flush()
}
