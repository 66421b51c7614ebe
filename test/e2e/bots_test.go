package e2e

import (
	"slices"
	"testing"

	"parley/media/call"
	"parley/test/harness"
)

// TestE2EBots runs three bots, each a process. They see and hear each other under their names.
func TestE2EBots(t *testing.T) {
	harness.EndToEnd(t)
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	ada := harness.StartParley(t, "Ada", nil, "bot", "--new", "--server", "http://"+addr)
	link := ada.Link()
	ben := harness.StartParley(t, "Ben", nil, "bot", link)
	cleo := harness.StartParley(t, "Cleo", nil, "bot", "--leave-after", "1m", link)
	for _, p := range []*harness.Process{ada, ben, cleo} {
		l := p.Await("sees and hears two others", harness.Meets(2))
		var names []string
		for _, q := range l.Peers {
			names = append(names, q.Name)
		}
		slices.Sort(names)
		want := slices.DeleteFunc([]string{"Ada", "Ben", "Cleo"}, func(n string) bool { return n == p.Name })
		if !slices.Equal(names, want) {
			t.Errorf("%s meets %q, want %q", p.Name, names, want)
		}
	}
	// When a bot leaves, it disappears from the others at once, and its program exits with status 0.
	cleo.Stop()
	if cleo.Status() != 0 {
		t.Errorf("exit status %d after SIGTERM", cleo.Status())
	}
	ada.Await("is alone with Ben", func(l call.Line) bool { return len(l.Peers) == 1 })
}
