package codec

import (
	"errors"
	"fmt"
	"image"
	"io"
	"sync"
	"time"

	mdcodec "github.com/pion/mediadevices/pkg/codec"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"

	"parley/media"
)

// MediaDevices offers this package's video codecs behind the interfaces of
// github.com/pion/mediadevices: it is its VideoEncoderBuilder and VideoDecoderBuilder. The
// size and frame rate of Config are those of the stream unless given.
type MediaDevices struct {
	Config media.VideoConfig
}

var (
	_ mdcodec.VideoEncoderBuilder = MediaDevices{}
	_ mdcodec.VideoDecoderBuilder = MediaDevices{}
	_ mdcodec.KeyFrameController  = (*builtEncoder)(nil)
	_ mdcodec.BitRateController   = (*builtEncoder)(nil)
)

// RTPCodec describes the codec with the payload type that mediadevices has for it.
func (m MediaDevices) RTPCodec() *mdcodec.RTPCodec {
	if m.Config.Codec == media.VP9 {
		return mdcodec.NewRTPVP9Codec(90000)
	}
	return mdcodec.NewRTPVP8Codec(90000)
}

// BuildVideoEncoder makes an encoder of what r reads.
func (m MediaDevices) BuildVideoEncoder(r video.Reader, p prop.Media) (mdcodec.ReadCloser, error) {
	cfg := m.Config
	if cfg.Width == 0 || cfg.Height == 0 {
		cfg.Width, cfg.Height = p.Width, p.Height
	}
	if cfg.FrameRate == 0 {
		cfg.FrameRate = float64(p.FrameRate)
	}
	e, err := Codecs{}.VideoEncoder(cfg)
	if err != nil {
		return nil, err
	}
	return &builtEncoder{reader: video.ToI420(r), encoder: e, cfg: cfg}, nil
}

type builtEncoder struct {
	reader video.Reader

	mu      sync.Mutex // the controller is called from other goroutines
	encoder media.VideoEncoder
	cfg     media.VideoConfig
	key     bool
}

// Read returns the next frame that rate control does not drop.
func (b *builtEncoder) Read() ([]byte, func(), error) {
	for {
		data, err := b.next()
		if data != nil || err != nil {
			return data, func() {}, err
		}
	}
}

func (b *builtEncoder) next() ([]byte, error) {
	img, release, err := b.reader.Read()
	if err != nil {
		return nil, err
	}
	defer release()
	ycc, ok := img.(*image.YCbCr)
	if !ok || ycc.SubsampleRatio != image.YCbCrSubsampleRatio420 {
		return nil, fmt.Errorf("encode %T: %w", img, media.ErrFormat)
	}
	f := &media.Frame{
		Width: ycc.Rect.Dx(), Height: ycc.Rect.Dy(), YStride: ycc.YStride, UVStride: ycc.CStride,
		Y: ycc.Y[ycc.YOffset(ycc.Rect.Min.X, ycc.Rect.Min.Y):], Captured: time.Now(),
	}
	c := ycc.COffset(ycc.Rect.Min.X, ycc.Rect.Min.Y)
	f.U, f.V = ycc.Cb[c:], ycc.Cr[c:]
	b.mu.Lock()
	defer b.mu.Unlock()
	p, err := b.encoder.Encode(f, b.key)
	if err != nil {
		return nil, err
	}
	b.key = false
	if p == nil {
		return nil, nil
	}
	return p.Data, nil
}

func (b *builtEncoder) Controller() mdcodec.EncoderController { return b }

func (b *builtEncoder) ForceKeyFrame() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.key = true
	return nil
}

// SetBitRate takes bit/s.
func (b *builtEncoder) SetBitRate(rate int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cfg.BitRate = rate
	return b.encoder.Configure(b.cfg)
}

func (b *builtEncoder) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.encoder.Close()
}

// maxPacket bounds a frame that a decoder reads, in bytes, as mediadevices does.
const maxPacket = 1 << 20

// BuildVideoDecoder makes a decoder; each Read of r gives one frame.
func (m MediaDevices) BuildVideoDecoder(r io.Reader, _ prop.Media) (mdcodec.VideoDecoder, error) {
	d, err := Codecs{}.VideoDecoder(m.Config.Codec)
	if err != nil {
		return nil, err
	}
	return &builtDecoder{reader: r, decoder: d, buf: make([]byte, maxPacket)}, nil
}

type builtDecoder struct {
	reader  io.Reader
	decoder media.VideoDecoder
	buf     []byte
}

// Read skips what cannot be decoded, up to the next keyframe. The picture is a copy.
func (b *builtDecoder) Read() (image.Image, func(), error) {
	for {
		n, err := b.reader.Read(b.buf)
		if err != nil {
			return nil, nil, err
		}
		f, err := b.decoder.Decode(b.buf[:n])
		if errors.Is(err, media.ErrCorrupt) || err == nil && f == nil {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		own := media.NewFrame(f.Width, f.Height)
		if err := (Codecs{}).Scale(own, f); err != nil { // of the same size: a copy
			return nil, nil, err
		}
		return own.YCbCr(), own.Release, nil
	}
}

func (b *builtDecoder) Close() error { return b.decoder.Close() }
