package bench

import (
	"math"
	"slices"
	"testing"
)

// A product that reduces its picture to 640x360 is not cheaper than one that shows 1280x720. So each figure names others
// that must agree on both sides. A pair of runs that do not agree is measured again. If that does not help, the row says
// "not comparable".

const (
	// alikeWithin is how far two sides may differ, as a share of the larger: a frame rate is
	// counted over 8 s, and a mean width holds a moment of the layer below.
	alikeWithin = 0.1
	// measureAgain is how many pairs of a scenario are made again at most.
	measureAgain = 3
	// notComparable is the verdict on a figure without one fair pair of runs. It is not met.
	notComparable = "not comparable"
)

// fair reports whether two runs agree in these figures. Runs that failed are reported elsewhere.
func fair(ours, theirs sample, alike []string) bool {
	if ours == nil || theirs == nil {
		return true
	}
	for _, id := range alike {
		a, mine := ours[id]
		b, its := theirs[id]
		if !mine || !its || math.Abs(a-b) > alikeWithin*max(a, b) {
			return false
		}
	}
	return true
}

// fairPairs keeps the pairs of runs that agree in these figures.
func fairPairs(ours, theirs []sample, alike []string) (a, b []sample) {
	for i := range min(len(ours), len(theirs)) {
		if fair(ours[i], theirs[i], alike) {
			a, b = append(a, ours[i]), append(b, theirs[i])
		}
	}
	return a, b
}

// pairs measures so many pairs of runs. A pair that is not fair is measured again, at most again times in all.
func pairs(runs, again int, alike []string, run func() (ours, theirs sample)) (ours, theirs []sample) {
	for range runs {
		a, b := run()
		for ; again > 0 && !fair(a, b, alike); again-- {
			a, b = run()
		}
		ours, theirs = append(ours, a), append(theirs, b)
	}
	return ours, theirs
}

// alike lists all figures of a scenario that must agree on both sides.
func (s scenario) alike() []string {
	var all []string
	for _, f := range s.figures {
		all = append(all, f.alike...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestFair(t *testing.T) {
	full := sample{"width": 1280, "fps": 30}
	for _, c := range []struct {
		name         string
		ours, theirs sample
		want         bool
	}{
		{"the same", full, full, true},
		{"a little slower", sample{"width": 1280, "fps": 28}, full, true},
		{"ours shed its picture", sample{"width": 640, "fps": 30}, full, false},
		{"theirs shed its picture", full, sample{"width": 640, "fps": 30}, false},
		{"ours shed its rate", sample{"width": 1280, "fps": 15}, full, false},
		{"nobody shows anything", sample{"width": 0, "fps": 0}, sample{"width": 0, "fps": 0}, true},
		{"ours shows nothing", sample{"width": 0, "fps": 0}, full, false},
		{"no width", sample{"fps": 30}, full, false},
		{"a run failed", nil, full, true},
	} {
		if got := fair(c.ours, c.theirs, []string{"width", "fps"}); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if !fair(sample{"width": 640}, sample{"width": 1280}, nil) {
		t.Error("a figure that asks for nothing is not comparable")
	}
}

func TestUnfairPairsAreMadeAgain(t *testing.T) {
	widths := []float64{640, 1280, 640, 640, 640, 640, 640}
	made := 0
	run := func() (ours, theirs sample) {
		made++
		return sample{"width": widths[made-1]}, sample{"width": 1280}
	}
	ours, theirs := pairs(3, 2, []string{"width"}, run)
	if made != 5 || len(ours) != 3 || len(theirs) != 3 {
		t.Fatalf("%d pairs made for %d, want 5 for 3: two again", made, len(ours))
	}
	if a, _ := fairPairs(ours, theirs, []string{"width"}); len(a) != 1 || a[0]["width"] != 1280 {
		t.Errorf("fair pairs: %v", a)
	}
}

func TestRowOfUnlikePictures(t *testing.T) {
	f := benchFigure{id: "cpu", want: atMost, target: 1, alike: []string{"width"}}
	full := func(cpu float64) sample { return sample{"cpu": cpu, "width": 1280} }
	shed := sample{"cpu": 1, "width": 640}
	r := f.row([]sample{shed, shed}, []sample{full(50), full(50)}, true)
	if r.Verdict != notComparable || r.Ratio != nil {
		t.Errorf("a shed picture against a full one: %+v", r)
	}
	// Only fair pairs count.
	r = f.row([]sample{shed, full(60), shed}, []sample{full(50), full(50), full(50)}, true)
	if r.Verdict != "NOT MET" || *r.Ours != 60 || len(r.OurRuns) != 1 {
		t.Errorf("one fair pair of three: %+v", r)
	}
	if r := f.row([]sample{nil}, []sample{full(50)}, true); r.Verdict != "FAILED" {
		t.Errorf("a failed run: %+v", r)
	}
}

// TestCostsCompareLikeWithLike checks that each row with a target for CPU or memory names figures that must agree.
func TestCostsCompareLikeWithLike(t *testing.T) {
	for _, s := range scenarios {
		for _, f := range s.figures {
			cost := s.part == nil && s.theirs != nil && (f.unit == "%" || f.unit == "MB") && f.want != shown
			if cost && len(f.alike) == 0 {
				t.Errorf("%q compares costs, whatever the pictures are like", f.what)
			}
		}
	}
}
