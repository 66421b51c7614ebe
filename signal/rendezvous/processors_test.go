package main

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestProcessors(t *testing.T) {
	for _, x := range []struct {
		n, limit int
		busy     float64
		want     int
	}{
		{1, 8, 0.1, 1},
		{1, 8, 0.7, 1},
		{1, 8, 0.8, 2},
		{4, 8, 3.5, 8},
		{8, 8, 8, 8},
		{4, 6, 4, 6},
		{6, 6, 2, 6},
		{6, 6, 1, 3},
		{3, 6, 0.1, 1},
		{1, 1, 1, 1},
	} {
		if got := processors(x.n, x.limit, x.busy); got != x.want {
			t.Errorf("%d of %d, busy %.1f: %d, want %d", x.n, x.limit, x.busy, got, x.want)
		}
	}
}

// TestProcessorsFollowTheLoad gives every processor back when it ends.
func TestProcessorsFollowTheLoad(t *testing.T) {
	before := runtime.GOMAXPROCS(4)
	defer runtime.GOMAXPROCS(before)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var tenths atomic.Int64 // of a processor that are busy
		last, total := time.Now(), time.Duration(0)
		used := func() time.Duration {
			total += time.Duration(tenths.Load()) * time.Since(last) / 10
			last = time.Now()
			return total
		}
		ended := make(chan struct{})
		go func() { adjustProcessors(ctx, used); close(ended) }()
		for _, x := range []struct {
			tenths int64
			want   int
		}{{0, 1}, {9, 2}, {18, 4}, {18, 4}, {1, 2}, {1, 1}} {
			synctest.Wait()
			tenths.Store(x.tenths)
			time.Sleep(processorCheck)
			synctest.Wait()
			if got := runtime.GOMAXPROCS(0); got != x.want {
				t.Errorf("%d tenths busy: %d processors, want %d", x.tenths, got, x.want)
			}
		}
		cancel()
		<-ended
	})
	if got := runtime.GOMAXPROCS(0); got != 4 {
		t.Errorf("%d processors at the end", got)
	}
}
