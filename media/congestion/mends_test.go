package congestion

import "time"

// mends is how the two ends of a simulated call put right what the path lost, as media/pipe and
// media/peer do: the other side asks for a packet as soon as it misses it and again each round trip,
// and for a keyframe when it has waited too long.
type mends struct {
	repairs repairs
	sizes   map[int64]int // sent
	last    int64
	fresh   bool  // the next packet begins a keyframe
	key     int64 // the last one's first packet
	asked   []question

	missing map[int64]*missed
	seen    int64
	looked  time.Duration

	again, keyframes int
	meter            meter
}

type missed struct {
	since, at time.Duration
	times     int
}

// question is one report of missing packets on its way, or, as a rescue, asks for a keyframe.
type question struct {
	at     time.Duration
	media  []int64
	rescue bool
}

const (
	mendsEvery = 10 * time.Millisecond
	mendsLimit = 16
	keyPackets = 5
	mendsWait  = 500 * time.Millisecond // then only a keyframe helps
)

func newMends() *mends {
	return &mends{sizes: map[int64]int{}, missing: map[int64]*missed{}}
}

// number names a packet of video that is about to be sent.
func (m *mends) number(k *packet) {
	if m == nil {
		return
	}
	m.last++
	k.header.Timestamp = uint32(m.last) // the simulation's use of it
	m.sizes[m.last] = k.size
	delete(m.sizes, m.last-repairMemory)
	if m.fresh {
		m.fresh = false
		m.repairs.renewed, m.repairs.from, m.key = true, uint16(m.last), m.last
	}
	m.repairs.advance(uint16(m.last))
}

func (m *mends) renew() {
	if m != nil {
		m.fresh = true
	}
}

// rate is what repairs cost now, in bit/s.
func (m *mends) rate(now time.Duration) float64 {
	if m == nil {
		return 0
	}
	m.meter.move(now)
	return m.meter.rate(rateWindow)
}

// arrive is the other side's: it notices what is missing.
func (m *mends) arrive(now time.Duration, u unit) {
	if m == nil || u.media == 0 {
		return
	}
	delete(m.missing, u.media)
	for n := m.seen + 1; n < u.media; n++ {
		m.missing[n] = &missed{since: now}
	}
	m.seen = max(m.seen, u.media)
	if u.media > m.key+keyPackets { // nothing after a keyframe leans on what came before
		for n := range m.missing {
			if n < m.key {
				delete(m.missing, n)
			}
		}
	}
}

// step answers questions that have come, and asks.
func (m *mends) step(now time.Duration, l *simLink, c *call) {
	for len(m.asked) > 0 && m.asked[0].at <= now {
		q := m.asked[0]
		m.asked = m.asked[1:]
		if q.rescue {
			c.began = false
		}
		for _, n := range q.media {
			if size, ok := m.sizes[n]; ok && m.repairs.allowed(uint16(n), now, c.control) {
				k := &packet{size: size}
				k.header.Timestamp = uint32(n)
				c.pace.push(repair, k, now)
				m.again++
				m.meter.add(now, size)
			}
		}
	}
	if now < m.looked {
		return
	}
	m.looked = now + mendsEvery
	q := question{at: now + l.delay}
	for n := m.seen - repairMemory; n < m.seen; n++ {
		w := m.missing[n]
		switch {
		case w == nil:
		case now-w.since > mendsWait:
			clear(m.missing)
			q.media, q.rescue = nil, true
		case w.times < mendsLimit && (w.times == 0 || now-w.at >= 2*l.delay+mendsEvery):
			w.at = now
			w.times++
			q.media = append(q.media, n)
		}
		if q.rescue {
			break
		}
	}
	if q.rescue {
		m.keyframes++
	}
	if l.rng.Float64() >= l.lossy && (len(q.media) > 0 || q.rescue) {
		m.asked = append(m.asked, q)
	}
}
