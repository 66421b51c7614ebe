package call

import (
	"slices"
	"time"

	"parley/media"
	"parley/media/transport"
	"parley/signal"
)

// loadMeter measures how busy this machine is. Only the loop's goroutine uses it.
type loadMeter struct {
	ticked time.Time
	late   []time.Duration // how late each tick since the last measure came
	seen   map[signal.ID]transport.Stats
}

// ticksPerMeasure makes one measure a second.
const ticksPerMeasure = int(time.Second / tickInterval)

// tick records a tick of the loop and reports whether a second is over.
func (g *loadMeter) tick(now time.Time) bool {
	if !g.ticked.IsZero() {
		g.late = append(g.late, max(now.Sub(g.ticked)-tickInterval, 0))
	}
	g.ticked = now
	return len(g.late) >= ticksPerMeasure
}

// measure sums up the last second. now holds every member's counters.
func (g *loadMeter) measure(encode float64, now map[signal.ID]transport.Stats) load {
	s := load{encode: encode}
	if n := len(g.late); n > 0 {
		slices.Sort(g.late)
		s.late = g.late[n/2]
		g.late = g.late[:0]
	}
	var decoded, behind uint64
	for id, s := range now {
		c, b := s.Pictures[media.Camera], g.seen[id].Pictures[media.Camera]
		if _, ok := g.seen[id]; ok && c.Frames >= b.Frames && c.Late >= b.Late {
			decoded, behind = decoded+c.Frames-b.Frames, behind+c.Late-b.Late
		}
	}
	g.seen = now
	if decoded > 0 {
		s.behind = float64(behind) / float64(decoded)
	}
	return s
}
