package loop

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestMailboxKeepsCommands(t *testing.T) {
	const limit = 3
	b := NewMailbox[int]()
	for i := range limit {
		if _, ok := b.PutWithin(limit, i); !ok {
			t.Errorf("item %d of %d was dropped", i, limit)
		}
	}
	if n, ok := b.PutWithin(limit, 9); ok || n != 1 {
		t.Errorf("one too many: dropped %d, ok %v", n, ok)
	}
	b.Put(7)
	<-b.Ready()
	if got := b.Take(); !slices.Equal(got, []int{0, 1, 2, 7}) {
		t.Errorf("took %v", got)
	}
	if got := b.Take(); got != nil {
		t.Errorf("took %v from an empty mailbox", got)
	}
}

func TestRateLimitedLogWarnsOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, nil))
		var s RateLimitedLog
		for range 100 {
			s.Warn(log, "rubbish")
		}
		time.Sleep(warnInterval) // simulated
		s.Warn(log, "rubbish")
		if got := strings.Count(out.String(), "rubbish"); got != 2 || !strings.Contains(out.String(), "unreported=99") {
			t.Errorf("%d lines:\n%s", got, out.String())
		}
	})
}
