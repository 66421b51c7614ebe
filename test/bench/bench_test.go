package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/test/harness"
)

// make bench measures our calls beside the same calls in Chromium: in one run, in turns, with the same material, over
// the same kind of path. It shows where we lose as well as where we win. On a busy machine its figures mean nothing.

// sample is the figures of one run of a scenario, by their IDs.
type sample map[string]float64

// scenario is a call that both products make, once in each run. Without theirs, only ours is measured, and the target
// is for the figure itself.
type scenario struct {
	name    string
	quick   bool          // in make bench-quick too
	takes   time.Duration // one run, both products, about
	figures []benchFigure
	part    *pathPart // instead of ours and theirs, for a scenario that shares its call: see oneCall
	ours    func(t testing.TB) sample
	theirs  func(t testing.TB) sample
}

var scenarios = slices.Concat([]scenario{
	engine720, meshScenario, encodeOnce, wholeApp, wholeApp360, memorySix, captureToPaint, mouthToEar, fallScenario,
	rendezvousScenario,
}, qualities, losses)

// chosen are the scenarios to measure: all, those of the quick run, or those that match ROWS.
func chosen(t testing.TB, quick bool) []scenario {
	t.Helper()
	rows := os.Getenv("ROWS")
	wanted, err := regexp.Compile("(?i)" + rows)
	if err != nil {
		t.Fatalf("ROWS: %v", err)
	}
	return oneCall(slices.DeleteFunc(slices.Clone(scenarios), func(s scenario) bool {
		return !s.matches(wanted) || quick && !s.quick && rows == ""
	}))
}

// benchRuns is how often each scenario runs; PARLEY_BENCH=quick means once, and fewer of them.
const benchRuns = 3

// BenchmarkAgainstChromium prints the table and writes build/bench.json. ROWS (make bench
// ROWS=regexp) narrows it to scenarios of which the name or a figure matches.
func BenchmarkAgainstChromium(b *testing.B) {
	harness.EndToEnd(b)
	if _, err := exec.LookPath("chromium"); err != nil {
		b.Fatalf("%v: run scripts/setup --test", err)
	}
	quick, runs := os.Getenv("PARLEY_BENCH") == "quick", benchRuns
	if quick {
		runs = 1
	}
	report := benchReport{Began: time.Now().UTC().Truncate(time.Second), Runs: runs, Chromium: chromiumVersion(b)}
	all := chosen(b, quick)
	announce(all, runs)
	for _, s := range all {
		run := 0
		ours, theirs := pairs(runs, measureAgain, s.alike(), func() (ours, theirs sample) {
			run++
			ours = measure(b, s.name, "ours", run, s.ours)
			if s.theirs != nil {
				theirs = measure(b, s.name, "chromium", run, s.theirs)
			}
			return ours, theirs
		})
		for _, f := range s.figures {
			report.Rows = append(report.Rows, f.row(ours, theirs, s.theirs != nil))
		}
		report.write(b) // so that an interruption loses nothing
	}
	report.Seconds = time.Since(report.Began).Seconds()
	report.write(b)
	fmt.Print(report.table())
}

// announce prints how long it will take.
func announce(all []scenario, runs int) {
	var sum time.Duration
	for _, s := range all {
		sum += s.takes * time.Duration(runs)
	}
	fmt.Fprintf(os.Stderr, "bench: %d runs of %d calls, about %.0f minutes\n", runs, len(all), sum.Minutes())
}

// measure makes one run as a benchmark of its own, so that a failure ends only that run and everything it has started.
func measure(b *testing.B, name, side string, run int, what func(testing.TB) sample) sample {
	var s sample
	begin := time.Now()
	ok := b.Run(fmt.Sprintf("%s/%s/%d", strings.ReplaceAll(name, " ", "_"), side, run), func(b *testing.B) { s = what(b) })
	if !ok {
		s = nil
	}
	fmt.Fprintf(os.Stderr, "bench: %-40s %-8s run %d: %4.0f s %v\n", name, side, run, time.Since(begin).Seconds(), s)
	return s
}

// matches reports whether the scenario's name or one of its figures matches.
func (s scenario) matches(rows *regexp.Regexp) bool {
	for _, f := range s.figures {
		if rows.MatchString(f.what) {
			return true
		}
	}
	return rows.MatchString(s.name)
}

// write writes the report to build/bench.json.
func (r benchReport) write(b *testing.B) {
	b.Helper()
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join("build", "bench.json"), append(text, '\n'), 0o644)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// chromiumVersion is the browser's name and version.
func chromiumVersion(t testing.TB) string {
	t.Helper()
	cmd := exec.Command("chromium", "--version")
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+home)
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium --version: %v", err)
	}
	return strings.TrimSpace(string(text))
}
