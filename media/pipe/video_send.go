package pipe

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"parley/media"
)

// VideoTarget is what a VideoSender aims at.
type VideoTarget struct {
	BitRate   int  // bit/s that the network allows
	Max       Size // the largest that anybody shows; zero for no bound
	FrameRate float64
	Screen    bool // keep every pixel, give up frame rate first
}

// VideoSender is one local camera or screen on its way out: it captures, encodes each frame
// once, and hands the packet to every subscriber. Without subscribers nothing is encoded.
// It outlives the devices that feed it.
type VideoSender struct {
	codecs media.Codecs
	view   *View // the user's own; may be nil
	log    *slog.Logger
	frames *latest[*media.Frame]

	mu       sync.Mutex
	subs     map[int]func(*media.Packet)
	nextSub  int
	target   VideoTarget
	key      bool
	lastKey  time.Time
	stats    VideoStats
	corrupts int
}

// keyInterval is the shortest time between keyframes that peers ask for: one keyframe
// answers everybody who lost something in the meantime.
const keyInterval = 300 * time.Millisecond

// NewVideoSender returns a sender without a source. view shows the frames to the user.
func NewVideoSender(codecs media.Codecs, view *View, log *slog.Logger) *VideoSender {
	return &VideoSender{
		codecs: codecs, view: view, log: log,
		frames: newLatest((*media.Frame).Release),
		subs:   make(map[int]func(*media.Packet)),
		target: VideoTarget{BitRate: 1_000_000, FrameRate: 30},
	}
}

// Subscribe has every packet from the next keyframe on given to f, on the encoder's
// goroutine; f must not block. The keyframe is on its way when Subscribe returns.
func (s *VideoSender) Subscribe(f func(*media.Packet)) (cancel func()) {
	started := false
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.nextSub
	s.nextSub++
	s.subs[id] = func(p *media.Packet) {
		if started = started || p.Key; started {
			f(p)
		}
	}
	s.key, s.lastKey = true, time.Time{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.subs, id)
	}
}

// RequestKeyframe makes the next frame a keyframe, at most one every keyInterval.
func (s *VideoSender) RequestKeyframe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = true
}

// SetTarget changes what the encoder aims at, from the next frame on.
func (s *VideoSender) SetTarget(t VideoTarget) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.target = t
}

// Stats returns a copy of the counters.
func (s *VideoSender) Stats() VideoStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Dropped += s.frames.drops()
	return st
}

// Run captures from src and encodes until ctx ends (nil) or the source or the encoder
// fails. One Run at a time.
func (s *VideoSender) Run(ctx context.Context, src media.VideoSource) error {
	g, ctx := errgroup.WithContext(ctx)
	ctx, cancel := context.WithCancel(ctx)
	g.Go(func() error {
		defer cancel() // a file that ends without an error ends the encoder too
		return src.Run(ctx, s.capture)
	})
	g.Go(func() error { return s.encodeLoop(ctx) })
	err := g.Wait()
	if f, ok := s.frames.take(); ok {
		f.Release()
	}
	if s.view != nil {
		s.view.Pause()
	}
	return err
}

// capture shows the frame to the user and leaves it for the encoder.
func (s *VideoSender) capture(f *media.Frame) {
	if s.view != nil {
		if err := s.view.show(f, f.Captured); err != nil {
			s.warn("preview", err)
		}
	}
	s.mu.Lock()
	wanted := len(s.subs) > 0
	s.mu.Unlock()
	if wanted {
		s.frames.put(f.Retain())
	}
}

func (s *VideoSender) encodeLoop(ctx context.Context) error {
	var enc media.VideoEncoder
	var now media.VideoConfig
	defer func() {
		if enc != nil {
			enc.Close()
		}
	}()
	pace := pacer{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.frames.ready:
		}
		f, ok := s.frames.take()
		if !ok {
			continue
		}
		target, key := s.next(f.Captured)
		if !key && !pace.due(f.Captured, target.FrameRate) {
			f.Release()
			continue
		}
		want := configFor(target, f, now)
		var err error
		switch {
		case enc == nil:
			enc, err = s.codecs.VideoEncoder(want)
		case want != now:
			err = enc.Configure(want)
		}
		if err != nil {
			f.Release()
			return fmt.Errorf("set up encoder for %dx%d: %w", want.Width, want.Height, err)
		}
		now = want
		p, err := enc.Encode(f, key)
		f.Release()
		if err != nil {
			s.warn("encode", err)
			s.mu.Lock()
			s.key, s.corrupts = true, s.corrupts+1
			failed := s.corrupts > 30
			s.mu.Unlock()
			if failed {
				return fmt.Errorf("encode: %w", err)
			}
			continue
		}
		s.send(p)
	}
}

// next returns the target and whether the frame captured at the given time is to be a
// keyframe.
func (s *VideoSender) next(captured time.Time) (VideoTarget, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := s.key && (captured.IsZero() || captured.Sub(s.lastKey) >= keyInterval)
	if key {
		s.key = false
		s.lastKey = captured
	}
	return s.target, key
}

func (s *VideoSender) send(p *media.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p == nil {
		s.stats.Dropped++
		return
	}
	s.corrupts = 0
	s.stats.Frames++
	s.stats.Bytes += uint64(len(p.Data))
	s.stats.Width, s.stats.Height = p.Width, p.Height
	if p.Key {
		s.stats.Keyframes++
	}
	for _, f := range s.subs {
		f(p)
	}
}

// warn logs the first of a row of equal troubles.
func (s *VideoSender) warn(what string, err error) {
	s.mu.Lock()
	first := s.stats.Corrupt == 0
	s.stats.Corrupt++
	s.mu.Unlock()
	if first {
		s.log.Warn("video send", "step", what, "err", err)
	}
}

// pacer thins frames out to a lower rate, keeping their spacing even.
type pacer struct{ next time.Time }

// due reports whether the frame captured at t is one to encode at the given rate. A source
// at that rate or below loses none: half a frame of jitter is forgiven.
func (p *pacer) due(t time.Time, rate float64) bool {
	if rate <= 0 {
		return true
	}
	interval := time.Duration(float64(time.Second) / rate)
	if t.Add(interval / 2).Before(p.next) {
		return false
	}
	p.next = p.next.Add(interval)
	if p.next.Before(t) || p.next.Sub(t) > 2*interval {
		p.next = t.Add(interval)
	}
	return true
}
