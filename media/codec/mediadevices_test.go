package codec

import (
	"errors"
	"image"
	"io"
	"testing"

	mdcodec "github.com/pion/mediadevices/pkg/codec"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"

	"parley/media"
	"parley/media/mediatest"
)

// packetReader gives one packet a Read, as mediadevices' decoders expect.
type packetReader func() ([]byte, error)

func (r packetReader) Read(b []byte) (int, error) {
	p, err := r()
	return copy(b, p), err
}

// TestMediaDevices runs frames through mediadevices' own reader, our encoder and decoder
// behind its interfaces, and its controllers on the way.
func TestMediaDevices(t *testing.T) {
	for _, codec := range []media.Codec{media.VP8, media.VP9} {
		const n = 20
		cam := camera{photo(t, "Dune.jpg"), 320, 180, 30}
		frames := make([]*media.Frame, n)
		next := 0
		reader := video.ReaderFunc(func() (image.Image, func(), error) {
			if next == n {
				return nil, nil, io.EOF
			}
			frames[next] = cam.at(next)
			next++
			return frames[next-1].YCbCr(), func() {}, nil
		})
		m := MediaDevices{media.VideoConfig{Codec: codec, BitRate: 500_000}}
		if got := m.RTPCodec().MimeType; got != "video/"+string(codec) {
			t.Errorf("MIME type %s", got)
		}
		p := prop.Media{Video: prop.Video{Width: 320, Height: 180, FrameRate: 30}}
		e, err := m.BuildVideoEncoder(reader, p)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		read := 0
		d, err := m.BuildVideoDecoder(packetReader(func() ([]byte, error) {
			switch read++; read {
			case 8:
				return []byte{1, 2, 3}, nil // the pictures go on with the keyframe
			case 10:
				if err := e.Controller().(mdcodec.KeyFrameController).ForceKeyFrame(); err != nil {
					t.Error(err)
				}
				if err := e.Controller().(mdcodec.BitRateController).SetBitRate(300_000); err != nil {
					t.Error(err)
				}
			}
			b, _, err := e.Read()
			return b, err
		}), p)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		shown := 0
		for {
			img, release, err := d.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			ycc := img.(*image.YCbCr)
			out := &media.Frame{Width: 320, Height: 180, Y: ycc.Y, YStride: ycc.YStride}
			if db := mediatest.PSNR(frames[next-1], out); db < 25 {
				t.Errorf("%s picture %d: %.1f dB", codec, next-1, db)
			}
			release()
			shown++
		}
		if shown < n-3 {
			t.Errorf("%s: %d of %d pictures shown", codec, shown, n)
		}
	}
}
