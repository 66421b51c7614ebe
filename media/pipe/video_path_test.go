package pipe_test

import (
	"context"
	"errors"
	"image"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"

	"parley/media"
	"parley/media/codec"
	"parley/media/pipe"
)

var quiet = slog.New(slog.DiscardHandler)

// pattern is a camera whose every frame is a gradient that moves, with a stamp.
type pattern struct {
	w, h   int
	frames int // 0: until ctx ends
	gap    time.Duration
}

func (pattern) Info() media.VideoInfo { return media.VideoInfo{} }
func (pattern) Close() error          { return nil }

func (p pattern) Run(ctx context.Context, emit func(*media.Frame)) error {
	tick := time.NewTicker(p.gap)
	defer tick.Stop()
	for n := 0; p.frames == 0 || n < p.frames; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		f := media.NewFrame(p.w, p.h)
		for y := range p.h {
			for x := range p.w {
				f.Y[y*f.YStride+x] = byte(32 + (x+y+4*n)%192)
			}
		}
		for i := range f.U {
			f.U[i], f.V[i] = 110, 140
		}
		f.Captured = time.Now()
		media.DrawStamp(f, f.Captured)
		emit(f)
		f.Release()
	}
	return errors.New("the pattern is over")
}

// wire carries packets from a sender to a receiver, loses some, and sends them again when
// they are asked for.
type wire struct {
	mu       sync.Mutex
	loss     float64
	rng      *rand.Rand
	seq      uint16
	sent     map[uint16]*rtp.Packet
	to       *pipe.VideoReceiver
	sender   *pipe.VideoSender
	sub      *pipe.Subscription
	keys     int
	nacked   int
	repaired bool // answers what is asked for
}

func (w *wire) carry(p *media.Packet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ts := uint32(p.Captured.UnixMicro() * 9 / 100)
	for data, first := p.Data, true; len(data) > 0; first = false {
		n := min(len(data), 1000)
		pkt := &rtp.Packet{Payload: append([]byte{0}, data[:n]...)}
		if first {
			pkt.Payload[0] = 0x10
		}
		data = data[n:]
		w.seq++
		pkt.SequenceNumber, pkt.Timestamp, pkt.Marker = w.seq, ts, len(data) == 0
		w.sent[w.seq] = pkt
		if w.rng.Float64() >= w.loss {
			w.to.Push(pkt, time.Now())
		}
	}
}

func (w *wire) Nack(seqs []uint16) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nacked += len(seqs)
	for _, s := range seqs {
		if p := w.sent[s]; p != nil && w.repaired && w.rng.Float64() >= w.loss {
			w.to.Push(p, time.Now())
		}
	}
}

func (w *wire) RequestKeyframe() {
	w.mu.Lock()
	w.keys++
	w.mu.Unlock()
	w.sub.RequestKeyframe()
}

// path runs a camera through encoder, wire and decoder into a view until the time is over.
func path(t *testing.T, src pattern, w *wire, view *pipe.View, d time.Duration) (in, out pipe.VideoStats) {
	t.Helper()
	c := codec.New()
	w.rng, w.sent = rand.New(rand.NewPCG(1, 2)), make(map[uint16]*rtp.Packet)
	w.sender = pipe.NewVideoSender(c, nil, quiet)
	w.to = pipe.NewVideoReceiver(c, view, pipe.MaxScreen, w, quiet)
	w.to.SetRTT(5 * time.Millisecond)
	w.sub = w.sender.Subscribe(pipe.VideoWant{BitRate: 1_000_000}, w.carry)
	defer w.sub.Cancel()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.sender.Run(ctx, src); err != nil && ctx.Err() == nil {
			t.Error("send:", err)
		}
	})
	wg.Go(func() {
		if err := w.to.Run(ctx); err != nil {
			t.Error("receive:", err)
		}
	})
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		<-tick.C
		if p := view.Take(); p != nil {
			view.Painted(p.Captured, time.Now())
		}
	}
	wg.Wait()
	return w.sender.Stats(), w.to.Stats()
}

func TestVideoPathShowsTheSendersFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		view := pipe.NewView(codec.New(), false)
		view.Resize(320, 180, media.FitCover)
		w := &wire{repaired: true}
		sent, seen := path(t, pattern{w: 640, h: 360, gap: time.Second / 30}, w, view, 2*time.Second)
		if seen.Frames < sent.Frames*9/10 || sent.Frames < 20 {
			t.Errorf("%d frames sent, %d decoded", sent.Frames, seen.Frames)
		}
		if seen.Width != 640 || seen.Height != 360 {
			t.Errorf("decoded %dx%d", seen.Width, seen.Height)
		}
		if seen.Latency <= 0 {
			t.Error("the stamp was not read: no latency")
		}
		if sent.Keyframes != 1 || seen.Requests != 0 {
			t.Errorf("%d keyframes sent, %d asked for, on a path without loss", sent.Keyframes, seen.Requests)
		}
	})
}

func TestVideoPathRepairsLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		view := pipe.NewView(codec.New(), false)
		view.Resize(320, 180, media.FitCover)
		w := &wire{repaired: true, loss: 0.1}
		sent, seen := path(t, pattern{w: 640, h: 360, gap: time.Second / 30}, w, view, 3*time.Second)
		if w.nacked == 0 || seen.Repaired == 0 {
			t.Fatalf("asked for %d packets, %d repaired", w.nacked, seen.Repaired)
		}
		if seen.Frames < sent.Frames*8/10 {
			t.Errorf("%d of %d frames came through 10%% loss with repair", seen.Frames, sent.Frames)
		}
	})
}

func TestVideoPathAsksForAKeyframeWhenRepairFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		view := pipe.NewView(codec.New(), false)
		view.Resize(320, 180, media.FitCover)
		w := &wire{repaired: false, loss: 0.05}
		sent, seen := path(t, pattern{w: 640, h: 360, gap: time.Second / 30}, w, view, 4*time.Second)
		if w.keys == 0 || sent.Keyframes < 2 {
			t.Fatalf("%d keyframes asked for, %d sent", w.keys, sent.Keyframes)
		}
		if seen.Frames == 0 || seen.Lost == 0 || seen.Corrupt != 0 {
			t.Errorf("decoded %d, lost %d, corrupt %d", seen.Frames, seen.Lost, seen.Corrupt)
		}
	})
}

// TestVideoOfAHiddenViewIsNotDecoded: not even what was held back for lip-sync when it was hidden.
// The sender goes on here, as one does who has not heard of it.
func TestVideoOfAHiddenViewIsNotDecoded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := codec.New()
		view := pipe.NewView(c, false)
		view.Resize(320, 180, media.FitCover)
		w := &wire{rng: rand.New(rand.NewPCG(1, 2)), sent: make(map[uint16]*rtp.Packet)}
		w.sender = pipe.NewVideoSender(c, nil, quiet)
		w.to = pipe.NewVideoReceiver(c, view, pipe.MaxScreen, w, quiet)
		w.to.SetRTT(5 * time.Millisecond)
		w.to.SetExtraDelay(500 * time.Millisecond)
		w.sub = w.sender.Subscribe(pipe.VideoWant{BitRate: 1_000_000}, w.carry)
		defer w.sub.Cancel()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		wg.Go(func() { _ = w.sender.Run(ctx, pattern{w: 640, h: 360, gap: time.Second / 30}) })
		wg.Go(func() { _ = w.to.Run(ctx) })
		until := func(what string, ok func(s pipe.VideoStats) bool) pipe.VideoStats {
			t.Helper()
			for begin := time.Now(); time.Since(begin) < 20*time.Second; time.Sleep(5 * time.Millisecond) {
				if s := w.to.Stats(); ok(s) {
					return s
				}
			}
			t.Fatalf("never %s: %+v", what, w.to.Stats())
			return pipe.VideoStats{}
		}
		sent := func(frames uint64) {
			t.Helper()
			from := w.sender.Stats().Frames
			until("sent more", func(pipe.VideoStats) bool { return w.sender.Stats().Frames >= from+frames })
		}

		until("decoded", func(s pipe.VideoStats) bool { return s.Frames >= 30 })
		view.Resize(0, 0, media.FitCover)
		sent(5) // one may be in the decoder's hands
		hidden := w.to.Stats()
		sent(30)
		if s := w.to.Stats(); s.Frames != hidden.Frames || s.Requests != hidden.Requests {
			t.Errorf("hidden: %d frames decoded, %d keyframes asked for", s.Frames-hidden.Frames, s.Requests-hidden.Requests)
		}
		view.Resize(320, 180, media.FitCover)
		shown := until("decoded again", func(s pipe.VideoStats) bool { return s.Frames >= hidden.Frames+30 })
		if shown.Keyframes != 2 || shown.Requests == 0 || shown.Corrupt != 0 {
			t.Errorf("shown again: %d keyframes decoded, %d asked for, %d corrupt", shown.Keyframes, shown.Requests, shown.Corrupt)
		}
	})
}

func TestVideoSenderWithoutSubscribersEncodesNothing(t *testing.T) {
	view := pipe.NewView(codec.New(), true)
	view.Resize(240, 135, media.FitCover)
	s := pipe.NewVideoSender(codec.New(), view, quiet)
	err := s.Run(context.Background(), pattern{w: 640, h: 360, frames: 5, gap: time.Millisecond})
	if err == nil {
		t.Error("a source that failed was not reported")
	}
	if got := s.Stats().Frames; got != 0 {
		t.Errorf("%d frames encoded for nobody", got)
	}
}

func TestViewTakesTheNewestAndKeepsWhatIsShown(t *testing.T) {
	c := codec.New()
	s := pipe.NewView(c, false)
	s.Resize(64, 36, media.FitContain)
	sender := pipe.NewVideoSender(c, s, quiet)
	show := func() { _ = sender.Run(context.Background(), pattern{w: 64, h: 64, frames: 1, gap: time.Microsecond}) }
	if s.Take() != nil {
		t.Error("a picture before any was shown")
	}
	var kept []byte
	var held *media.Picture
	for i := range 20 {
		emitAndTake := func() *media.Picture {
			got := make(chan *media.Picture, 1)
			src := oneShot{pattern{w: 64, h: 64}, i, func() { got <- s.Take() }}
			_ = sender.Run(context.Background(), src)
			return <-got
		}
		p := emitAndTake()
		if p == nil {
			t.Fatal("no picture after a frame was shown")
		}
		if want := image.Rect(0, 0, 36, 36); p.Image.Rect != want {
			t.Fatalf("picture of %v, want %v for a square in 64x36", p.Image.Rect, want)
		}
		if held != nil && string(kept) != string(held.Image.Pix) {
			t.Fatal("the picture on the screen was written to while the next one came")
		}
		held, kept = p, append([]byte(nil), p.Image.Pix...)
	}
	show()
	s.Resize(0, 0, media.FitCover)
	if s.Take() != nil {
		t.Error("a hidden tile still has a picture")
	}
}

// TestViewShowsOddShapesWhole: what would lose more than an eighth of a face is not cut, also when the
// camera is turned in the middle of a call.
func TestViewShowsOddShapesWhole(t *testing.T) {
	c := codec.New()
	v := pipe.NewView(c, false)
	v.Resize(320, 180, media.FitCover)
	sender := pipe.NewVideoSender(c, v, quiet)
	for _, s := range []struct {
		w, h int
		want image.Point
	}{
		{1280, 720, image.Pt(320, 180)},
		{720, 1280, image.Pt(101, 180)},
		{1000, 1000, image.Pt(180, 180)},
		{640, 480, image.Pt(240, 180)},
		{2560, 1080, image.Pt(320, 135)},
		{1280, 800, image.Pt(320, 180)},
		{360, 640, image.Pt(101, 180)},
		{1280, 720, image.Pt(320, 180)},
	} {
		var p *media.Picture
		src := oneShot{pattern{w: s.w, h: s.h}, 1, func() { p = v.Take() }}
		_ = sender.Run(context.Background(), src)
		if p == nil || p.Image.Rect.Size() != s.want || p.Source != image.Pt(s.w, s.h) {
			t.Errorf("%dx%d in 320x180: %+v, want %v", s.w, s.h, p, s.want)
		}
	}
}

// oneShot emits one frame of a given shade and then has something done before it ends.
type oneShot struct {
	pattern
	n    int
	then func()
}

func (o oneShot) Run(_ context.Context, emit func(*media.Frame)) error {
	f := media.NewFrame(o.w, o.h)
	for i := range f.Y {
		f.Y[i] = byte(16 + 10*o.n)
	}
	emit(f)
	f.Release()
	o.then()
	return nil
}

// FuzzVideoReceiver feeds packets that no sender makes.
func FuzzVideoReceiver(f *testing.F) {
	enc, err := codec.New().VideoEncoder(media.VideoConfig{Codec: media.VP8, Width: 64, Height: 48, BitRate: 100_000, FrameRate: 30})
	if err != nil {
		f.Fatal(err)
	}
	defer enc.Close()
	frame := media.NewFrame(64, 48)
	key, err := enc.Encode(frame, true)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(1), uint32(0), true, append([]byte{0x10}, key.Data...), byte(0))
	f.Add(uint16(65535), uint32(1<<31), false, []byte{0x90, 0x80, 0xff, 0xff}, byte(3))
	f.Add(uint16(0), uint32(0), true, []byte{}, byte(255))
	f.Fuzz(func(t *testing.T, seq uint16, ts uint32, marker bool, payload []byte, step byte) {
		view := pipe.NewView(codec.New(), false)
		view.Resize(32, 32, media.FitCover)
		r := pipe.NewVideoReceiver(codec.New(), view, pipe.MaxScreen, silent{}, quiet)
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { _ = r.Run(ctx) })
		for i := range 8 {
			p := &rtp.Packet{Payload: payload}
			p.SequenceNumber, p.Timestamp = seq+uint16(i)*uint16(step), ts+uint32(i)*3000
			p.Marker = marker
			r.Push(p, time.Now())
		}
		cancel()
		wg.Wait()
	})
}

type silent struct{}

func (silent) Nack([]uint16)    {}
func (silent) RequestKeyframe() {}
