package pipe

import "time"

const (
	// redAttack is the weight of a report of more loss than was known; two of them, a
	// second, tell three quarters of it.
	redAttack = 0.5
	// redRelease is the time constant with which loss is forgotten: what was lossy once
	// is so again soon.
	redRelease = 10 * time.Second
	// redDrained is the same for loss out of a queue: sending less ends it, repeating does not.
	redDrained = 2 * time.Second
	// redStart is the loss assumed for a new path: it is worth one packet of
	// redundancy until it has shown that it is not.
	redStart = 0.02
	// reportGap bounds how long a single report can speak for.
	reportGap = 2 * time.Second
)

// redSteps are the shares of loss above which a packet repeats one, two and three earlier
// ones. With random loss p, p^(depth+1) is lost for good: at most 0.1%, 0.1% and, up to 20%
// loss, 0.2%. Real loss comes in runs, of which one deeper than random loss needs covers more.
var redSteps = [MaxRedDepth]float64{0.005, 0.03, 0.10}

// RedControl decides how many earlier packets are to be repeated to one receiver, from the
// loss that it reports: more at once, less slowly. It is pure. The zero value is a path of
// which nothing is known.
type RedControl struct {
	loss, queue float64   // of the path itself, and out of a queue that overflowed
	at          time.Time // of the last report
}

// Report takes the share of packets, 0 to 1, that were lost since the report before, and whether
// packets waited in a queue meanwhile.
func (c *RedControl) Report(lost float64, queued bool, now time.Time) {
	lost = min(max(lost, 0), 1)
	since := min(max(now.Sub(c.at), 0), reportGap)
	if c.at.IsZero() {
		c.loss, since = redStart, 0
	}
	c.at = now
	if up := &c.loss; lost > max(c.loss, c.queue) {
		if queued {
			up = &c.queue
			*up = max(c.loss, c.queue)
		}
		*up += redAttack * (lost - *up)
		return
	}
	c.loss += forgotten(since, redRelease) * min(lost-c.loss, 0)
	c.queue += forgotten(since, redDrained) * min(lost-c.queue, 0)
}

// forgotten is how much of something is after that time.
func forgotten(since, constant time.Duration) float64 {
	return float64(since) / float64(constant+since)
}

// Depth is how many earlier packets to repeat.
func (c *RedControl) Depth() int {
	loss := max(c.loss, c.queue)
	if c.at.IsZero() {
		loss = redStart
	}
	depth := 0
	for _, step := range redSteps {
		if loss > step {
			depth++
		}
	}
	return depth
}
