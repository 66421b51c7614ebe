package call

import "time"

// Shed is what is given up so that a busy machine keeps up, more with every step: what others
// lose least by goes first, and sound never.
type Shed uint8

// The steps.
const (
	ShedNothing Shed = iota
	ShedTiles        // small pictures of others move at half their rate
	ShedLayer        // our own largest layer is not coded
	ShedRate         // our own camera runs at half its rate
)

func (s Shed) String() string { return [...]string{"nothing", "tiles", "layer", "rate"}[s] }

// strain is how hard the last second was for this machine.
type strain struct {
	encode float64       // part of the time between two frames that coding one took
	late   time.Duration // by which a tick of the loop came too late, the median
	behind float64       // part of the pictures decoded that came too late to be shown
}

const (
	// Coding that takes three quarters of the time leaves none for a busy moment; below two
	// fifths, twice the work would fit.
	encodeHigh, encodeLow = 0.75, 0.4
	// A loop that wakes so late has been waiting for a processor.
	lateHigh, lateLow = 40 * time.Millisecond, 10 * time.Millisecond
	behindHigh        = 0.1

	// shedAfter is how many strained seconds in a row cost a step: one is a window that was
	// opened. easeAfter is how many calm ones give a step back; if that strains the machine
	// again, it takes twice as many next time, up to easeMost.
	shedAfter = 2
	easeAfter = 10
	easeMost  = 160
)

func (s strain) high() bool {
	return s.encode >= encodeHigh || s.late >= lateHigh || s.behind >= behindHigh
}

func (s strain) low() bool {
	return s.encode <= encodeLow && s.late <= lateLow && s.behind < behindHigh/2
}

// budget decides what is shed, a second at a time. The zero value sheds nothing.
type budget struct {
	shed     Shed
	strained int // seconds in a row
	calm     int
	patience int // calm seconds until a step is given back; 0 is easeAfter
	eased    int // seconds since that happened last, while it is not known whether it was right
}

// next is the budget after one more second. It is pure.
func (b budget) next(s strain) budget {
	if b.patience == 0 {
		b.patience = easeAfter
	}
	if b.eased > 0 {
		if b.eased++; b.eased > easeAfter {
			b.eased = 0
		}
	}
	switch {
	case s.high():
		b.strained, b.calm = b.strained+1, 0
	case s.low():
		b.strained, b.calm = 0, b.calm+1
	default:
		b.strained, b.calm = 0, 0
	}
	switch {
	case b.strained >= shedAfter && b.shed < ShedRate:
		if b.eased > 0 {
			b.patience = min(2*b.patience, easeMost)
		}
		b.shed, b.strained, b.eased = b.shed+1, 0, 0
	case b.calm >= b.patience && b.shed > ShedNothing:
		b.shed, b.calm, b.eased = b.shed-1, 0, 1
	}
	return b
}

// strained spends the budget of one more second. While nobody else is in the meeting there is
// nobody to shed anything for.
func (m model) strained(s strain) (model, []effect) {
	was := m.budget.shed
	if m.budget = m.budget.next(s); !m.inside() || len(m.Peers) == 0 {
		m.budget = budget{}
	}
	if m.budget.shed == was {
		return m, nil
	}
	m.Shed = m.budget.shed
	return m, []effect{spare{m.budget.shed}}
}
