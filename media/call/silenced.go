package call

import (
	"context"
	"time"

	"parley/media"
)

// silenced is an event: the microphone has gone silent, or delivers sound again.
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
	// silencedAfter is how long digital silence must last before we take a microphone for muted. Even a
	// quiet room has some noise.
	silencedAfter = 2 * time.Second
	// silencedCheck is how soon we notice the first sound after that.
	silencedCheck = 100 * time.Millisecond
)

// watchSilence reports, until ctx ends, when a microphone has delivered only digital silence since it was
// opened. Such a microphone is muted where the system cannot see it, for example by a hardware switch.
// A microphone that was heard before probably has a noise gate, so it is not reported.
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
