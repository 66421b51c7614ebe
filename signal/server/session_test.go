package server

import (
	"testing"
	"time"

	"parley/signal"
)

func TestAcknowledgementsWaitForCompany(t *testing.T) {
	now := time.Now()
	for _, x := range []struct {
		name        string
		wrote, owed time.Duration // ago
		want        bool
	}{
		{"messages keep coming", 300 * time.Millisecond, 600 * time.Millisecond, false},
		{"none for a second", time.Second, 300 * time.Millisecond, true},
		{"it has waited for a second", 100 * time.Millisecond, time.Second, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := &conn{owedAt: now.Add(-x.owed)}
			c.wrote.Store(now.Add(-x.wrote).UnixNano())
			s := &session{conn: c, lastIn: 1}
			if got := s.remind(c, now); got != x.want {
				t.Errorf("written now: %v", got)
			}
			if c.writing != x.want {
				t.Errorf("claimed: %v", c.writing)
			}
		})
	}
	t.Run("a ping is due", func(t *testing.T) {
		c := &conn{}
		c.wrote.Store(now.Add(-signal.Heartbeat).UnixNano())
		if s := (&session{conn: c}); !s.remind(c, now) || !c.ping {
			t.Error("no ping")
		}
	})
	t.Run("the connection is over", func(t *testing.T) {
		if s := (&session{lastIn: 1}); s.remind(&conn{}, now) {
			t.Error("written to, though its goroutines may be gone")
		}
	})
}
