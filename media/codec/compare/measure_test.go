package compare

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"parley/media"
	"parley/media/codec"
	"parley/media/mediatest"
)

// coder is what the measurement needs of an encoder: nil data is a dropped frame.
type coder interface {
	encode(f *media.Frame, key bool) ([]byte, error)
	close()
}

// product is the encoder that the program uses.
type product struct{ enc media.VideoEncoder }

func (p product) encode(f *media.Frame, key bool) ([]byte, error) {
	pkt, err := p.enc.Encode(f, key)
	if pkt == nil || err != nil {
		return nil, err
	}
	return pkt.Data, nil
}

func (p product) close() { p.enc.Close() }

// bare is an encoder of this package.
type bare struct{ *Encoder }

func (b bare) encode(f *media.Frame, key bool) ([]byte, error) { return b.Encode(f, key) }

func (b bare) close() { b.Close() }

// trial is one line of a table: what codes each frame. The last coder's picture is the one that is
// decoded and looked at, at w by h.
type trial struct {
	name  string
	codec media.Codec
	w, h  int
	open  func(t testing.TB) []coder
	clock int32 // which CPU clock; 0 is the thread's

	figures
}

// figures are sums over the frames that were measured.
type figures struct {
	n, compared    int
	encode, decode time.Duration
	bytes, shown   int // of all coders, of the last
	psnr, ssim     float64
}

// Rate control settles in the first second of a clip, which is not measured. Every third frame is
// compared.
const (
	clipFrames = 90
	settle     = 30
	compared   = 3
)

func (tr *trial) now() time.Duration {
	clock := int32(unix.CLOCK_THREAD_CPUTIME_ID)
	if tr.clock != 0 {
		clock = tr.clock
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// run codes a clip, whose pictures have the size of the source, and compares with the same pictures
// at the size that is shown, to which it scales. The thread must be locked.
func (tr *trial) run(t testing.TB, source, shown []*media.Frame) {
	coders := tr.open(t)
	dec, err := codec.New().VideoDecoder(tr.codec)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	var seen *media.Frame
	for i, f := range source {
		var s figures
		begin := tr.now()
		var data []byte
		for _, c := range coders {
			if data, err = c.encode(f, i == 0); err != nil {
				t.Fatal(tr.name, err)
			}
			s.bytes += len(data)
		}
		s.shown = len(data)
		s.encode = tr.now() - begin
		if data != nil {
			begin = tr.now()
			if seen, err = dec.Decode(data); err != nil || seen == nil {
				t.Fatal(tr.name, "decode:", err)
			}
			s.decode = tr.now() - begin
		}
		if i < settle {
			continue
		}
		if i%compared == 0 {
			pic := seen
			if want := shown[i]; pic.Width != want.Width {
				pic = resize(t, seen, want.Width, want.Height)
			}
			s.compared, s.psnr, s.ssim = 1, mediatest.PSNR(shown[i], pic), mediatest.SSIM(shown[i], pic)
		}
		tr.add(s)
	}
	for _, c := range coders {
		c.close()
	}
}

func (f *figures) add(s figures) {
	f.n++
	f.compared += s.compared
	f.encode += s.encode
	f.decode += s.decode
	f.bytes += s.bytes
	f.shown += s.shown
	f.psnr += s.psnr
	f.ssim += s.ssim
}

// per is a time in milliseconds for each frame.
func (f *figures) per(d time.Duration) float64 { return d.Seconds() * 1000 / float64(f.n) }

// kbps is the rate of so many bytes at 30 frames a second.
func (f *figures) kbps(bytes int) float64 { return float64(bytes) * 8 * 30 / 1000 / float64(f.n) }
