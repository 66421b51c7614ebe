package main

import (
	"context"
	"runtime"
	"time"
)

// Go wakes a second processor for nearly every frame that arrives. It finds nothing to do and sleeps
// again, and that costs a tenth of what relaying costs. So the service uses only as many processors
// as its load needs.

// processorCheck is how often the load is looked at.
const processorCheck = 250 * time.Millisecond

// adjustProcessors sets GOMAXPROCS by the load until ctx ends. used is the CPU time of this process.
func adjustProcessors(ctx context.Context, used func() time.Duration) {
	limit := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(limit)
	n := 1
	runtime.GOMAXPROCS(n)
	tick := time.NewTicker(processorCheck)
	defer tick.Stop()
	last, before := time.Now(), used()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, total := time.Now(), used()
		busy := float64(total-before) / float64(now.Sub(last))
		last, before = now, total
		if want := processors(n, limit, busy); want != n {
			n = want
			runtime.GOMAXPROCS(n)
		}
	}
}

// processors is how many to use, up to limit, when n have been busy for so many seconds a second.
// The limits lie apart, so that the number does not go to and fro.
func processors(n, limit int, busy float64) int {
	switch {
	case busy > 0.7*float64(n):
		return min(2*n, limit)
	case busy < 0.2*float64(n):
		return max(n/2, 1)
	}
	return n
}
