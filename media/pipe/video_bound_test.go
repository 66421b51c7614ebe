package pipe_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"

	"parley/media"
	"parley/media/codec"
	"parley/media/pipe"
)

// countedCodecs are real, and count what their decoders are given.
type countedCodecs struct {
	media.Codecs
	decoded atomic.Int64
}

func (c *countedCodecs) VideoDecoder(k media.Codec) (media.VideoDecoder, error) {
	d, err := c.Codecs.VideoDecoder(k)
	return countedDecoder{d, c}, err
}

type countedDecoder struct {
	media.VideoDecoder
	c *countedCodecs
}

func (d countedDecoder) Decode(data []byte) (*media.Frame, error) {
	d.c.decoded.Add(1)
	return d.VideoDecoder.Decode(data)
}

// TestNoDecoderForHugePictures: what is larger than any member sends is refused by its header, and
// counted.
func TestNoDecoderForHugePictures(t *testing.T) {
	for _, c := range []struct {
		w, h    int
		most    pipe.Size
		decoded bool
	}{
		{1280, 720, pipe.MaxCamera, true},
		{720, 1280, pipe.MaxCamera, true},
		{1920, 1080, pipe.MaxCamera, true},
		{1922, 1080, pipe.MaxCamera, false},
		{1200, 1200, pipe.MaxCamera, false},
		{2560, 1440, pipe.MaxCamera, false},
		{2560, 1440, pipe.MaxScreen, true},
		{1440, 2560, pipe.MaxScreen, true},
		{1600, 1600, pipe.MaxScreen, false},
		{8192, 8192, pipe.MaxScreen, false},
		{16383, 16383, pipe.MaxScreen, false},
		{16383, 16, pipe.MaxScreen, false},
	} {
		t.Run(fmt.Sprintf("%dx%d", c.w, c.h), func(t *testing.T) {
			codecs := &countedCodecs{Codecs: codec.New()}
			view := pipe.NewView(codecs, false)
			view.Resize(32, 32, media.FitCover)
			synctest.Test(t, func(t *testing.T) {
				r := pipe.NewVideoReceiver(codecs, view, c.most, silent{}, quiet)
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				wg.Go(func() { _ = r.Run(ctx) })
				key := []byte{0x10, 0x80, 0, 0, 0, 0, 0x9D, 0x01, 0x2A, 0, 0, 0, 0, 1, 2, 3}
				copy(key[4:], []byte{0x10, 0, 0, 0x9D, 0x01, 0x2A})
				payload := append([]byte{0x10}, key[4:]...) // a descriptor that begins a frame
				binary.LittleEndian.PutUint16(payload[7:], uint16(c.w))
				binary.LittleEndian.PutUint16(payload[9:], uint16(c.h))
				p := &rtp.Packet{Payload: payload}
				p.Marker = true
				r.Push(p, time.Now())
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if got := codecs.decoded.Load() > 0; got != c.decoded {
					t.Errorf("decoded: %v, want %v", got, c.decoded)
				}
				// The body of each is rubbish, so all count.
				if s := r.Stats(); s.Corrupt == 0 {
					t.Errorf("nothing is counted: %+v", s)
				}
				cancel()
				wg.Wait()
			})
		})
	}
}
