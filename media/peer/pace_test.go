package peer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"

	"parley/media"
)

// hdRate is the highest rate of a 1280x720 camera, with sound.
const hdRate = 2_500_000

// TestRampsByProbing: on a fast path, the estimate reaches the camera's full rate within two seconds.
func TestRampsByProbing(t *testing.T) {
	speak(t)
	synctest.Test(t, func(t *testing.T) {
		connect(t, newLab(t, 20*time.Millisecond, 0), func(a, b *end) {
			time.Sleep(2 * time.Second)
			for _, e := range []*end{a, b} {
				s := e.peer.Stats()
				if s.Estimate < hdRate || s.Pace.Probes == 0 {
					t.Errorf("%d bit/s after 2 s and %d probes, want %d", s.Estimate, s.Pace.Probes, hdRate)
				}
			}
			time.Sleep(10 * time.Second)
			for _, e := range []*end{a, b} {
				s := e.peer.Stats()
				if s.Pace.Limited || s.Pace.Dropped > 0 || s.Pace.Wait > 50*time.Millisecond {
					t.Errorf("on a fast path: %+v", s.Pace)
				}
				// Padding must not cost a picture.
				if c := s.Pictures[media.Camera]; c.Requests > 0 || c.Nacks > 0 || c.Corrupt > 0 {
					t.Errorf("%d keyframes asked for, %d packets, %d corrupt", c.Requests, c.Nacks, c.Corrupt)
				}
			}
		})
	})
}

// written records what a track sends.
type written struct{ packets []rtp.Header }

func (w *written) WriteRTP(h *rtp.Header, _ []byte) (int, error) {
	w.packets = append(w.packets, *h)
	return 0, nil
}

func (w *written) Write([]byte) (int, error) { return 0, nil }

func TestPadding(t *testing.T) {
	w := &written{}
	tr := newTrack(ada, media.Camera)
	tr.header.SequenceNumber = 65534
	if tr.stream = w; tr.pad(1000) != 0 || len(w.packets) != 0 {
		t.Error("padding before there was a picture")
	}
	tr.frames = 1
	if n := tr.pad(1000); n < 1000 || n > 1020 {
		t.Errorf("%d bytes of padding, want about 1000", n)
	}
	for i, h := range w.packets {
		if !h.Padding || h.PaddingSize == 0 || h.Marker || h.SequenceNumber != uint16(65535+i) {
			t.Errorf("padding packet %d: %+v", i, h)
		}
	}
	if tr.header.Padding || tr.header.SequenceNumber != w.packets[len(w.packets)-1].SequenceNumber {
		t.Error("the next frame does not follow the padding")
	}
}
