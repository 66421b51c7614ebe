package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"parley/test/harness"
)

// ticksPerSecond is the unit of CPU times in /proc: USER_HZ, 100 on every Linux architecture
// that Go supports (proc(5), time(7)).
const ticksPerSecond = 100

// tree is a process and its descendants, which are most of a browser.
type tree struct {
	t    testing.TB
	root int
}

// stat is what /proc/PID/stat says of a process.
type stat struct {
	parent int
	cpu    time.Duration // its own, and that of its ended children
}

func readStat(pid string) (stat, error) {
	b, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return stat{}, err
	}
	// The name in parentheses may contain spaces and parentheses.
	_, rest, _ := strings.Cut(string(b[strings.LastIndexByte(string(b), ')'):]), " ")
	f := strings.Fields(rest)
	if len(f) < 15 {
		return stat{}, fmt.Errorf("/proc/%s/stat: %d fields", pid, len(f))
	}
	var s stat
	s.parent, _ = strconv.Atoi(f[1])
	for _, ticks := range f[11:15] { // utime, stime, cutime, cstime
		n, err := strconv.ParseInt(ticks, 10, 64)
		if err != nil {
			return stat{}, err
		}
		s.cpu += time.Duration(n) * time.Second / ticksPerSecond
	}
	return s, nil
}

// pids are the tree's running processes.
func (p tree) pids() map[int]stat {
	p.t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		p.t.Fatal(err)
	}
	all, children := make(map[int]stat), make(map[int][]int)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if s, err := readStat(e.Name()); err == nil { // it may have ended just now
			all[pid] = s
			children[s.parent] = append(children[s.parent], pid)
		}
	}
	found := make(map[int]stat)
	for next := []int{p.root}; len(next) > 0; next = next[1:] {
		if s, ok := all[next[0]]; ok {
			found[next[0]] = s
			next = append(next, children[next[0]]...)
		}
	}
	return found
}

// cpu is the tree's CPU time since its start.
func (p tree) cpu() time.Duration {
	p.t.Helper()
	var sum time.Duration
	for _, s := range p.pids() {
		sum += s.cpu
	}
	return sum
}

// pss is the tree's proportional set size in MB: a page that several processes share counts in equal parts.
func (p tree) pss() float64 {
	p.t.Helper()
	var sum float64
	for pid := range p.pids() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(b)) {
			if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
				kb, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
				if err != nil {
					p.t.Fatalf("smaps_rollup of %d: %q", pid, line)
				}
				sum += kb * 1024 / 1e6
			}
		}
	}
	return sum
}

// TestTreeMeasuresChildren checks that a child's CPU time and memory count for its parent.
func TestTreeMeasuresChildren(t *testing.T) {
	if testing.Short() {
		t.Skip("burns a second of CPU")
	}
	// timeout passes on the signal that ends it.
	shell := harness.Launch(t, nil, "timeout", "20", "sh", "-c", "while :; do :; done")
	p := tree{t, shell.Cmd.Process.Pid}
	harness.AwaitTrue(t, "the child burns 0.3 s", func() bool { return p.cpu() > 300*time.Millisecond }, func() string { return fmt.Sprint(p.pids()) })
	if n := len(p.pids()); n < 2 {
		t.Errorf("%d processes in the tree; want the child too", n)
	}
	if mb := p.pss(); mb < 0.05 || mb > 100 {
		t.Errorf("a shell and its parent take %.2f MB", mb)
	}
}
