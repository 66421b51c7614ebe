package e2e

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"parley/media/call"
	"parley/test/harness"
)

// windows counts the program's windows on a display.
func windows(t *testing.T, display string) int {
	t.Helper()
	cmd := exec.Command("xdotool", "search", "--onlyvisible", "--name", "^Parley$")
	cmd.Env = append(os.Environ(), "DISPLAY="+display)
	out, _ := cmd.Output() // exits with 1 if there is none
	return len(strings.Fields(string(out)))
}

// TestE2EOneWindow starts the program several times, in turn and at once. One process opens a window. The others hand over
// their link and end.
func TestE2EOneWindow(t *testing.T) {
	harness.EndToEnd(t)
	d := harness.StartDisplay(t)
	dir := t.TempDir()
	env := append(d.Env(), "PULSE_SERVER=unix:"+dir+"/none", "XDG_CONFIG_HOME="+dir, "XDG_RUNTIME_DIR="+dir)
	ended := func(all []*harness.Process) (n int) {
		for _, p := range all {
			select {
			case <-p.Done:
				n++
			default:
			}
		}
		return n
	}
	var all []*harness.Process
	for _, args := range [][]string{nil, {someLink}, {someLink}, {"parley://127.0.0.1:9/#7k3m"}, {"--server", "http://127.0.0.1:9", "7k3m-q9xt-2w8p"}} {
		all = append(all, harness.Launch(t, env, "build/parley", args...))
	}
	harness.AwaitTrue(t, "all but one hand over", func() bool { return ended(all) == len(all)-1 }, func() string { return "" })
	harness.AwaitTrue(t, "the window opens", func() bool { return windows(t, d.Name) == 1 }, func() string { return "" })
	last := harness.Launch(t, env, "build/parley", someLink)
	if got := last.Status(); got != 0 {
		t.Errorf("a start that hands over has exit status %d, want 0", got)
	}
	if n := windows(t, d.Name); n != 1 || ended(all) != len(all)-1 {
		t.Errorf("there are %d windows, want 1", n)
	}
	own := harness.Launch(t, env, "build/parley", "--name", "Ada") // a flag starts a process of its own
	harness.AwaitTrue(t, "a second window opens", func() bool { return windows(t, d.Name) == 2 }, func() string { return "" })
	for _, p := range append(all, last, own) {
		noTrace(t, p)
	}
}

// TestE2ENewServerAsks checks that a clicked link to an unknown server connects only after the user has agreed.
func TestE2ENewServerAsks(t *testing.T) {
	harness.EndToEnd(t)
	name, err := os.Hostname() // this machine's name counts as unknown, unlike its addresses
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(name, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var came atomic.Int32
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			came.Add(1)
			c.Close()
		}
	}()
	d := harness.StartDisplay(t)
	ada := harness.StartParley(
		t, "Ada", d.Env(), "--camera", "test", "--mic", "tone", "--speaker", "off",
		"http://"+net.JoinHostPort(name, port)+"/#7k3m-q9xt-2w8p",
	)
	lines := func(phase call.Phase) func(call.Line) bool {
		return func(l call.Line) bool { return l.Phase == phase.String() && l.TMillis > 4000 }
	}
	ada.Await("the question", lines(call.Idle))
	if n := came.Load(); n != 0 {
		t.Errorf("%d connections came before the question was answered", n)
	}
	d.Keys("key", "Tab")
	d.Keys("key", "space")
	ada.Await("the lobby", lines(call.Lobby))
	harness.AwaitTrue(t, "a connection after the answer", func() bool { return came.Load() > 0 }, func() string { return "" })
}
