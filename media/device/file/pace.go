package file

import (
	"context"
	"time"
)

// pacer wakes its caller at multiples of a period since the start, so that the errors of waits do not add up.
type pacer struct {
	start    time.Time
	num, den int64 // ticks a second as a fraction; both at most 1e6
	n        int64 // the tick that is waited for
	timer    *time.Timer
}

// newPacer ticks num/den times a second, the first time (tick 0) at once.
func newPacer(num, den int64) *pacer {
	return &pacer{start: time.Now(), num: num, den: den, timer: time.NewTimer(0)}
}

// at is the time of tick n.
func (p *pacer) at(n int64) time.Time {
	whole, rest := n*p.den/p.num, n*p.den%p.num
	return p.start.Add(time.Duration(whole)*time.Second + time.Duration(rest*int64(time.Second)/p.num))
}

// wait returns at the next tick; ok is false when ctx has ended.
func (p *pacer) wait(ctx context.Context) (ok bool) {
	p.timer.Reset(time.Until(p.at(p.n)))
	select {
	case <-ctx.Done():
		return false
	case <-p.timer.C:
		p.n++
		return ctx.Err() == nil
	}
}

// late skips the ticks that have passed and returns how many. It is for pictures: after a pause only the
// newest one matters.
func (p *pacer) late() (dropped int64) {
	now := time.Now()
	for !p.at(p.n).After(now) && !p.at(p.n+1).After(now) {
		behind := int64(now.Sub(p.at(p.n)) / (time.Duration(p.den) * time.Second / time.Duration(p.num)))
		behind = max(behind, 1)
		p.n += behind
		dropped += behind
	}
	return dropped
}

// rebase moves the schedule on after a pause longer than limit (the machine slept). Sound catches up on a
// short delay without a gap; after a long one that would be a burst.
func (p *pacer) rebase(limit time.Duration) {
	if behind := time.Since(p.at(p.n)); behind > limit {
		p.start = p.start.Add(behind)
	}
}

func (p *pacer) stop() { p.timer.Stop() }
