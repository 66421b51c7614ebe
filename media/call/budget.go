package call

import "time"

// Shed is what a busy machine gives up in order to keep up. Each step gives up more. What others miss
// least goes first; sound is never given up.
type Shed uint8

// The steps.
const (
	ShedNothing Shed = iota
	ShedTiles        // small pictures of others come at half their frame rate
	ShedLayer        // our largest layer is not encoded
	ShedRate         // our camera runs at half its frame rate
)

func (s Shed) String() string { return [...]string{"nothing", "tiles", "layer", "rate"}[s] }

// load is how busy this machine was during the last second.
type load struct {
	encode float64       // time to encode a frame, as a share of the time between frames
	late   time.Duration // how late the loop's ticks came, median
	behind float64       // share of decoded pictures that were too late to be shown
}

const (
	// Encoding that takes three quarters of the time leaves no room for a busy moment. Below two
	// fifths, twice the work would fit.
	encodeHigh, encodeLow = 0.75, 0.4
	// A loop that wakes this late was waiting for a processor.
	lateHigh, lateLow = 40 * time.Millisecond, 10 * time.Millisecond
	behindHigh        = 0.1

	// After shedAfter busy seconds in a row a step is shed; a single one may be a window that was
	// opened. After easeAfter calm seconds a step is given back. If the machine then gets busy
	// again, twice as many are needed next time, up to easeMost.
	shedAfter = 2
	easeAfter = 10
	easeMost  = 160
)

func (s load) high() bool {
	return s.encode >= encodeHigh || s.late >= lateHigh || s.behind >= behindHigh
}

func (s load) low() bool {
	return s.encode <= encodeLow && s.late <= lateLow && s.behind < behindHigh/2
}

// budget decides once a second what to shed. The zero value sheds nothing.
type budget struct {
	shed     Shed
	busy     int // seconds in a row
	calm     int
	patience int // calm seconds before a step is given back; 0 means easeAfter
	eased    int // seconds since a step was given back; 0 once that has proved right
}

// next is the budget after one more second. It is a pure function.
func (b budget) next(s load) budget {
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
		b.busy, b.calm = b.busy+1, 0
	case s.low():
		b.busy, b.calm = 0, b.calm+1
	default:
		b.busy, b.calm = 0, 0
	}
	switch {
	case b.busy >= shedAfter && b.shed < ShedRate:
		if b.eased > 0 {
			b.patience = min(2*b.patience, easeMost)
		}
		b.shed, b.busy, b.eased = b.shed+1, 0, 0
	case b.calm >= b.patience && b.shed > ShedNothing:
		b.shed, b.calm, b.eased = b.shed-1, 0, 1
	}
	return b
}

// loaded updates the budget with one more second. While we are alone in the meeting, nothing is shed.
func (m model) loaded(s load) (model, []effect) {
	was := m.budget.shed
	if m.budget = m.budget.next(s); !m.inside() || len(m.Peers) == 0 {
		m.budget = budget{}
	}
	if m.budget.shed == was {
		return m, nil
	}
	m.Shed = m.budget.shed
	return m, []effect{setShed{m.budget.shed}}
}
