package room

import (
	"slices"
	"time"

	"parley/signal"
)

// One member cannot bury what the others say, whatever it sends:
//
//   - Place: Lamport time decides the order of what is said within settleTime. What has stood
//     for longer stays above what comes now, and nothing is placed further ahead than
//     maxAhead.
//   - Pace: after chatBurst messages at once, an author has one each chatInterval.
//   - Space: when there is too much, who has brought the most loses their oldest.
const (
	settleTime   = 5 * time.Second
	maxAhead     = 50 // what one message of every member could explain
	chatBurst    = 40
	chatInterval = time.Second / 2
	maxKept      = 4 << 20 // bytes of text kept
)

// place is a live message's Lamport time: the one that its author claims, within what is
// possible. An author's messages stay in the order of sending.
func (c conversation) place(from signal.ID, claimed uint64, now time.Time) uint64 {
	low, high := uint64(0), c.clock+maxAhead
	if !c.complete {
		high = maxClock // others may have said any number of things before we came
	}
	for _, m := range c.messages {
		if m.From == from && m.by == from || now.Sub(m.heard) >= settleTime {
			low = max(low, m.N+1)
		}
	}
	return max(min(claimed, high), low)
}

// allow takes a token out of the author's bucket, unless it is empty.
func (c conversation) allow(from signal.ID, now time.Time) (conversation, bool) {
	full := c.rested[from]
	if full.Before(now) {
		full = now
	}
	if full.Sub(now) > (chatBurst-1)*chatInterval {
		return c, false
	}
	rested := map[signal.ID]time.Time{from: full.Add(chatInterval)}
	for id, at := range c.rested {
		if id != from && at.After(now) {
			rested[id] = at
		}
	}
	c.rested = rested
	return c, true
}

// fair keeps at most n messages of size bytes together. While there are more, whoever
// has the most, by count and bytes, loses their oldest.
func fair(list []Message, n, size int, who func(Message) signal.ID, bytes func(Message) int) []Message {
	total, share := 0, map[signal.ID]int{}
	weight := func(m Message) int { return size/n + bytes(m) }
	for _, m := range list {
		total += bytes(m)
		share[who(m)] += weight(m)
	}
	if len(list) <= n && total <= size {
		return list
	}
	list = slices.Clone(list)
	for len(list) > n || total > size {
		most := 0
		for i, m := range list {
			if share[who(m)] > share[who(list[most])] {
				most = i
			}
		}
		total -= bytes(list[most])
		share[who(list[most])] -= weight(list[most])
		list = slices.Delete(list, most, most+1)
	}
	return list
}
