package vpx

import (
	"bytes"
	"testing"

	"parley/media"
	"parley/media/mediatest"
)

// TestTemporal switches temporal layers on and off while running: who is spared the droppable
// frames sees exactly what everybody else sees in the frames that are left, before, meanwhile and
// after, without a keyframe.
func TestTemporal(t *testing.T) {
	cam := mediatest.NewCamera(t, 640, 360, 30)
	cfg := media.VideoConfig{Codec: media.VP8, Width: 640, Height: 360, BitRate: 600_000, FrameRate: 30}
	e := configure(t, nil, cfg)
	all, spared := openDecoder(t, media.VP8), openDecoder(t, media.VP8)
	const begin, end, over = 60, 240, 300
	var base, upper, total, skipped int
	for n := range over {
		cfg.Temporal = n >= begin && n < end
		configure(t, e, cfg)
		f := cam.At(n)
		p := encode(t, e, f, n == 0 || n == 150)
		f.Release()
		if p == nil {
			continue
		}
		if p.Key != (n == 0 || n == 150) {
			t.Errorf("frame %d: keyframe %v", n, p.Key)
		}
		if p.Droppable && !cfg.Temporal {
			t.Errorf("frame %d is droppable without temporal layers", n)
		}
		want := decode(t, all, p.Data)
		switch {
		case !cfg.Temporal:
		case p.Droppable:
			upper += len(p.Data)
		default:
			base += len(p.Data)
		}
		if cfg.Temporal {
			total++
		}
		if p.Droppable {
			skipped++
			continue
		}
		got := decode(t, spared, p.Data)
		if !bytes.Equal(got.Y, want.Y) || !bytes.Equal(got.U, want.U) || !bytes.Equal(got.V, want.V) {
			t.Fatalf("frame %d differs for who is spared the droppable ones", n)
		}
	}
	if skipped < total*2/5 || skipped > total*3/5 {
		t.Errorf("%d of %d frames are droppable, want about half", skipped, total)
	}
	share := float64(base) / float64(base+upper)
	t.Logf("the base has %.0f%% of the bits, in %d of %d frames", 100*share, total-skipped, total)
	if share < 0.5 || share > 0.7 {
		t.Errorf("the base has %.0f%% of the bits, want about 60%%", 100*share)
	}
}
