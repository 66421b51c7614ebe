package call

import (
	"slices"
	"time"

	"parley/media"
	"parley/media/transport"
	"parley/signal"
)

// gauge measures the strain on this machine. It belongs to the loop's goroutine.
type gauge struct {
	ticked time.Time
	late   []time.Duration // of the ticks since the last measure
	seen   map[signal.ID]transport.Stats
}

// ticksPerMeasure is a second.
const ticksPerMeasure = int(time.Second / tickInterval)

// tick takes note of a tick of the loop, and says whether a second is over.
func (g *gauge) tick(now time.Time) bool {
	if !g.ticked.IsZero() {
		g.late = append(g.late, max(now.Sub(g.ticked)-tickInterval, 0))
	}
	g.ticked = now
	return len(g.late) >= ticksPerMeasure
}

// measure sums up the second. now is what everybody's tracks count by now.
func (g *gauge) measure(encode float64, now map[signal.ID]transport.Stats) strain {
	s := strain{encode: encode}
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
