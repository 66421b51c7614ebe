package pipe

import (
	"math"
	"slices"
	"time"
)

// playoutWindow is how many frames the jitter estimate looks back: five seconds at 30 fps.
const playoutWindow = 150

// smoothEnough is the jitter below which frames are shown as they come: less than half a
// frame at 30 fps is not seen, and holding back costs latency.
const smoothEnough = 12 * time.Millisecond

// warmUp is how many frames are shown as they come before jitter is believed: the first
// picture is the largest, and decoders and windows are slow at first.
const warmUp = 30

// playout decides when a frame is shown: at an even pace, as late as nearly the slowest
// frames arrive, and no later. It is pure.
type playout struct {
	rels   [playoutWindow]time.Duration // arrival less media time, newest last
	n      int
	base   time.Time // the arrival that rels count from
	first  int64     // media time of that arrival, in ticks
	last   int64     // extended timestamp seen last
	min    time.Duration
	target time.Duration
	sorted [playoutWindow]time.Duration

	episode [playoutWindow]bool // of rels, those that do not count
	run     int                 // late frames in a row
	before  uint64              // packets repaired before them

	repaired uint64 // packets repaired so far
	lossy    int    // frames until repairs are forgotten
}

// Which frames are waited for. Jitter has stragglers that are not worth everybody's delay;
// a repaired frame shows again and again how long a repair takes, and all are waited for
// but the few that need a second one.
const (
	waitFor         = 0.95
	waitForRepaired = 0.97
)

// A queue that fills when the path becomes slower, and empties again, delays all frames for a second or
// so. That is no jitter: it counts as episodeFrames frames, however long it lasts, unless it lasts longer
// than episodeMostFrames frames.
const (
	episodeFrames     = 2
	episodeMostFrames = 75
)

// add records a frame that became complete at the given time. repaired is how many packets have been
// repaired so far.
func (p *playout) add(timestamp uint32, at time.Time, repaired uint64) {
	ext := p.extend(timestamp)
	if p.n == 0 || ext-p.last > 10*videoClock || p.last-ext > 10*videoClock {
		*p = playout{base: at, first: int64(timestamp), last: int64(timestamp)}
		ext = int64(timestamp)
	}
	p.last = max(p.last, ext)
	p.note(at.Sub(p.base)-ticks(ext-p.first), repaired)
	s := p.sorted[:0]
	for i, rel := range p.rels[:min(p.n, playoutWindow)] {
		if !p.episode[i] {
			s = append(s, rel)
		}
	}
	slices.Sort(s)
	n := len(s)
	p.min = s[0]
	if p.lossy--; repaired > p.repaired {
		p.repaired, p.lossy = repaired, playoutWindow
	}
	q := waitFor
	if p.lossy > 0 {
		q = waitForRepaired
	}
	want := s[min(int(q*float64(n)), n-1)] - p.min
	if want < smoothEnough || p.n < warmUp {
		want = 0
	}
	want = min(want, maxVideoDelay)
	// Grow at once, shrink slowly: a third of the difference a second.
	if want > p.target {
		p.target = want
	} else {
		p.target -= time.Duration(math.Ceil(float64(p.target-want) / 100))
	}
}

// note takes the next frame's arrival less its media time.
func (p *playout) note(rel time.Duration, repaired uint64) {
	late := p.n >= warmUp && rel-p.min > p.target+smoothEnough
	switch {
	case !late:
		p.run, p.before = 0, repaired
	case repaired > p.before: // it waited for what was lost, and that will happen again
		p.run = 0
	default:
		p.run++
	}
	if p.run > episodeMostFrames {
		p.episode = [playoutWindow]bool{}
	}
	i := p.n % playoutWindow
	p.rels[i], p.episode[i] = rel, p.run > episodeFrames && p.run <= episodeMostFrames
	p.n++
}

func (p *playout) extend(timestamp uint32) int64 {
	return p.last + int64(int32(timestamp-uint32(p.last)))
}

// delay is how long frames are held back against the fastest of them.
func (p *playout) delay() time.Duration { return p.target }

// due is when the frame is to be shown, extra later than the network asks for; it is in the
// past for a frame to be shown at once.
func (p *playout) due(timestamp uint32, extra time.Duration) time.Time {
	return p.base.Add(p.min + ticks(p.extend(timestamp)-p.first) + min(p.target+extra, maxVideoDelay))
}

func ticks(n int64) time.Duration {
	return time.Duration(n * int64(time.Second) / videoClock)
}
