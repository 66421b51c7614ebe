package pipe

import "sync"

// latest is the queue between a producer that must not wait and a consumer that wants only
// the newest. It holds one value; putting another drops and counts the one before.
type latest[T any] struct {
	ready chan struct{} // holds a token while a value waits
	drop  func(T)       // gives back a dropped value; may be nil

	mu      sync.Mutex
	value   T
	full    bool
	dropped uint64
}

func newLatest[T any](drop func(T)) *latest[T] {
	return &latest[T]{ready: make(chan struct{}, 1), drop: drop}
}

// put stores v and reports whether it replaced a value nobody had taken.
func (l *latest[T]) put(v T) (replaced bool) {
	l.mu.Lock()
	old := l.value
	replaced = l.full
	l.value, l.full = v, true
	if replaced {
		l.dropped++
	}
	l.mu.Unlock()
	if replaced && l.drop != nil {
		l.drop(old)
	}
	select {
	case l.ready <- struct{}{}:
	default:
	}
	return replaced
}

// take removes the value; ok is false when there is none. Wait for ready before.
func (l *latest[T]) take() (v T, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v, ok = l.value, l.full
	var zero T
	l.value, l.full = zero, false
	return v, ok
}

// drops is how many values were replaced before anybody took them.
func (l *latest[T]) drops() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}
