// Package loop has what the loops of room, call and mesh share: a mailbox that never loses a command, and a
// rate-limited log.
package loop

import (
	"log/slog"
	"sync"
	"time"
)

// Mailbox holds messages to a loop. Put never drops: it is for commands, which come at a person's pace. PutWithin
// is bounded: it is for events that other members cause, so that a flood of them cannot displace a command.
type Mailbox[T any] struct {
	ready chan struct{} // holds 1: there is something to take

	mu      sync.Mutex
	items   []T
	dropped uint64
}

// NewMailbox returns an empty mailbox.
func NewMailbox[T any]() *Mailbox[T] { return &Mailbox[T]{ready: make(chan struct{}, 1)} }

// Ready receives a value when there may be something to take.
func (b *Mailbox[T]) Ready() <-chan struct{} { return b.ready }

// Put adds an item.
func (b *Mailbox[T]) Put(item T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(item)
}

// PutWithin adds an item unless limit items are waiting. Then it drops the item and returns how many it has
// dropped so far.
func (b *Mailbox[T]) PutWithin(limit int, item T) (dropped uint64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.items) >= limit {
		b.dropped++
		return b.dropped, false
	}
	b.add(item)
	return 0, true
}

func (b *Mailbox[T]) add(item T) {
	b.items = append(b.items, item)
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// Take empties the mailbox.
func (b *Mailbox[T]) Take() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.items
	b.items = nil
	return all
}

// warnInterval is the least time between two warnings of one RateLimitedLog.
const warnInterval = time.Second

// RateLimitedLog logs at most one warning a second, so that a flood of bad messages cannot fill the
// log. The zero value is ready.
type RateLimitedLog struct {
	mu      sync.Mutex
	last    time.Time
	skipped int
}

// Warn logs to log with the number of warnings suppressed since the last one, or suppresses this one.
func (s *RateLimitedLog) Warn(log *slog.Logger, text string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if !s.last.IsZero() && now.Sub(s.last) < warnInterval {
		s.skipped++
		return
	}
	log.Warn(text, append(args, "unreported", s.skipped)...)
	s.last, s.skipped = now, 0
}
