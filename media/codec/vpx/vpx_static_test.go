//go:build static_vpx

package vpx

import (
	"runtime"
	"testing"
)

// TestFreshEncoderIsSmall: an encoder of 1280x720 takes the memory of its pictures, not that of every
// token they could have, which alone is 22 MB.
func TestFreshEncoderIsSmall(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	_ = encodeOnce(t, 1280, 720)()
	before := residentMB(t)
	closed := encodeOnce(t, 1280, 720)
	after := residentMB(t)
	_ = closed()
	if after > before+20 {
		t.Errorf("%d MB, and %d with an encoder", before, after)
	}
}
