package congestion

import "time"

// A meter's buckets: together 1.6 s, more than any window asked for.
const (
	meterBucket  = 25 * time.Millisecond
	meterBuckets = 64
)

// shortWindow is the time over which a rate is measured to fall to: long enough for a dozen
// packets at 400 kbit/s, short enough to leave behind what the path carried before.
const shortWindow = 250 * time.Millisecond

// meter measures a rate in bytes that come with times, of any clock, roughly in order.
type meter struct {
	bucket  [meterBuckets]int
	last    time.Duration // latest time seen
	first   time.Duration // where measuring began
	started bool
}

// move brings the meter to a time; what lies before is left as it is.
func (m *meter) move(at time.Duration) {
	if !m.started {
		m.started, m.last, m.first = true, at, at
		return
	}
	gap := at - m.last
	if gap > meterBuckets*meterBucket || gap < -meterBuckets*meterBucket {
		// A long pause, or a clock that was set: what was measured is no longer true.
		*m = meter{started: true, last: at, first: at}
		return
	}
	if gap <= 0 {
		return
	}
	for n := m.last/meterBucket + 1; n <= at/meterBucket; n++ {
		m.bucket[slot(n)] = 0
	}
	m.last = at
}

func slot(n time.Duration) int {
	return int((n%meterBuckets + meterBuckets) % meterBuckets)
}

func (m *meter) add(at time.Duration, bytes int) {
	m.move(at)
	m.bucket[slot(m.last/meterBucket)] += bytes
}

// credit adds bytes whose time is not known.
func (m *meter) credit(bytes int) {
	if m.started {
		m.bucket[slot(m.last/meterBucket)] += bytes
	}
}

// rate is the rate over the window that ended with the latest time seen, in bit/s.
func (m *meter) rate(window time.Duration) float64 {
	if !m.started {
		return 0
	}
	n := min(int(window/meterBucket), meterBuckets-1)
	now := m.last / meterBucket
	total := 0
	for i := range n {
		total += m.bucket[slot(now-time.Duration(i))]
	}
	span := time.Duration(n-1)*meterBucket + m.last - now*meterBucket
	// At the beginning there is less to look at; two buckets are the least that says anything.
	span = min(span, max(m.last-m.first, 2*meterBucket))
	return float64(total) * 8 / span.Seconds()
}
