package room

import (
	"slices"
	"time"

	"parley/signal"
)

// One member cannot push the others' messages out of the chat, whatever it sends:
//
//   - Order: Lamport time orders messages that come within settleTime. A message that has been there
//     for longer stays above the new ones, and no message is placed more than maxAhead ahead.
//   - Pace: after chatBurst messages at once, an author has one each chatInterval.
//   - Space: above the limits, the member who has sent the most loses its oldest messages.
const (
	settleTime   = 5 * time.Second
	mendTime     = 30 * time.Second // after a loss, for what others repeat to find its place below what was said since
	maxAhead     = 50               // as if every member had sent one message at the same time
	chatBurst    = 40
	chatInterval = time.Second / 2
	maxKept      = 4 << 20 // bytes of text kept
)

// place is a live message's Lamport time: its author's, clamped to the possible range. An author's messages stay in
// the order of sending. After a loss what was said before it comes later, and goes where its author says.
func (c conversation) place(from signal.ID, claimed uint64, now time.Time) uint64 {
	low, high := uint64(0), c.clock+maxAhead
	if !c.complete {
		high = maxClock // others may have sent any number of messages before we came
	}
	for _, m := range c.messages {
		if now.Sub(c.lost) < mendTime && !m.got.Before(c.lost) {
			continue
		}
		if m.From == from && m.by == from || now.Sub(m.heard) >= settleTime {
			low = max(low, m.N+1)
		}
	}
	return max(min(claimed, high), low)
}

// allow takes a token from the author's bucket, and reports whether there was one.
func (c conversation) allow(from signal.ID, now time.Time) (conversation, bool) {
	full := c.fullAt[from]
	if full.Before(now) {
		full = now
	}
	if full.Sub(now) > (chatBurst-1)*chatInterval {
		return c, false
	}
	fullAt := map[signal.ID]time.Time{from: full.Add(chatInterval)}
	for id, at := range c.fullAt {
		if id != from && at.After(now) {
			fullAt[id] = at
		}
	}
	c.fullAt = fullAt
	return c, true
}

// fair keeps at most n messages and size bytes in all. While there are more, the member with the most, by count and
// bytes, loses its oldest message.
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
		largest := 0
		for i, m := range list {
			if share[who(m)] > share[who(list[largest])] {
				largest = i
			}
		}
		total -= bytes(list[largest])
		share[who(list[largest])] -= weight(list[largest])
		list = slices.Delete(list, largest, largest+1)
	}
	return list
}
