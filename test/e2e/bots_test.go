package e2e

import (
	"regexp"
	"slices"
	"strings"
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

// TestE2ECodes starts meetings with a long and with a short code. The long one is what a link has by itself; the short one
// is typed as somebody has heard it.
func TestE2ECodes(t *testing.T) {
	harness.EndToEnd(t)
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	for code, flags := range map[string][]string{
		`^([0-9a-hjkmnp-tv-z]{4}-){5}[0-9a-hjkmnp-tv-z]{4}$`: nil,
		`^([0-9a-hjkmnp-tv-z]{4}-){2}[0-9a-hjkmnp-tv-z]{4}$`: {"--short-code"},
	} {
		ada := harness.StartParley(t, "Ada", nil, append([]string{"bot", "--new", "--server", "http://" + addr}, flags...)...)
		_, shown, _ := strings.Cut(ada.Link(), "#")
		shown, _, _ = strings.Cut(shown, "&") // who owns the meeting follows
		if !regexp.MustCompile(code).MatchString(shown) {
			t.Errorf("with %q the code has %d characters", flags, len(shown))
		}
		typed := strings.ToUpper(strings.NewReplacer("-", " ", "0", "O", "1", "l").Replace(shown))
		ben := harness.StartParley(t, "Ben", nil, "bot", "--server", "http://"+addr, typed)
		ben.Await("sees and hears Ada", harness.Meets(1))
		ben.Stop()
		ada.Stop()
	}
}
