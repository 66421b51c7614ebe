package call

import (
	"context"
	"time"

	"parley/media"
)

// silenced is an event: nothing comes from the microphone, or something does.
type silenced struct {
	generation int
	on         bool
}

func (m model) silenced(ev silenced) (model, []effect) {
	if m.devices[media.Microphone].generation == ev.generation {
		m.Mic.Silenced = ev.on
	}
	return m, nil
}

const (
	// silencedAfter is how long there must be nothing at all, not even noise, before a microphone is
	// taken for muted: no room is as quiet as that.
	silencedAfter = 2 * time.Second
	// silencedCheck is how soon the first sound after that is noticed.
	silencedCheck = 100 * time.Millisecond
)

// watchSilence tells, until ctx ends, when a microphone has brought nothing since it was opened: it is
// muted where the system does not say so, at a switch for instance. One that was heard before and has
// nothing to say has a gate against noise; of that one, only the system knows better.
func (x *executor) watchSilence(ctx context.Context, generation int) {
	tick := time.NewTicker(silencedCheck)
	defer tick.Stop()
	on, heard := false, false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		nothing := x.audio.Nothing()
		heard = heard || nothing < silencedCheck && x.audio.Level() > media.LevelFloor
		now := nothing >= silencedAfter && !heard
		if now == on {
			continue
		}
		on = now
		select {
		case x.queue <- silenced{generation, on}:
		case <-ctx.Done():
			return
		}
	}
}
