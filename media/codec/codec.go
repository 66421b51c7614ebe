// Package codec puts the codecs together that a call needs: video (vpx), sound (opus), the clean-up of
// a microphone's sound (apm), and the conversion and scaling of pictures (yuv).
package codec

import (
	"image"

	"parley/media"
	"parley/media/codec/apm"
	"parley/media/codec/opus"
	"parley/media/codec/vpx"
	"parley/media/codec/yuv"
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

// VideoEncoder implements media.Codecs.
func (Codecs) VideoEncoder(cfg media.VideoConfig) (media.VideoEncoder, error) {
	return vpx.NewEncoder(cfg)
}

// VideoDecoder implements media.Codecs.
func (Codecs) VideoDecoder(codec media.Codec) (media.VideoDecoder, error) {
	return vpx.NewDecoder(codec)
}

// AudioEncoder implements media.Codecs.
func (Codecs) AudioEncoder(cfg media.AudioConfig) (media.AudioEncoder, error) {
	return opus.NewEncoder(cfg)
}

// AudioDecoder implements media.Codecs.
func (Codecs) AudioDecoder(channels int) (media.AudioDecoder, error) {
	return opus.NewDecoder(channels)
}

// AudioProcessor implements media.Codecs.
func (Codecs) AudioProcessor(cfg media.AudioProcessing) (media.AudioProcessor, error) {
	return apm.New(cfg)
}

// Paint implements media.Codecs.
func (Codecs) Paint(dst *image.RGBA, f *media.Frame, crop image.Rectangle, mirror bool) error {
	return yuv.Paint(dst, f, crop, mirror)
}

// Scale implements media.Codecs.
func (Codecs) Scale(dst, src *media.Frame) error { return yuv.Scale(dst, src) }

// Convert implements media.PixelConverter.
func (Codecs) Convert(dst *media.Frame, format media.PixelFormat, data []byte, stride int) error {
	return yuv.Convert(dst, format, data, stride)
}

// ConvertPlanar implements media.PixelConverter.
func (Codecs) ConvertPlanar(dst *media.Frame, p media.Planar, data []byte) error {
	return yuv.ConvertPlanar(dst, p, data)
}
