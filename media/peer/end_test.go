package peer

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/pion/webrtc/v4"
)

// onWarning is a log that calls itself at each warning.
type onWarning func()

func (f onWarning) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (f onWarning) Handle(context.Context, slog.Record) error    { f(); return nil }
func (f onWarning) WithAttrs([]slog.Attr) slog.Handler           { return f }
func (f onWarning) WithGroup(string) slog.Handler                { return f }

// TestEndWhileNegotiating: a connection that ends while call messages come leaves no goroutine behind. Once, Pion made an
// ICE agent for a candidate that came after it was closed. A bubble with goroutines left fails the test.
func TestEndWhileNegotiating(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 10 { // whether negotiate takes one more message is chance
			l := newLab(t, 0, 0)
			e := newEnd(t, l, "10.0.0.1", "x", func([]byte) {})
			ctx, cancel := context.WithCancel(t.Context())
			e.peer.cfg.Log = slog.New(onWarning(func() {
				cancel()
				synctest.Wait() // until Run waits for negotiate alone
			}))
			for _, m := range []message{
				{Type: typeOffer, SDP: "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"}, // refused: without credentials for ICE
				{Type: typeCandidate, Candidate: &webrtc.ICECandidateInit{Candidate: "candidate:1 1 udp 1 10.0.0.2 5000 typ host"}},
			} {
				m.Conn = "x"
				if err := e.peer.Signal(m.encode()); err != nil {
					t.Fatal(err)
				}
			}
			if err := e.peer.Run(ctx); err != nil {
				t.Error(err)
			}
		}
	})
}
