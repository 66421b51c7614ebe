package bench

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"parley/test/harness"
)

// benchFigure is one row of the table: what is compared, and its target.
type benchFigure struct {
	id     string // in samples
	what   string
	unit   string
	want   want
	target float64  // of the ratio ours / Chromium, or of our figure if there is no other
	alike  []string // figures that must agree on both sides
}

// want is on which side of its target a figure must be.
type want int

const (
	atMost  want = iota // ratio <= target
	below               // ratio < target: "faster"
	atLeast             // ratio >= target
	above               // ratio > target: "higher"
	shown               // no target: the row explains another
)

var wantSigns = map[want]string{atMost: "<=", below: "<", atLeast: ">=", above: ">"}

// holds reports whether a ratio meets its target.
func (w want) holds(ratio, target float64) bool {
	switch w {
	case atMost:
		return ratio <= target
	case below:
		return ratio < target
	case atLeast:
		return ratio >= target
	case above:
		return ratio > target
	default:
		return true
	}
}

// benchRow is a figure that was measured: the medians of the runs, nil where no run gave one.
type benchRow struct {
	Figure   string    `json:"figure"`
	Unit     string    `json:"unit"`
	Ours     *float64  `json:"ours"`
	Chromium *float64  `json:"chromium,omitempty"`
	Ratio    *float64  `json:"ratio,omitempty"` // null where Chromium's is zero and ours is not
	Target   string    `json:"target,omitempty"`
	Verdict  string    `json:"verdict"`
	OurRuns  []float64 `json:"our_runs"`
	ItsRuns  []float64 `json:"chromium_runs,omitempty"`
}

// row compares the runs of both sides.
func (f benchFigure) row(ours, theirs []sample, compared bool) benchRow {
	likeOurs, likeTheirs := ours, theirs
	if compared {
		likeOurs, likeTheirs = fairPairs(ours, theirs, f.alike)
	}
	unlike := compared && len(ours) > 0 && len(likeOurs) == 0
	if unlike {
		likeOurs, likeTheirs = ours, theirs // they are shown nevertheless
	}
	r := benchRow{Figure: f.what, Unit: f.unit, OurRuns: f.of(likeOurs), ItsRuns: f.of(likeTheirs)}
	r.Ours, r.Chromium = middle(r.OurRuns), middle(r.ItsRuns)
	if f.want != shown {
		r.Target = fmt.Sprintf("%s %g", wantSigns[f.want], f.target)
	}
	var ratio float64
	switch {
	case r.Ours == nil || compared && r.Chromium == nil:
		r.Verdict = "FAILED"
		return r
	case unlike:
		r.Verdict = notComparable
		return r
	case !compared:
		ratio = *r.Ours
	case *r.Chromium != 0:
		ratio = *r.Ours / *r.Chromium
		r.Ratio = &ratio
	case *r.Ours != 0: // no ratio: theirs is zero
		ratio = math.Inf(1)
	default:
		// Both are zero: good if the target is small, bad if it is large.
		if r.Verdict = "ok"; f.want == atLeast || f.want == above {
			r.Verdict = "NOT MET"
		}
		return r
	}
	switch {
	case f.want == shown:
		r.Verdict = "-"
	case f.want.holds(ratio, f.target):
		r.Verdict = "ok"
	default:
		r.Verdict = "NOT MET"
	}
	return r
}

// of returns the figure of every run that has it.
func (f benchFigure) of(runs []sample) []float64 {
	var all []float64
	for _, s := range runs {
		if v, ok := s[f.id]; ok {
			all = append(all, v)
		}
	}
	return all
}

// middle is the median, nil of nothing.
func middle(values []float64) *float64 {
	if len(values) == 0 {
		return nil
	}
	m := harness.Quantile(append([]float64(nil), values...), 0.5)
	return &m
}

// benchReport is build/bench.json.
type benchReport struct {
	Began    time.Time  `json:"began"`
	Seconds  float64    `json:"seconds"`
	Runs     int        `json:"runs"`
	Chromium string     `json:"chromium"`
	Rows     []benchRow `json:"rows"`
}

// table is the report for people.
func (r benchReport) table() string {
	var b strings.Builder
	line := func(figure, ours, chromium, ratio, target, verdict string) {
		fmt.Fprintf(&b, "%-66s | %12s | %12s | %6s | %-7s | %s\n", figure, ours, chromium, ratio, target, verdict)
	}
	fmt.Fprintf(&b, "\n%s, median of %d; %.0f s\n", r.Chromium, r.Runs, r.Seconds)
	line("figure", "ours", "chromium", "ratio", "target", "")
	for _, w := range r.Rows {
		line(w.Figure, number(w.Ours, w.Unit), number(w.Chromium, w.Unit), number(w.Ratio, ""), w.Target, w.Verdict)
	}
	return b.String()
}

func number(v *float64, unit string) string {
	if v == nil {
		return "-"
	}
	if math.Abs(*v) >= 100 {
		return strings.TrimSpace(fmt.Sprintf("%.0f %s", *v, unit))
	}
	return strings.TrimSpace(fmt.Sprintf("%.3g %s", *v, unit))
}

func TestBenchRow(t *testing.T) {
	runs := func(values ...float64) []sample {
		var all []sample
		for _, v := range values {
			all = append(all, sample{"x": v})
		}
		return append(all, nil) // a run that failed
	}
	for _, c := range []struct {
		want         want
		target       float64
		ours, theirs []sample
		verdict      string
	}{
		{atMost, 0.8, runs(7, 8, 900), runs(10), "ok"},
		{atMost, 0.8, runs(8.1), runs(10), "NOT MET"},
		{below, 1, runs(10), runs(10), "NOT MET"},
		{atLeast, 1, runs(10), runs(10), "ok"},
		{above, 1, runs(10), runs(10), "NOT MET"},
		{above, 1, runs(11), runs(10), "ok"},
		{atMost, 0.1, runs(0), runs(0), "ok"},
		{atMost, 0.1, runs(1), runs(0), "NOT MET"},
		{above, 1, runs(0), runs(0), "NOT MET"},
		{above, 1, runs(5), runs(0), "ok"},
		{atMost, 1, nil, runs(1), "FAILED"},
		{atMost, 1, runs(1), nil, "FAILED"},
	} {
		f := benchFigure{id: "x", want: c.want, target: c.target}
		r := f.row(c.ours, c.theirs, true)
		if r.Verdict != c.verdict {
			t.Errorf("%v %s %g %v: %s, want %s", c.ours, wantSigns[c.want], c.target, c.theirs, r.Verdict, c.verdict)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
	}
	alone := benchFigure{id: "x", want: atMost, target: 1.15}
	if r := alone.row(runs(1.2), nil, false); r.Verdict != "NOT MET" || r.Ratio != nil {
		t.Errorf("without another side: %+v", r)
	}
}
