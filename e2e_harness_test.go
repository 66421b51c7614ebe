package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"parley/media/call"
)

// The end-to-end tests run the programs as people do: built, as processes, on displays, sound
// servers and sockets of their own. What they wait for has a deadline that no healthy run comes
// near, however busy the machine; how fast things are is measured by make figures.

// patience is how long a test waits for something that has to come.
const patience = 90 * time.Second

// buildOnce builds both programs as they are built for people, which costs nothing when make has
// done so.
var buildOnce = sync.OnceValue(func() error {
	text, err := exec.Command("make", "--no-print-directory", "build/parley", "build/parley-rendezvous").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, text)
	}
	return nil
})

// endToEnd skips a test of whole programs in a short run, and makes sure there are programs.
func endToEnd(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("end to end: not in a short run")
	}
	if err := buildOnce(); err != nil {
		t.Fatal(err)
	}
}

// material is the path of a file that scripts/material makes.
func material(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("build/material", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run scripts/material", err)
	}
	return path
}

// process is a running program of ours.
type process struct {
	t     testing.TB
	name  string
	cmd   *exec.Cmd
	stats string // the file of --stats; empty without one

	mu     sync.Mutex
	stdout bytes.Buffer
	stderr bytes.Buffer
	done   chan struct{} // closed when it has ended
	err    error         // of Wait; read after done
}

// lockedBuffer is written by a process's pipe and read by the test.
type lockedBuffer struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (l lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// launch starts a program, which ends with the test. env adds to the test's own; settings and
// home of the person at the machine stay untouched.
func launch(t testing.TB, env []string, path string, args ...string) *process {
	t.Helper()
	return launchWith(t, env, nil, path, args...)
}

// launchWith also hands the program files, from its descriptor 3 on.
func launchWith(t testing.TB, env []string, files []*os.File, path string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: filepath.Base(path), done: make(chan struct{})}
	p.cmd = exec.Command(path, args...)
	home := t.TempDir()
	p.cmd.Env = append(slices.DeleteFunc(os.Environ(), func(e string) bool {
		return strings.HasPrefix(e, "DISPLAY=") || strings.HasPrefix(e, "WAYLAND_DISPLAY=") || strings.HasPrefix(e, "PULSE_")
	}), "HOME="+home, "XDG_CONFIG_HOME="+home)
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.ExtraFiles = files
	p.cmd.Stdout = lockedBuffer{&p.mu, &p.stdout}
	p.cmd.Stderr = lockedBuffer{&p.mu, &p.stderr}
	if err := startChild(p.cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%s %s said on standard error:\n%s", p.name, strings.Join(args, " "), p.errors())
		}
	})
	return p
}

// startChild starts a process that is killed when the test's own process ends. The kernel does
// so when the thread that started it ends, so that is one that never does.
func startChild(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	result := make(chan error)
	starterOnce.Do(func() {
		go func() {
			runtime.LockOSThread()
			for start := range starts {
				start()
			}
		}()
	})
	starts <- func() { result <- cmd.Start() }
	return <-result
}

var (
	starterOnce sync.Once
	starts      = make(chan func())
)

// stop ends the process as a person's system would, and by force if that does not help.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // Go prints where it hangs
		select {
		case <-p.done:
		case <-time.After(5 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.done
		}
		p.t.Errorf("%s did not stop within 20 s", p.name)
	}
}

// status waits for the end of the process and returns its exit status.
func (p *process) status() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT)
		p.t.Fatalf("%s hangs", p.name)
	}
	if exit := (*exec.ExitError)(nil); errors.As(p.err, &exit) {
		return exit.ExitCode()
	}
	if p.err != nil {
		p.t.Fatal(p.err)
	}
	return 0
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stdout.String()
}

func (p *process) errors() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// lines are the statistics so far.
func (p *process) lines() []call.Line {
	p.t.Helper()
	f, err := os.Open(p.stats)
	if err != nil {
		return nil // not there yet
	}
	defer f.Close()
	var all []call.Line
	for r := bufio.NewReader(f); ; {
		text, err := r.ReadBytes('\n')
		if err != nil {
			return all // the end, or a line that is being written
		}
		var l call.Line
		if err := json.Unmarshal(text, &l); err != nil {
			p.t.Fatalf("%s: %v", p.stats, err)
		}
		all = append(all, l)
	}
}

// last is the newest line of the statistics.
func (p *process) last() call.Line {
	if all := p.lines(); len(all) > 0 {
		return all[len(all)-1]
	}
	return call.Line{}
}

// await waits until ok, and says how far it came if that never happens.
func (p *process) await(what string, ok func(l call.Line) bool) call.Line {
	p.t.Helper()
	var l call.Line
	awaitTrue(p.t, p.name+": "+what, func() bool {
		select {
		case <-p.done:
			p.t.Fatalf("%s: waiting until %s, it ended: %v", p.name, what, p.err)
		default:
		}
		l = p.last()
		return ok(l)
	}, func() string { b, _ := json.Marshal(l); return string(b) })
	return l
}

// awaitTrue polls a real process.
func awaitTrue(t testing.TB, what string, ok func() bool, state func() string) {
	t.Helper()
	awaitEvery(t, 50*time.Millisecond, what, ok, state)
}

func awaitEvery(t testing.TB, pause time.Duration, what string, ok func() bool, state func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s; at last %s", what, state())
		}
		time.Sleep(pause)
	}
}

// startRendezvous starts the hosted service on addr ("127.0.0.1:0" for any port) and returns
// where it listens.
func startRendezvous(t testing.TB, addr string) (*process, string) {
	t.Helper()
	p := launch(t, nil, "build/parley-rendezvous", "--listen", addr, "--metrics", "127.0.0.1:0")
	var at string
	awaitTrue(t, "the rendezvous listens", func() bool {
		at = logged(p, "listening")
		return at != ""
	}, p.errors)
	return p, at
}

// logged finds the address in the rendezvous' log line with this message.
func logged(p *process, msg string) (addr string) {
	for line := range strings.Lines(p.errors()) {
		var l struct{ Msg, Addr string }
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == msg {
			addr = l.Addr
		}
	}
	return addr
}

// startParley starts the program with statistics. A bot is silent towards devices: what is not
// in args is the test picture, a tone and no speaker.
func startParley(t testing.TB, name string, env []string, args ...string) *process {
	t.Helper()
	stats := filepath.Join(t.TempDir(), name+".stats")
	flags := []string{"--name", name, "--stats", stats}
	if len(args) > 0 && args[0] == "bot" {
		flags = append([]string{"bot"}, flags...)
		args = args[1:]
		for flag, value := range map[string]string{"--camera": "test", "--mic": "tone", "--speaker": "off"} {
			if !slices.Contains(args, flag) {
				flags = append(flags, flag, value)
			}
		}
	}
	p := launch(t, env, "build/parley", append(flags, args...)...)
	p.name, p.stats = name, stats
	return p
}

// link is what a process with --new prints first.
func (p *process) link() string {
	p.t.Helper()
	var link string
	awaitTrue(p.t, p.name+" prints its link", func() bool {
		first, _, whole := strings.Cut(p.output(), "\n")
		link = first
		return whole
	}, p.errors)
	return link
}

// meets says whether n others are connected, seen and heard.
func meets(n int) func(call.Line) bool {
	return func(l call.Line) bool {
		return len(l.Peers) == n && !slices.ContainsFunc(l.Peers, func(p call.LinePeer) bool {
			return p.State != "connected" || p.VideoIn.Frames == 0 || p.AudioIn.Level < -60
		})
	}
}

// TestE2EBots: three bots, one process each, see and hear each other, under their names.
func TestE2EBots(t *testing.T) {
	endToEnd(t)
	_, addr := startRendezvous(t, "127.0.0.1:0")
	ada := startParley(t, "Ada", nil, "bot", "--new", "--server", "http://"+addr)
	link := ada.link()
	ben := startParley(t, "Ben", nil, "bot", link)
	cleo := startParley(t, "Cleo", nil, "bot", "--leave-after", "1m", link)
	for _, p := range []*process{ada, ben, cleo} {
		l := p.await("sees and hears two others", meets(2))
		var names []string
		for _, q := range l.Peers {
			names = append(names, q.Name)
		}
		slices.Sort(names)
		want := slices.DeleteFunc([]string{"Ada", "Ben", "Cleo"}, func(n string) bool { return n == p.name })
		if !slices.Equal(names, want) {
			t.Errorf("%s meets %q, want %q", p.name, names, want)
		}
	}
	// Who leaves is gone for the others at once, and the program ends well.
	cleo.stop()
	if cleo.status() != 0 {
		t.Errorf("exit status %d after SIGTERM", cleo.status())
	}
	ada.await("is alone with Ben", func(l call.Line) bool { return len(l.Peers) == 1 })
}
