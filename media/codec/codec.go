// Package codec codes and decodes video (libvpx) and sound (Opus), takes echo and noise out of
// sound (WebRTC), and converts, scales and mirrors pictures (libyuv).
package codec

import (
	"fmt"

	"parley/media"
)

// Codecs implements media.Codecs and media.PixelConverter. It holds no state and is safe
// for concurrent use; what it makes is not.
type Codecs struct{}

var (
	_ media.Codecs         = Codecs{}
	_ media.PixelConverter = Codecs{}
)

// New returns the codecs of this machine.
func New() Codecs { return Codecs{} }

// checkFrame reports whether f's planes hold the picture that its size promises, which C
// code has to rely on.
func checkFrame(f *media.Frame) error {
	if f.Width < 1 || f.Height < 1 || f.Width > media.MaxDimension || f.Height > media.MaxDimension {
		return fmt.Errorf("frame of %dx%d: %w", f.Width, f.Height, media.ErrFormat)
	}
	cw, ch := (f.Width+1)/2, (f.Height+1)/2
	if f.YStride < f.Width || f.UVStride < cw ||
		len(f.Y) < f.YStride*(f.Height-1)+f.Width ||
		len(f.U) < f.UVStride*(ch-1)+cw || len(f.V) < f.UVStride*(ch-1)+cw {
		return fmt.Errorf("frame of %dx%d has too small planes: %w", f.Width, f.Height, media.ErrFormat)
	}
	return nil
}
