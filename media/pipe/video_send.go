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

// VideoSender is one local camera or screen on its way out: it captures, encodes each layer that
// somebody takes once, and hands the packets to whoever takes that layer. Without subscribers
// nothing is encoded. It outlives the devices that feed it.
type VideoSender struct {
	codecs media.Codecs
	view   *View // the user's own; may be nil
	log    *slog.Logger
	frames *latest[*media.Frame]
	wake   chan struct{} // holds a token: somebody waits for a keyframe, and no frame may come

	mu     sync.Mutex
	subs   []*Subscription
	limits VideoLimits
	keys   [layerCount]keyWish
	load   encodeLoad
	stats  VideoStats
}

// keyWish is the wish for a keyframe of one layer.
type keyWish struct {
	wanted bool
	last   time.Time // capture time of the last one
}

// keyInterval is the shortest time between keyframes that peers ask for: one keyframe
// answers everybody who lost something in the meantime.
const keyInterval = 300 * time.Millisecond

// NewVideoSender returns a sender without a source. view shows the frames to the user.
func NewVideoSender(codecs media.Codecs, view *View, log *slog.Logger) *VideoSender {
	return &VideoSender{
		codecs: codecs, view: view, log: log,
		frames: newLatest((*media.Frame).Release),
		wake:   make(chan struct{}, 1),
		limits: VideoLimits{FrameRate: 30},
	}
}

// SetLimits changes what may be spent, from the next frame on.
func (s *VideoSender) SetLimits(l VideoLimits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = l
}

// Stats returns a copy of the counters.
func (s *VideoSender) Stats() VideoStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Dropped += s.frames.drops()
	return st
}

// Load is the part of the time between two frames that capturing and encoding one takes, 1 and
// more when encoding cannot keep up; 0 while nothing is encoded. It is a mean over about a second.
func (s *VideoSender) Load() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.load.mean
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
	s.mu.Lock()
	s.load = encodeLoad{}
	s.mu.Unlock()
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
	s.frames.put(f.Retain())
}

// layerEncoder codes one layer. It belongs to the encoding goroutine.
type layerEncoder struct {
	enc    media.VideoEncoder // nil while nobody wants the layer
	cfg    media.VideoConfig
	failed int // frames refused in a row
}

func (e *layerEncoder) close() {
	if e.enc != nil {
		e.enc.Close()
		*e = layerEncoder{}
	}
}

// maxFailed is how many frames in a row an encoder may refuse before the source is given up.
const maxFailed = 30

func (s *VideoSender) encodeLoop(ctx context.Context) error {
	var encoders [layerCount]layerEncoder
	defer func() {
		for i := range encoders {
			encoders[i].close()
		}
	}()
	pace := pacer{}
	still := newStill()
	defer still.close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.frames.ready:
		case <-s.wake:
		case <-still.timer.C:
		}
		begin := time.Now()
		f, again := s.pick(still, begin)
		if f == nil {
			continue
		}
		layers, key, rate := s.plan(f)
		if !key && !again.on && !pace.due(f.Captured, rate) {
			continue
		}
		again.apply(&layers[0])
		before := s.Stats()
		if err := s.encode(f, layers, &encoders); err != nil {
			return err
		}
		still.coded(begin, before, s.Stats(), layers[0].cfg.BitRate, again)
		s.poke() // what is to be done with this frame later?
		if !again.on {
			s.measure(time.Since(begin), rate)
		}
	}
}

// plan settles how the frame is to be coded, whether some layer owes a keyframe that may not wait,
// and the frame rate.
func (s *VideoSender) plan(f *media.Frame) (layers [layerCount]layer, key bool, rate float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wants, places := make([]VideoWant, len(s.subs)), make([]place, len(s.subs))
	for i, u := range s.subs {
		wants[i], places[i] = u.want, u.place
	}
	layers = plan(f.Width, f.Height, s.limits, wants, places)
	for i, u := range s.subs {
		u.place = places[i]
		key = key || u.from != u.place.layer
	}
	for i := range s.keys {
		key = key || s.keys[i].due(f.Captured)
	}
	return layers, key, s.limits.FrameRate
}

// due says whether a keyframe was asked for and the last one is long enough ago.
func (k keyWish) due(captured time.Time) bool {
	return k.wanted && (captured.IsZero() || captured.Sub(k.last) >= keyInterval)
}

// encode codes the layers that somebody waits for, largest first, and then, as long as somebody
// still gets them, the others: who changes layers does so within one frame.
func (s *VideoSender) encode(f *media.Frame, layers [layerCount]layer, encoders *[layerCount]layerEncoder) error {
	var done [layerCount]bool
	for _, awaited := range []bool{true, false} {
		for l := layerCount - 1; l >= 0; l-- {
			e := &encoders[l]
			wait, use := s.use(l)
			if done[l] || awaited && !wait {
				continue
			}
			done[l] = true
			if !use {
				e.close()
				continue
			}
			cfg := layers[l].cfg
			if !layers[l].on {
				cfg = e.cfg // its last subscriber has not yet got the keyframe of another
			}
			if err := s.encodeLayer(l, f, cfg, wait, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// use says whether somebody waits to get layer l, and whether anybody gets it or waits for it.
func (s *VideoSender) use(l int) (awaited, used bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.subs {
		awaited = awaited || u.place.layer == l && u.from != l
		used = used || u.place.layer == l || u.from == l
	}
	return awaited, used
}

func (s *VideoSender) encodeLayer(l int, f *media.Frame, cfg media.VideoConfig, awaited bool, e *layerEncoder) error {
	if cfg.Width == 0 {
		return nil // it was never coded
	}
	var err error
	switch {
	case e.enc == nil:
		e.enc, err = s.codecs.VideoEncoder(cfg)
	case cfg != e.cfg:
		err = e.enc.Configure(cfg)
	}
	if err != nil {
		return fmt.Errorf("set up encoder for %dx%d: %w", cfg.Width, cfg.Height, err)
	}
	e.cfg = cfg
	p, err := e.enc.Encode(f, s.takeKey(l, f.Captured, awaited))
	if err != nil {
		s.warn("encode", err)
		s.mu.Lock()
		s.keys[l].wanted = true
		s.mu.Unlock()
		if e.failed++; e.failed > maxFailed {
			return fmt.Errorf("encode: %w", err)
		}
		return nil
	}
	e.failed = 0
	s.send(l, p)
	return nil
}

// takeKey says whether the frame is to be a keyframe in layer l.
func (s *VideoSender) takeKey(l int, captured time.Time, awaited bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := &s.keys[l]
	if !awaited && !k.due(captured) {
		return false
	}
	*k = keyWish{last: captured}
	return true
}

// send passes a packet of layer l to its subscribers.
func (s *VideoSender) send(l int, p *media.Packet) {
	s.mu.Lock()
	if p == nil {
		s.stats.Dropped++
		s.mu.Unlock()
		return
	}
	s.stats.Frames++
	s.stats.Bytes += uint64(len(p.Data))
	s.stats.Width, s.stats.Height = p.Width, p.Height
	if p.Key {
		s.stats.Keyframes++
	}
	takers := make([]*Subscription, 0, len(s.subs))
	for _, u := range s.subs {
		if u.takes(l, p) {
			takers = append(takers, u)
		}
	}
	s.mu.Unlock()
	for _, u := range takers {
		u.f(p)
	}
}

// encodeLoad measures how much of the time between frames their encoding takes.
type encodeLoad struct{ mean float64 }

// loadInertia is how many frames the mean looks back: about a second.
const loadInertia = 30

func (s *VideoSender) measure(took time.Duration, rate float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.load.mean += (took.Seconds()*rate - s.load.mean) / loadInertia
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
