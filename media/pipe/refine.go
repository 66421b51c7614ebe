package pipe

import (
	"time"

	"parley/media"
)

// A screen that stands still is coded again and again, each time with a lower bound on how
// coarse the quantizer may be, until it is as good as the codec makes it. refineSteps are
// those bounds, in libvpx's 0 (finest) to 63; the last one is finer than what the encoder
// spends on a screen that moves. Several steps rather than one: what is worst gets better
// first, and no step is a burst.
var refineSteps = [...]int{40, 28, 20, 12, 6}

const (
	// refineAfter is how long a picture must stand still before it is refined: two pictures
	// of a scrolling page are closer to each other.
	refineAfter = 150 * time.Millisecond
	// refinePause is the least time between two steps.
	refinePause = 50 * time.Millisecond
	// tails are how long after everything else a still picture is coded once more. It costs
	// next to nothing, and tells a receiver what it has lost: of a last packet, nothing else does.
	firstTail, secondTail = 500 * time.Millisecond, 2 * time.Second
	// stillAfter is how old the newest picture must be before it is coded again as a
	// keyframe that somebody waits for; a source that runs brings a newer one before.
	stillAfter = 100 * time.Millisecond
)

// refiner decides when to code a still picture again. It is pure: time is told.
type refiner struct {
	step int       // of refineSteps, the next
	at   time.Time // when, at the earliest; zero before the first picture
	sent time.Time // when what was coded has left at the bit rate of then
}

// coding is a picture that was coded.
type coding struct {
	bytes   int
	rate    int // bit/s of the path
	ceiling int // of the quantizer, 0 for a new picture
	key     bool
}

// small says whether little has changed: a quarter of a mean frame at 15 a second.
func (c coding) small() bool { return c.bytes*8 < c.rate/60 }

// coded takes note of what was coded at now. It has to leave before anything is added to it:
// the path belongs to sound and faces too.
func (r *refiner) coded(now time.Time, c coding) {
	if r.sent.Before(now) {
		r.sent = now
	}
	r.sent = r.sent.Add(time.Duration(float64(c.bytes*8) / float64(max(c.rate, 1)) * float64(time.Second)))
	r.at = now.Add(refinePause)
	switch complete := r.step == len(refineSteps); {
	case c.key || c.ceiling == 0 && !(complete && c.small()):
		r.step = 0
	case c.ceiling == 0:
		r.step-- // a caret that blinks needs the last step only
	}
	if c.ceiling == 0 {
		r.at = now.Add(refineAfter)
	}
	for r.step < len(refineSteps) && refineSteps[r.step] >= c.ceiling && c.ceiling > 0 {
		r.step++
	}
	if r.at.Before(r.sent) {
		r.at = r.sent
	}
}

// note is coded, or dropped, by what the sender's counters say before and after.
func (r *refiner) note(now time.Time, before, after VideoStats, rate, ceiling int) {
	if after.Frames == before.Frames {
		r.dropped(now)
		return
	}
	r.coded(now, coding{int(after.Bytes - before.Bytes), rate, ceiling, after.Keyframes > before.Keyframes})
}

// dropped records a step that rate control skipped: it is tried again.
func (r *refiner) dropped(now time.Time) { r.at = now.Add(refinePause) }

// next says when the picture is to be coded again and with which ceiling; ok is false when
// it is as good as it gets.
func (r *refiner) next() (at time.Time, ceiling int, ok bool) {
	if r.at.IsZero() || r.step == len(refineSteps) {
		return time.Time{}, 0, false
	}
	return r.at, refineSteps[r.step], true
}

// still keeps the newest picture of a source that brings another one only when something
// changes. It belongs to the encoder's goroutine.
type still struct {
	last   *media.Frame
	since  time.Time
	tried  time.Time // when it was coded again last; an encoder may refuse
	owed   bool      // it was not coded yet: rate control or the pacer left it out
	done   time.Time // when it was coded last, but for its tails
	tails  int       // of it that were coded
	refine refiner
	timer  *time.Timer
}

func newStill() *still {
	s := &still{timer: time.NewTimer(0)}
	s.timer.Stop()
	return s
}

// keep takes f over in place of the picture before.
func (s *still) keep(f *media.Frame, now time.Time) {
	if s.last != nil {
		s.last.Release()
	}
	s.last, s.since, s.owed = f, now, true
}

// coded takes note of what the sender's counters say before and after it was coded.
func (s *still) coded(now time.Time, before, after VideoStats, rate int, a again) {
	switch {
	case a.tail:
		s.tails++
	default:
		s.refine.note(now, before, after, rate, a.ceiling)
		if after.Frames > before.Frames {
			s.owed, s.done, s.tails = false, now, 0
		}
	}
}

// next is what is to be done with the newest picture, and when; ok is false for nothing.
func (s *still) next(key bool, keyAt time.Time, refine bool) (at time.Time, a again, ok bool) {
	soon := latest3(s.since.Add(stillAfter), s.tried.Add(refinePause), keyAt)
	step, ceiling, more := s.refine.next()
	switch {
	case key && refine:
		return soon, again{on: true, ceiling: refineSteps[0]}, true // nobody moves: readable at once is worth the bits
	case key:
		return soon, again{on: true}, true
	case s.owed:
		return soon, again{on: true}, true
	case more && refine:
		return step, again{on: true, ceiling: ceiling}, true
	case s.done.IsZero() || s.tails == 2:
		return time.Time{}, again{}, false
	}
	a = again{on: true, tail: true}
	if refine {
		a.ceiling = refineSteps[len(refineSteps)-1]
	}
	if s.tails == 0 {
		return s.done.Add(firstTail), a, true
	}
	return s.done.Add(secondTail), a, true
}

// latest3 is the latest of three times.
func latest3(a, b, c time.Time) time.Time {
	for _, t := range []time.Time{b, c} {
		if a.Before(t) {
			a = t
		}
	}
	return a
}

func (s *still) close() {
	s.timer.Stop()
	if s.last != nil {
		s.last.Release()
		s.last = nil
	}
}

// again is the newest picture as if it had been captured now, which it might have been.
func (s *still) again(now time.Time) *media.Frame {
	s.tried = now
	return &media.Frame{
		Width: s.last.Width, Height: s.last.Height,
		Y: s.last.Y, U: s.last.U, V: s.last.V, YStride: s.last.YStride, UVStride: s.last.UVStride,
		Captured: now,
	}
}

// again says that a picture is coded once more.
type again struct {
	on      bool
	ceiling int // of the quantizer, 0 for the usual one
	tail    bool
}

// apply bounds the quantizer of a layer. Who gets every second frame only gets this one too.
func (a again) apply(l *layer) {
	if a.ceiling > 0 {
		l.cfg.MaxQuantizer, l.cfg.Temporal = a.ceiling, false
	}
}

// due says what to do with the newest picture at now: code it again or nothing. It sets the
// timer for what is to be done later. key says that somebody waits for a keyframe, which may
// be coded at keyAt; refine, that pictures are to be refined at all.
func (s *still) due(now time.Time, key bool, keyAt time.Time, refine bool) again {
	if s.last == nil {
		return again{}
	}
	at, a, ok := s.next(key, keyAt, refine)
	switch {
	case !ok:
		s.timer.Stop()
	case !now.Before(at):
		return a
	default:
		s.timer.Reset(at.Sub(now))
	}
	return again{}
}

// poke has the encoder look whether a frame that stands still is to be coded again.
func (s *VideoSender) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// pick is the frame to code now, which stays still's: a new one, or the newest once more; nil
// when there is nothing to code or nobody who wants it.
func (s *VideoSender) pick(still *still, now time.Time) (*media.Frame, again) {
	f, fresh := s.frames.take()
	if fresh {
		still.keep(f, now)
	}
	s.mu.Lock()
	wanted, refine := len(s.subs) > 0, s.limits.Screen
	if !wanted {
		s.load = encodeLoad{}
	}
	key, keyAt := s.owed()
	s.mu.Unlock()
	switch {
	case !wanted:
		return nil, again{}
	case fresh:
		return f, again{}
	}
	a := still.due(now, key, keyAt, refine)
	if !a.on {
		return nil, a
	}
	return still.again(now), a
}

// owed says whether somebody waits for a keyframe, and when it may be coded. s.mu is held.
func (s *VideoSender) owed() (key bool, at time.Time) {
	for _, u := range s.subs {
		if u.from < 0 || u.from != u.place.layer {
			return true, time.Time{}
		}
	}
	for _, k := range s.keys {
		if t := k.last.Add(keyInterval); k.wanted && (!key || t.Before(at)) {
			key, at = true, t
		}
	}
	return key, at
}
