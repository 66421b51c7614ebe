package e2e

import (
	"syscall"
	"testing"

	"parley/media/call"
	"parley/test/harness"
)

// TestE2EHostLeaves: when the member whose app hosts the meeting leaves, the others see it leave, although the rendezvous
// ends at the same time.
func TestE2EHostLeaves(t *testing.T) {
	harness.EndToEnd(t)
	for _, how := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGTERM} {
		ada := harness.StartParley(t, "Ada", nil, "bot", "--new", "--local")
		ben := harness.StartParley(t, "Ben", nil, "bot", ada.Link())
		ben.Await("sees and hears the host", harness.Meets(1))
		if err := ada.Cmd.Process.Signal(how); err != nil {
			t.Fatal(err)
		}
		if status := ada.Status(); status != 0 {
			t.Errorf("exit status %d after signal %v", status, how)
		}
		ben.Await("is alone", func(l call.Line) bool { return len(l.Peers) == 0 })
		ben.Stop()
	}
}
