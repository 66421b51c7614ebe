package pipe

import (
	"testing"
	"time"

	"parley/media"
)

func TestRefine(t *testing.T) {
	start := time.Unix(1e9, 0)
	const rate = 1_000_000
	// drive codes a picture of the given size at start and then every step as it is due; a
	// step's picture has 1000 bytes.
	drive := func(r *refiner, first coding) (at []time.Duration, ceilings []int) {
		r.coded(start, first)
		for len(at) < 20 {
			due, c, ok := r.next()
			if !ok {
				return at, ceilings
			}
			at, ceilings = append(at, due.Sub(start)), append(ceilings, c)
			r.coded(due, coding{bytes: 1000, rate: rate, ceiling: c})
		}
		t.Fatal("it never ends")
		return nil, nil
	}
	var r refiner
	if _, _, ok := r.next(); ok {
		t.Error("there is something to refine before the first picture")
	}
	at, ceilings := drive(&r, coding{bytes: 1000, rate: rate})
	if len(ceilings) != len(refineSteps) || at[0] != refineAfter {
		t.Fatalf("steps %v at %v", ceilings, at)
	}
	for i, c := range ceilings {
		if c != refineSteps[i] || i > 0 && at[i]-at[i-1] != refinePause {
			t.Errorf("step %d: ceiling %d at %v", i, c, at)
		}
	}
	if last := at[len(at)-1]; last > time.Second {
		t.Errorf("sharp after %v", last)
	}
	// 125 kB take a second to leave.
	r = refiner{}
	if at, _ := drive(&r, coding{bytes: 125_000, rate: rate}); at[0] != time.Second || at[1] != time.Second+refinePause {
		t.Errorf("after a large picture: %v", at)
	}
	// A keyframe begins the refinement again, from its own ceiling on.
	if at, ceilings := drive(&r, coding{bytes: 1000, rate: rate, ceiling: refineSteps[0], key: true}); len(at) != len(refineSteps)-1 || ceilings[0] != refineSteps[1] {
		t.Errorf("after a keyframe: %v at %v", ceilings, at)
	}
	// A small change to a picture that is as good as it gets needs the last step only, and a
	// large one all of them.
	r = refiner{}
	drive(&r, coding{bytes: 1000, rate: rate})
	if _, ceilings := drive(&r, coding{bytes: 500, rate: rate}); len(ceilings) != 1 || ceilings[0] != refineSteps[len(refineSteps)-1] {
		t.Errorf("after a small change: %v", ceilings)
	}
	if _, ceilings := drive(&r, coding{bytes: 5000, rate: rate}); len(ceilings) != len(refineSteps) {
		t.Errorf("after a large change: %v", ceilings)
	}
	// A step that was left out is tried again, and nothing skipped.
	r = refiner{}
	r.coded(start, coding{bytes: 1000, rate: rate})
	due, first, _ := r.next()
	r.dropped(due)
	if again, c, ok := r.next(); !ok || c != first || again != due.Add(refinePause) {
		t.Errorf("after a drop: %d at %v, %v", c, again, ok)
	}
	// A rate of nothing does not divide by it.
	r.coded(start, coding{bytes: 1})
	if _, _, ok := r.next(); !ok {
		t.Error("nothing to refine without a rate")
	}
}

// TestStillIsNeverLeftBehind: a picture that rate control left out is coded again although
// none follows it, and at its end a receiver is told twice more what it should have.
func TestStillIsNeverLeftBehind(t *testing.T) {
	now := time.Unix(1e9, 0)
	s := newStill()
	defer s.close()
	s.keep(media.NewFrame(64, 64), now)
	none, one := VideoStats{}, VideoStats{Frames: 1, Bytes: 100}
	s.coded(now, none, none, 1_000_000, again{})
	for range 3 {
		at, a, ok := s.next(false, time.Time{}, false)
		if !ok || !a.on || a.ceiling != 0 || at.Before(now) || at.Sub(now) > stillAfter {
			t.Fatalf("left out: %+v at %v, %v", a, at.Sub(now), ok)
		}
		now = at
		s.again(now)
		s.coded(now, none, none, 1_000_000, a)
	}
	s.coded(now, none, one, 1_000_000, again{on: true})
	for _, want := range []time.Duration{firstTail, secondTail} {
		at, a, ok := s.next(false, time.Time{}, false)
		if !ok || !a.tail || at.Sub(now) != want {
			t.Fatalf("tail %+v after %v, %v; want it after %v", a, at.Sub(now), ok, want)
		}
		s.coded(at, none, one, 1_000_000, a)
	}
	if _, a, ok := s.next(false, time.Time{}, false); ok {
		t.Errorf("and then %+v", a)
	}
	if at, a, ok := s.next(true, now.Add(time.Hour), true); !ok || a.ceiling != refineSteps[0] || at != now.Add(time.Hour) {
		t.Errorf("a keyframe: %+v at %v, %v", a, at, ok)
	}
}
