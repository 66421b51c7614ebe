package sframe

// windowBits is how far behind the newest frame of a key another one may come. Layers and tracks share a counter, and
// a repaired frame comes up to a second late: 8 layers of 30 frames and 50 packets of sound make some 300 in that time.
const windowBits = 1024

// window knows which counters of a key have come (as in RFC 4303, section 3.4.3).
type window struct {
	begun  bool
	newest uint64
	seen   [windowBits / 64]uint64 // a ring: bit counter modulo windowBits
}

// fresh reports whether a counter has not come yet, as far as the window goes back.
func (w *window) fresh(counter uint64) bool {
	if !w.begun || counter > w.newest {
		return true
	}
	return w.newest-counter < windowBits && w.seen[counter/64%uint64(len(w.seen))]>>(counter%64)&1 == 0
}

// accept records a fresh counter.
func (w *window) accept(counter uint64) {
	switch {
	case !w.begun || counter > w.newest && counter-w.newest >= windowBits:
		w.seen = [windowBits / 64]uint64{}
		w.newest = counter
	case counter > w.newest:
		for c := w.newest + 1; c <= counter && c != 0; c++ {
			w.seen[c/64%uint64(len(w.seen))] &^= 1 << (c % 64)
		}
		w.newest = counter
	}
	w.begun = true
	w.seen[counter/64%uint64(len(w.seen))] |= 1 << (counter % 64)
}
