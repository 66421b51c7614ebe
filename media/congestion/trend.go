package congestion

import (
	"math"
	"time"
)

// Packets that leave within burst belong together: a frame's packets wait for each other,
// and what counts is how groups fare (draft-ietf-rmcat-gcc-02 section 5.2).
const burst = 5 * time.Millisecond

// resetAfter is a jump between two groups' arrivals that is no delay but another path or
// clock; libwebrtc's InterArrival uses 3 s.
const resetAfter = 3 * time.Second

// group is packets that left together.
type group struct {
	first, last time.Duration // sent
	arrived     time.Duration // the last
	ok          bool
}

// variation is how two groups fared beside each other.
type variation struct {
	delay   time.Duration // of the later group less that of the earlier
	arrived time.Duration // of the later, by the other side's clock
	now     time.Duration // by ours
}

// groups puts packets together and compares neighbours.
type groups struct {
	now, before group
}

func (g *groups) reset() { *g = groups{} }

// add takes a packet. When it begins a new group and the two groups before it are complete,
// their variation is returned.
func (g *groups) add(sent, arrived, now time.Duration) (variation, bool) {
	switch {
	case !g.now.ok:
		g.now = group{first: sent, last: sent, arrived: arrived, ok: true}
		return variation{}, false
	case sent < g.now.first:
		return variation{}, false // out of order
	case (arrived - g.now.arrived).Abs() > resetAfter:
		g.reset()
		g.now = group{first: sent, last: sent, arrived: arrived, ok: true}
		return variation{}, false
	case sent-g.now.first <= burst || g.bunched(sent, arrived):
		g.now.last = max(g.now.last, sent)
		g.now.arrived = max(g.now.arrived, arrived)
		return variation{}, false
	}
	var v variation
	ok := g.before.ok
	if ok {
		v = variation{
			delay:   (g.now.arrived - g.before.arrived) - (g.now.last - g.before.last),
			arrived: g.now.arrived, now: now,
		}
		ok = g.now.arrived >= g.before.arrived
	}
	g.before = g.now
	g.now = group{first: sent, last: sent, arrived: arrived, ok: true}
	return v, ok
}

// bunched says whether a packet arrived with the group before it although it left later:
// something held both up and let them go at once, as Wi-Fi does.
func (g *groups) bunched(sent, arrived time.Duration) bool {
	gap := arrived - g.now.arrived
	return gap >= 0 && gap <= burst && gap < sent-g.now.last && arrived-g.now.arrived < 100*time.Millisecond
}

// usage is what the trend of the delay says.
type usage uint8

const (
	normal usage = iota
	overuse
	underuse
)

// The constants of libwebrtc's TrendlineEstimator, which draft-ietf-rmcat-gcc describes with
// a Kalman filter in its place.
const (
	trendWindow    = 20     // groups
	trendSmoothing = 0.9    // of the accumulated delay
	trendGain      = 4      // makes the slope comparable with the threshold
	trendMaxDeltas = 60     // the slope counts for more the more groups it rests on
	thresholdStart = 12.5   // ms
	thresholdMin   = 6      // ms
	thresholdMax   = 600    // ms
	thresholdUp    = 0.0087 // per ms; section 5.4: K_u
	thresholdDown  = 0.039  // per ms; section 5.4: K_d
	thresholdSkip  = 15     // ms beyond the threshold: a spike, not to adapt to
	overuseTime    = 10     // ms that it has to last
)

// trend fits a line through the smoothed delay of the last groups and compares its slope with
// a threshold that adapts, so that a loss-based flow in the same queue does not starve ours.
type trend struct {
	usage usage

	points [trendWindow]struct{ x, y float64 } // ms
	n      int                                 // points filled
	at     int                                 // next to fill
	deltas int
	first  time.Duration // arrival that x counts from

	accumulated, smoothed float64 // ms
	previous              float64 // modified trend
	threshold             float64 // ms
	over                  float64 // ms of overuse so far, negative for none
	overCount             int
	adapted, seen         time.Duration
}

func newTrend() trend { return trend{threshold: thresholdStart, over: -1} }

// reset forgets the delays but keeps the threshold.
func (t *trend) reset() {
	*t = trend{threshold: t.threshold, over: -1}
}

func (t *trend) update(v variation, rival bool) {
	if t.deltas == 0 {
		t.first, t.seen = v.arrived, v.arrived
	}
	t.deltas++
	t.accumulated += ms(v.delay)
	t.smoothed = trendSmoothing*t.smoothed + (1-trendSmoothing)*t.accumulated
	t.points[t.at].x, t.points[t.at].y = ms(v.arrived-t.first), t.smoothed
	t.at = (t.at + 1) % trendWindow
	t.n = min(t.n+1, trendWindow)
	slope := t.previous / trendGain / float64(min(t.deltas, trendMaxDeltas))
	if t.n == trendWindow {
		slope = t.slope()
	}
	step := max(ms(v.arrived-t.seen), 0)
	t.seen = v.arrived
	t.detect(slope, step, v.now, rival)
}

// slope is that of the line of least squares.
func (t *trend) slope() float64 {
	var sx, sy float64
	for _, p := range t.points {
		sx += p.x
		sy += p.y
	}
	mx, my := sx/trendWindow, sy/trendWindow
	var num, den float64
	for _, p := range t.points {
		num += (p.x - mx) * (p.y - my)
		den += (p.x - mx) * (p.x - mx)
	}
	if den == 0 {
		return 0
	}
	return num / den
}

func (t *trend) detect(slope, step float64, now time.Duration, rival bool) {
	modified := float64(min(t.deltas, trendMaxDeltas)) * slope * trendGain
	limit := t.threshold
	if rival {
		limit *= rivalThreshold
	}
	switch {
	case modified > limit:
		if t.over < 0 {
			t.over = step / 2 // it began somewhere in between
		} else {
			t.over += step
		}
		t.overCount++
		if t.over > overuseTime && t.overCount > 1 && modified >= t.previous {
			t.over, t.overCount = 0, 0
			t.usage = overuse
		}
	case modified < -limit:
		t.over, t.overCount, t.usage = -1, 0, underuse
	default:
		t.over, t.overCount, t.usage = -1, 0, normal
	}
	t.previous = modified
	t.adapt(modified, now)
}

// adapt moves the threshold towards the slope, faster down than up.
func (t *trend) adapt(modified float64, now time.Duration) {
	if t.adapted == 0 {
		t.adapted = now
	}
	size := math.Abs(modified)
	if size <= t.threshold+thresholdSkip {
		k := thresholdUp
		if size < t.threshold {
			k = thresholdDown
		}
		t.threshold += k * (size - t.threshold) * min(ms(now-t.adapted), 100)
		t.threshold = min(max(t.threshold, thresholdMin), thresholdMax)
	}
	t.adapted = now
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
