//go:build static_vpx

package codec

import (
	"runtime"
	"testing"

	"parley/media"
)

// TestFreshEncoderIsSmall: an encoder of 1280x720 takes the memory of its pictures, not that of every
// token they could have, which alone is 22 MB.
func TestFreshEncoderIsSmall(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	encodeOnce(t, 1280, 720)
	before := residentMB(t)
	enc, err := New().VideoEncoder(media.VideoConfig{Codec: media.VP8, Width: 1280, Height: 720, BitRate: 1_000_000, FrameRate: 30})
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	f := media.NewFrame(1280, 720)
	defer f.Release()
	if _, err := enc.Encode(f, true); err != nil {
		t.Fatal(err)
	}
	if after := residentMB(t); after > before+20 {
		t.Errorf("%d MB, and %d with an encoder", before, after)
	}
}
