package call

import "sync"

// latestRoom holds the newest state of the room until the loop takes it.
type latestRoom struct {
	mu    sync.Mutex
	ev    *roomChanged
	ready chan struct{} // holds 1
}

// put replaces the state, unless the one it holds belongs to a later meeting: a room that we are leaving
// still reports its last state.
func (l *latestRoom) put(ev roomChanged) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ev != nil && l.ev.meeting > ev.meeting {
		return
	}
	l.ev = &ev
	select {
	case l.ready <- struct{}{}:
	default:
	}
}

// take returns the newest state, or nothing if that was taken already.
func (l *latestRoom) take() []event {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ev == nil {
		return nil
	}
	ev := *l.ev
	l.ev = nil
	return []event{ev}
}
