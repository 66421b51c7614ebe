package congestion

import (
	"time"

	"github.com/pion/rtp"
)

// Constants of pacing.
const (
	// paceFactor is how much faster than the estimate packets leave: a frame of several
	// packets is out before the next one comes, and a keyframe does not burst.
	paceFactor = 2
	// paceBacked is the share of the estimate that is left to new media while what had to wait for the
	// path's queue to empty is not out yet.
	paceBacked = 0.85
	// paceBurst is how much may leave at once: two wake-ups for an ordinary frame.
	paceBurst = 10 * time.Millisecond
	// paceLate is what a timer that fired late may catch up on.
	paceLate = 2 * time.Millisecond
	// paceRepair is how far ahead of their turn retransmissions leave.
	paceRepair = 50 * time.Millisecond
	// paceMost is how long a packet waits; the rate rises as far as that takes.
	paceMost = 250 * time.Millisecond

	// paddingLeast is how many bytes of padding are sent at once at the least: one packet.
	paddingLeast = 275
	// holdCheck is how often we look whether video may leave again.
	holdCheck = 10 * time.Millisecond

	// queueSize is how many packets may wait: 600 kB, more than ten keyframes of 1280x720.
	// One that finds no place is dropped and counted; the other side asks for it again.
	queueSize = 512
)

// class is what goes first.
type class uint8

const (
	urgent class = iota // sound: never waits
	repair              // what was lost, before anything new
	first
	second
	classes
)

// packet is one RTP packet that is sent or waits to be; it has buffers of its own.
type packet struct {
	header     rtp.Header
	extensions []rtp.Extension // header's, kept for its memory
	number     [2]byte         // the extension's payload
	buffer     []byte
	payload    []byte
	stream     *stream
	again      bool          // left before in the same stream, with number
	size       int           // bytes, header included
	queued     time.Duration // when it began to wait
}

// fifo is a queue that keeps its memory.
type fifo struct {
	items []*packet
	head  int
}

func (q *fifo) len() int { return len(q.items) - q.head }

func (q *fifo) push(p *packet) {
	if q.head > 0 && len(q.items) == cap(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, p)
}

func (q *fifo) pop() *packet {
	p := q.items[q.head]
	q.items[q.head] = nil
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return p
}

// pacer decides when packets leave. It is pure, as Controller is.
type pacer struct {
	queues [classes]fifo
	count  int
	bytes  int
	target float64 // bit/s
	held   bool    // only sound leaves
	backed bool    // what waited while held is not out yet
	debt   float64 // bits sent ahead of time
	last   time.Duration
	wait   time.Duration // smoothed
	drops  uint64
	purged uint64

	probe      Probe // being sent; its ID is 0 while there is none
	probeBytes int
	probeCount int
	probeSince time.Duration
}

// rate is the rate at which packets leave now, in bit/s.
func (p *pacer) rate(now time.Duration) float64 {
	if p.probe.ID != 0 {
		return float64(p.probe.Rate)
	}
	if p.backed {
		return p.target
	}
	r := paceFactor * p.target
	if p.count > 0 {
		left := max(paceMost-(now-p.oldest()), paceMost/5)
		r = max(r, float64(p.bytes)*8/left.Seconds())
	}
	return r
}

func (p *pacer) oldest() time.Duration {
	at := p.last
	for i := range p.queues {
		if q := &p.queues[i]; q.len() > 0 {
			at = min(at, q.items[q.head].queued)
		}
	}
	return at
}

// steer sets the rate that the path carries, in bit/s, and whether video is on hold.
func (p *pacer) steer(target float64, hold bool) {
	p.backed = p.count > 0 && (p.backed || p.held || hold)
	p.target, p.held = target, hold
}

// media is the rate left for new media, in bit/s.
func (p *pacer) media() float64 {
	if p.backed {
		return paceBacked * p.target
	}
	return p.target
}

// purge drops the waiting packets that are out of date.
func (p *pacer) purge(stale func(*packet) bool, drop func(*packet)) {
	for i := range p.queues {
		q := &p.queues[i]
		for range q.len() {
			k := q.pop()
			if !stale(k) {
				q.push(k)
				continue
			}
			p.count--
			p.bytes -= k.size
			p.purged++
			drop(k)
		}
	}
}

// move lets time pass.
func (p *pacer) move(now time.Duration) {
	r := p.rate(now)
	p.debt = max(p.debt-r*(now-p.last).Seconds(), -r*paceLate.Seconds())
	p.last = now
}

// allowed says whether a packet of a class may leave now, were it the first to.
func (p *pacer) allowed(c class, now time.Duration) bool {
	r := p.rate(now)
	switch {
	case c == urgent:
		return true
	case p.held:
		return false
	case c == repair:
		return p.debt < r*paceRepair.Seconds()
	case p.probe.ID != 0:
		return p.debt <= 0
	}
	return p.debt < r*paceBurst.Seconds()
}

// direct says whether a packet of a class may leave now without waiting in a queue.
func (p *pacer) direct(c class, now time.Duration) bool {
	p.move(now)
	for i := range c + 1 {
		if p.queues[i].len() > 0 {
			return c == urgent
		}
	}
	if !p.allowed(c, now) {
		return false
	}
	if c > urgent {
		p.wait -= p.wait / 16
	}
	return true
}

// push lets a packet wait and says whether there was a place for it.
func (p *pacer) push(c class, k *packet, now time.Duration) bool {
	if p.count >= queueSize {
		p.drops++
		return false
	}
	k.queued = now
	p.queues[c].push(k)
	p.count++
	p.bytes += k.size
	return true
}

// pop returns the next packet that may leave now, nil if there is none.
func (p *pacer) pop(now time.Duration) *packet {
	p.move(now)
	for c := range classes {
		if p.queues[c].len() == 0 {
			continue
		}
		if !p.allowed(c, now) {
			return nil
		}
		k := p.queues[c].pop()
		p.count--
		p.bytes -= k.size
		p.wait += (now - k.queued - p.wait) / 16
		return k
	}
	return nil
}

// spend notes that bytes leave now and returns the probe they belong to, and whether that
// was the last of it.
func (p *pacer) spend(bytes int) (probe uint32, done bool) {
	p.debt += float64(bytes) * 8
	if p.probe.ID == 0 {
		return 0, false
	}
	p.probeBytes += bytes
	p.probeCount++
	return p.probe.ID, p.probeBytes >= p.probe.Bytes && p.probeCount >= p.probe.Packets
}

// start begins a probe.
func (p *pacer) start(probe Probe, now time.Duration) {
	p.move(now)
	p.probe, p.probeBytes, p.probeCount, p.probeSince = probe, 0, 0, now
	p.debt = 0
}

// stale says whether the probe took too long to send.
func (p *pacer) stale(now time.Duration) bool {
	long := max(probeGiveUp, 2*time.Duration(float64(p.probe.Bytes)*8/float64(max(p.probe.Rate, 1))*float64(time.Second)))
	return p.probe.ID != 0 && now-p.probeSince > long
}

// stop ends the probe and returns its ID.
func (p *pacer) stop() uint32 {
	id := p.probe.ID
	p.probe = Probe{}
	return id
}

// lack is how many bytes of padding the probe needs now because the queue is empty. Padding made further
// ahead would wait in the queue, and still be sent after the probe has ended.
func (p *pacer) lack() int {
	if p.probe.ID == 0 || p.count > 0 {
		return 0
	}
	moment := float64(p.probe.Rate) / 8 * paceLate.Seconds()
	return min(max(p.probe.Bytes-p.probeBytes, 1), max(int(moment), paddingLeast))
}

// due is how long from now the next packet, or padding, may leave; ok is false if none waits.
func (p *pacer) due(now time.Duration) (time.Duration, bool) {
	if p.count == 0 && p.probe.ID == 0 {
		return 0, false
	}
	if p.held {
		return holdCheck, true
	}
	r := p.rate(now)
	wait := time.Duration(max(p.debt, 0) / r * float64(time.Second))
	return max(wait, 200*time.Microsecond), true
}
