package client

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestRetryAfter has a server that is full. A client stays away for as long as the server asks, but not for
// longer than a minute and a half, and clients that were refused at the same moment come back apart.
func TestRetryAfter(t *testing.T) {
	for name, c := range map[string]struct {
		status      int
		header      string // an empty one is not sent
		least, most time.Duration
	}{
		"503":             {503, "5", 5 * time.Second, 7500 * time.Millisecond},
		"429":             {429, "20", 20 * time.Second, 30 * time.Second},
		"a date":          {503, "in 20 s", 19 * time.Second, 30 * time.Second},
		"a day":           {503, "86400", maxWait, maxWait * 3 / 2},
		"ten centuries":   {503, "31536000000", maxWait, maxWait * 3 / 2},
		"a far date":      {503, "Fri, 31 Dec 2099 23:59:59 GMT", maxWait, maxWait * 3 / 2},
		"a past date":     {503, "Fri, 31 Dec 1999 23:59:59 GMT", 0, backoffBase},
		"negative":        {503, "-5", 0, backoffBase},
		"rubbish":         {503, "soon", 0, backoffBase},
		"without":         {503, "", 0, backoffBase},
		"another refusal": {403, "20", 0, backoffBase},
	} {
		t.Run(name, func(t *testing.T) {
			var waits []time.Duration
			for range 20 {
				synctest.Test(t, func(t *testing.T) {
					waits = append(waits, refusedOnce(t, c.status, c.header))
				})
			}
			first, last := slices.Min(waits), slices.Max(waits)
			if first < c.least || last >= c.most {
				t.Errorf("clients come back after %v to %v, want %v to %v", first, last, c.least, c.most)
			}
			if spread := last - first; spread < (c.most-c.least)/4 {
				t.Errorf("20 clients come back within %v", spread)
			}
		})
	}
}

// refusedOnce returns how long a client stays away from a server that refused it.
func refusedOnce(t *testing.T, status int, retryAfter string) (waited time.Duration) {
	p := newPipes()
	var said time.Duration // by the client
	var refused time.Time
	ctx, cancel := context.WithCancel(t.Context())
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !refused.IsZero() {
			waited = time.Since(refused)
			cancel()
			return
		}
		refused = time.Now()
		if retryAfter == "in 20 s" {
			retryAfter = refused.Add(20 * time.Second).UTC().Format(http.TimeFormat)
		}
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(status)
	})}
	go func() { _ = s.Serve(p) }()
	cfg := config("ws://parley.test/ws", func(ev Event) {
		if said == 0 {
			said = ev.(Disconnected).Retry
		}
	})
	cfg.Dial = p.dial
	if err := New(cfg).Run(ctx); err != nil {
		t.Error(err)
	}
	_ = s.Close()
	synctest.Wait()
	if said != waited {
		t.Errorf("the client said %v and came back after %v", said, waited)
	}
	return waited
}
