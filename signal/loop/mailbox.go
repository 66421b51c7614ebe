// Package loop has what the loops of room and call share: a mailbox that never loses a
// command, and a log that rubbish cannot fill.
package loop

import (
	"log/slog"
	"sync"
	"time"
)

// Mailbox holds what a loop is told until it takes it. Put keeps everything: it is for what
// comes at a person's pace, and no stranger's flood takes a command's place. PutWithin is
// for everything else.
type Mailbox[T any] struct {
	ready chan struct{} // holds 1: there is something to take

	mu      sync.Mutex
	items   []T
	dropped uint64
}

// NewMailbox returns an empty mailbox.
func NewMailbox[T any]() *Mailbox[T] { return &Mailbox[T]{ready: make(chan struct{}, 1)} }

// Ready delivers when there may be something to take.
func (b *Mailbox[T]) Ready() <-chan struct{} { return b.ready }

// Put adds an item.
func (b *Mailbox[T]) Put(item T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(item)
}

// PutWithin adds an item unless as many as limit wait already; then it drops the item and
// returns how many were dropped so far.
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

// warnInterval is how often the same trouble is worth a line.
const warnInterval = time.Second

// Sparing logs a warning at most once every second: whoever sends rubbish must not be able to
// fill our log as well. The zero value is ready.
type Sparing struct {
	mu      sync.Mutex
	last    time.Time
	skipped int
}

// Warn logs to log, with the number of warnings that were left out since the last, or leaves
// this one out.
func (s *Sparing) Warn(log *slog.Logger, text string, args ...any) {
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
