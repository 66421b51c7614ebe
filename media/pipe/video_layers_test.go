package pipe_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/media"
	"parley/media/codec"
	"parley/media/pipe"
)

// taker is one subscriber that decodes what it gets.
type taker struct {
	t     *testing.T
	dec   media.VideoDecoder
	mu    sync.Mutex
	sizes []int // heights of the pictures decoded
	keys  int
	gaps  int // captured frames in between that it did not get
	last  time.Time
	of    map[time.Time]int // heights by capture time
}

func newTaker(t *testing.T) *taker {
	dec, err := codec.New().VideoDecoder(media.VP8)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dec.Close() })
	return &taker{t: t, dec: dec, of: make(map[time.Time]int)}
}

func (k *taker) take(p *media.Packet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f, err := k.dec.Decode(p.Data)
	if err != nil || f == nil {
		k.t.Errorf("frame %d cannot be decoded: %v", len(k.sizes), err)
		return
	}
	k.sizes = append(k.sizes, f.Height)
	k.of[p.Captured] = f.Height
	if p.Key {
		k.keys++
	}
	if !k.last.IsZero() && p.Captured.Sub(k.last) > 34*time.Millisecond {
		k.gaps++
	}
	k.last = p.Captured
}

// steps is a camera that emits frames of exactly 30 a second as fast as they are encoded, and has
// something done before some of them.
type steps struct {
	w, h, n int
	at      map[int]func()
	done    func(n int) bool // says whether frame n was encoded
}

func (steps) Info() media.VideoInfo { return media.VideoInfo{} }
func (steps) Close() error          { return nil }

func (s steps) Run(ctx context.Context, emit func(*media.Frame)) error {
	start := time.Now()
	for n := range s.n {
		if f := s.at[n]; f != nil {
			f()
		}
		f := media.NewFrame(s.w, s.h)
		for y := range s.h {
			for x := range s.w {
				f.Y[y*f.YStride+x] = byte(32 + (x+y+4*n)%192)
			}
		}
		for i := range f.U {
			f.U[i], f.V[i] = 110, 140
		}
		f.Captured = start.Add(time.Duration(n) * time.Second / 30)
		emit(f)
		f.Release()
		for !s.done(n+1) && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}

// TestLayersSwitchWithoutAGap moves a subscriber between layers: it gets every captured frame,
// each can be decoded, and no frame is coded twice for it.
func TestLayersSwitchWithoutAGap(t *testing.T) {
	s := pipe.NewVideoSender(codec.New(), nil, quiet)
	k := newTaker(t)
	rich := pipe.VideoWant{BitRate: 2_500_000, Max: pipe.Size{W: 1280, H: 720}}
	u := s.Subscribe(rich, k.take)
	src := steps{w: 1280, h: 720, n: 90, at: map[int]func(){
		30: func() { u.Set(pipe.VideoWant{BitRate: 250_000, Max: pipe.Size{W: 1280, H: 720}}) },
		60: func() { u.Set(rich) },
	}, done: func(n int) bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		st := s.Stats()
		return int(st.Frames+st.Dropped) >= n
	}}
	if err := s.Run(t.Context(), src); err != nil {
		t.Fatal(err)
	}
	st := s.Stats()
	// While rate control drops the keyframe of the new layer, the old one goes on.
	if extra := int(st.Frames+st.Dropped) - src.n; extra < 0 || extra > 2 {
		t.Errorf("%d frames coded and %d dropped, of %d captured", st.Frames, st.Dropped, src.n)
	}
	if k.gaps > int(st.Dropped) {
		t.Errorf("%d gaps, and rate control dropped only %d", k.gaps, st.Dropped)
	}
	if k.keys != 3 {
		t.Errorf("%d keyframes, want one for each layer begun: 3", k.keys)
	}
	if n := len(k.sizes); k.sizes[0] != 720 || k.sizes[n/2] != 360 || k.sizes[n-1] != 720 {
		t.Errorf("heights %d, %d, %d; want 720, 360, 720", k.sizes[0], k.sizes[n/2], k.sizes[n-1])
	}
}

// TestLayersAreCodedOnce has eight subscribers on two layers: two encodings a frame, and a
// keyframe that one of them asks for goes to its layer alone.
func TestLayersAreCodedOnce(t *testing.T) {
	s := pipe.NewVideoSender(codec.New(), nil, quiet)
	var takers [8]*taker
	var subs [8]*pipe.Subscription
	for i := range takers {
		takers[i] = newTaker(t)
		want := pipe.VideoWant{BitRate: 2_500_000, Max: pipe.Size{W: 1280, H: 720}}
		if i%2 == 1 {
			want.Max = pipe.Size{W: 320, H: 180}
		}
		subs[i] = s.Subscribe(want, takers[i].take)
	}
	src := steps{w: 1280, h: 720, n: 40, at: map[int]func(){20: subs[1].RequestKeyframe}, done: func(n int) bool {
		st := s.Stats()
		return int(st.Frames+st.Dropped) >= 2*n
	}}
	if err := s.Run(t.Context(), src); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Frames+st.Dropped != 80 {
		t.Errorf("%d encodings of 40 frames for two layers, want 80", st.Frames+st.Dropped)
	}
	for i, k := range takers {
		height, keys := 720, 1
		if i%2 == 1 {
			height, keys = 180, 2
		}
		if len(k.sizes) == 0 || k.sizes[len(k.sizes)-1] != height || k.keys != keys {
			t.Errorf("subscriber %d: %d frames, %d keyframes, want %d of %d lines", i, len(k.sizes), k.keys, keys, height)
		}
	}
}

// TestWeakSubscriberGetsHalfTheFrames, all of which can be decoded, while the strong one gets all.
func TestWeakSubscriberGetsHalfTheFrames(t *testing.T) {
	s := pipe.NewVideoSender(codec.New(), nil, quiet)
	strong, weak := newTaker(t), newTaker(t)
	s.Subscribe(pipe.VideoWant{BitRate: 2_500_000}, strong.take)
	s.Subscribe(pipe.VideoWant{BitRate: 1_700_000}, weak.take)
	src := steps{w: 1280, h: 720, n: 60, done: func(n int) bool {
		st := s.Stats()
		return int(st.Frames+st.Dropped) >= n
	}}
	if err := s.Run(t.Context(), src); err != nil {
		t.Fatal(err)
	}
	all, half := len(strong.sizes), len(weak.sizes)
	if half < all*2/5 || half > all*3/5 {
		t.Errorf("the weak one got %d frames, the strong one %d", half, all)
	}
}

// BenchmarkSenderSubscribers is the cost of coding for one and for eight: encode once.
func BenchmarkSenderSubscribers(b *testing.B) {
	for _, n := range []int{1, 8} {
		b.Run(map[int]string{1: "one", 8: "eight"}[n], func(b *testing.B) {
			s := pipe.NewVideoSender(codec.New(), nil, quiet)
			for range n {
				s.Subscribe(pipe.VideoWant{BitRate: 2_000_000}, func(*media.Packet) {})
			}
			src := steps{w: 1280, h: 720, n: b.N, done: func(n int) bool {
				st := s.Stats()
				return int(st.Frames+st.Dropped) >= n
			}}
			if err := s.Run(b.Context(), src); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// sizes is a camera that changes its size with every frame, when the one before has arrived.
type sizes struct {
	steps
	list  []pipe.Size
	start time.Time
	at    *taker
}

func (s sizes) captured(n int) time.Time { return s.start.Add(time.Duration(n) * time.Second / 30) }

// height is that of frame n as it arrived, 0 if it has not.
func (s sizes) height(n int) int {
	s.at.mu.Lock()
	defer s.at.mu.Unlock()
	return s.at.of[s.captured(n)]
}

func (s sizes) Run(ctx context.Context, emit func(*media.Frame)) error {
	for n, size := range s.list {
		f := media.NewFrame(size.W, size.H)
		for i := range f.Y {
			f.Y[i] = 128
		}
		for i := range f.U {
			f.U[i], f.V[i] = 110, 140
		}
		f.Captured = s.captured(n)
		emit(f)
		f.Release()
		for s.height(n) == 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}

// TestSizesChangeInMidStream: whatever a device comes up with is coded, and can be decoded, painted
// and shown to its owner.
func TestSizesChangeInMidStream(t *testing.T) {
	c := codec.New()
	view := pipe.NewView(c, true)
	view.Resize(240, 135, media.FitCover)
	s := pipe.NewVideoSender(c, view, quiet)
	src := sizes{start: time.Now(), at: newTaker(t), list: []pipe.Size{
		{640, 360},
		{1, 1},
		{641, 359},
		{media.MaxDimension, media.MaxDimension},
		{3, media.MaxDimension},
		{media.MaxDimension, 1},
		{2, 2},
		{1280, 720},
		{720, 1280},
	}}
	s.Subscribe(pipe.VideoWant{BitRate: 2_500_000, Max: pipe.Size{W: 1280, H: 720}}, src.at.take)
	if err := s.Run(t.Context(), src); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Corrupt != 0 {
		t.Errorf("%d frames were refused", st.Corrupt)
	}
	var heights []int
	for n := range src.list {
		heights = append(heights, src.height(n))
	}
	// The last one is upright: in a wide tile it is shown whole, 405 by 720 pixels large.
	if want := []int{360, 2, 358, 720, pipe.MaxCamera.W, 2, 2, 720, 640}; !slices.Equal(heights, want) {
		t.Errorf("heights %v, want %v", heights, want)
	}
}
