package harness

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

// The end-to-end tests run the built programs as processes, on displays, sound servers and sockets of their own. Their
// deadlines are long enough for a busy machine. make figures measures speed.

// Patience is the timeout for a condition that must come true.
const Patience = 90 * time.Second

// buildOnce builds both programs with make build, which is quick if they are up to date.
var buildOnce = sync.OnceValue(func() error {
	text, err := exec.Command("make", "--no-print-directory", "build/parley", "build/parley-rendezvous").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, text)
	}
	return nil
})

// EndToEnd skips a test of whole programs in a short run, and builds the programs otherwise.
func EndToEnd(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("end to end: not in a short run")
	}
	if err := buildOnce(); err != nil {
		t.Fatal(err)
	}
}

// Material is the path of a file made by scripts/material.
func Material(t testing.TB, name string) string {
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

// Process is one of our programs, running.
type Process struct {
	t     testing.TB
	Name  string
	Cmd   *exec.Cmd
	Stats string // the file of --stats; empty without one

	mu     sync.Mutex
	stdout bytes.Buffer
	stderr bytes.Buffer
	Done   chan struct{} // closed when it has ended
	Err    error         // from Wait; read after Done is closed
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

// Launch starts a program that ends with the test. env is added to the test's environment. The program gets settings and
// a home folder of its own.
func Launch(t testing.TB, env []string, path string, args ...string) *Process {
	t.Helper()
	return LaunchWith(t, env, nil, path, args...)
}

// LaunchWith also passes files to the program, starting at descriptor 3.
func LaunchWith(t testing.TB, env []string, files []*os.File, path string, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, Name: filepath.Base(path), Done: make(chan struct{})}
	p.Cmd = exec.Command(path, args...)
	home := t.TempDir()
	p.Cmd.Env = append(slices.DeleteFunc(os.Environ(), func(e string) bool {
		return strings.HasPrefix(e, "DISPLAY=") || strings.HasPrefix(e, "WAYLAND_DISPLAY=") || strings.HasPrefix(e, "PULSE_")
	}), "HOME="+home, "XDG_CONFIG_HOME="+home, "LANG=C.UTF-8")
	p.Cmd.Env = append(p.Cmd.Env, env...)
	p.Cmd.ExtraFiles = files
	p.Cmd.Stdout = lockedBuffer{&p.mu, &p.stdout}
	p.Cmd.Stderr = lockedBuffer{&p.mu, &p.stderr}
	if err := StartChild(p.Cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.Err = p.Cmd.Wait()
		close(p.Done)
	}()
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("%s %s said on standard error:\n%s", p.Name, strings.Join(args, " "), p.Errors())
		}
	})
	return p
}

// StartChild starts a process that is killed when the test's own process ends. The kernel kills it when the thread that
// started it ends, so it is started from a thread that never ends.
func StartChild(cmd *exec.Cmd) error {
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

// Stop ends the process by SIGTERM, and by force if it hangs.
func (p *Process) Stop() {
	_ = p.Cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.Done:
	case <-time.After(20 * time.Second):
		_ = p.Cmd.Process.Signal(syscall.SIGQUIT) // Go prints the stacks
		select {
		case <-p.Done:
		case <-time.After(5 * time.Second):
			_ = p.Cmd.Process.Kill()
			<-p.Done
		}
		p.t.Errorf("%s did not stop within 20 s", p.Name)
	}
}

// Status waits for the end of the process and returns its exit status.
func (p *Process) Status() int {
	p.t.Helper()
	select {
	case <-p.Done:
	case <-time.After(Patience):
		_ = p.Cmd.Process.Signal(syscall.SIGQUIT)
		p.t.Fatalf("%s hangs", p.Name)
	}
	if exit := (*exec.ExitError)(nil); errors.As(p.Err, &exit) {
		return exit.ExitCode()
	}
	if p.Err != nil {
		p.t.Fatal(p.Err)
	}
	return 0
}

func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stdout.String()
}

func (p *Process) Errors() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// Lines returns the statistics so far.
func (p *Process) Lines() []call.Line {
	p.t.Helper()
	f, err := os.Open(p.Stats)
	if err != nil {
		return nil // the file does not exist yet
	}
	defer f.Close()
	var all []call.Line
	for r := bufio.NewReader(f); ; {
		text, err := r.ReadBytes('\n')
		if err != nil {
			return all // the end, or an incomplete line
		}
		var l call.Line
		if err := json.Unmarshal(text, &l); err != nil {
			p.t.Fatalf("%s: %v", p.Stats, err)
		}
		all = append(all, l)
	}
}

// Last returns the newest line of the statistics.
func (p *Process) Last() call.Line {
	if all := p.Lines(); len(all) > 0 {
		return all[len(all)-1]
	}
	return call.Line{}
}

// Await waits until ok. On a timeout it reports the newest statistics.
func (p *Process) Await(what string, ok func(l call.Line) bool) call.Line {
	p.t.Helper()
	var l call.Line
	AwaitTrue(p.t, p.Name+": "+what, func() bool {
		select {
		case <-p.Done:
			p.t.Fatalf("%s: waiting until %s, it ended: %v", p.Name, what, p.Err)
		default:
		}
		l = p.Last()
		return ok(l)
	}, func() string { b, _ := json.Marshal(l); return string(b) })
	return l
}

// AwaitTrue polls until ok, for conditions that depend on another process.
func AwaitTrue(t testing.TB, what string, ok func() bool, state func() string) {
	t.Helper()
	AwaitEvery(t, 50*time.Millisecond, what, ok, state)
}

func AwaitEvery(t testing.TB, pause time.Duration, what string, ok func() bool, state func() string) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s; at last %s", what, state())
		}
		time.Sleep(pause)
	}
}

// StartRendezvous starts the hosted service on addr ("127.0.0.1:0" for any port) and returns the address where it listens.
// args are additional flags.
func StartRendezvous(t testing.TB, addr string, args ...string) (*Process, string) {
	t.Helper()
	args = append([]string{"--listen", addr, "--metrics", "127.0.0.1:0"}, args...)
	p := Launch(t, nil, "build/parley-rendezvous", args...)
	var at string
	AwaitTrue(t, "the rendezvous listens", func() bool {
		at = Logged(p, "listening")
		return at != ""
	}, p.Errors)
	return p, at
}

// Logged finds the address in the rendezvous's log line with this message.
func Logged(p *Process, msg string) (addr string) {
	for line := range strings.Lines(p.Errors()) {
		var l struct{ Msg, Addr string }
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == msg {
			addr = l.Addr
		}
	}
	return addr
}

// StartParley starts the program with statistics. A bot does not use the machine's devices: unless args say otherwise, it
// has the test picture, a tone and no speaker.
func StartParley(t testing.TB, name string, env []string, args ...string) *Process {
	t.Helper()
	return StartProgram(t, []string{"build/parley"}, name, env, args...)
}

// StartProgram starts Parley as StartParley does, by another command than build/parley.
func StartProgram(t testing.TB, command []string, name string, env []string, args ...string) *Process {
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
	p := Launch(t, env, command[0], slices.Concat(command[1:], flags, args)...)
	p.Name, p.Stats = name, stats
	return p
}

// Link is the link that a process with --new prints first.
func (p *Process) Link() string {
	p.t.Helper()
	var link string
	AwaitTrue(p.t, p.Name+" prints its link", func() bool {
		first, _, whole := strings.Cut(p.Output(), "\n")
		link = first
		return whole
	}, p.Errors)
	return link
}

// Meets reports whether n others are connected, seen and heard.
func Meets(n int) func(call.Line) bool {
	return func(l call.Line) bool {
		return len(l.Peers) == n && !slices.ContainsFunc(l.Peers, func(p call.LinePeer) bool {
			return p.State != "connected" || p.VideoIn.Frames == 0 || p.AudioIn.Level < -60
		})
	}
}
