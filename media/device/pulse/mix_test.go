package pulse

import (
	"bytes"
	"testing"
	"time"
)

func TestSoundMix(t *testing.T) {
	now := time.Unix(1e9, 0)
	block := make([]int16, soundBlock)
	of := func(v int16, blocks int) []byte {
		return bytes.Repeat([]byte{byte(v), byte(uint16(v) >> 8)}, blocks*soundBlock)
	}
	m := soundMix{programs: map[uint32]*soundQueue{1: {}, 2: {}}}
	next := func(want int16, ok bool) {
		t.Helper()
		if got := m.take(block, now); got != ok || ok && (block[0] != want || block[soundBlock-1] != want) {
			t.Errorf("block %v of %d, want %v of %d", got, block[0], ok, want)
		}
	}
	// Nothing plays: silence at the clock's pace, a little late.
	next(0, true)
	for range 10 {
		now = now.Add(10 * time.Millisecond)
		next(0, true)
		next(0, false)
	}
	// A program is mixed once its jitter buffer is full. It does not wait for another whose buffer is not.
	m.add(1, of(100, soundCushion))
	next(0, false)
	m.add(1, of(100, 1))
	m.add(2, of(-7, 1))
	next(100, true)
	next(0, false)
	m.add(2, of(-7, soundCushion))
	next(93, true)
	m.add(1, of(30000, 4))
	m.add(2, of(30000, 4))
	for range soundCushion - 1 {
		next(93, true)
	}
	next(30000-7, true)
	next(32767, true) // the sum clips and does not wrap
	// An unknown program is ignored, and a queue that is not read stays bounded.
	m.add(9, of(1, 1))
	m.add(1, of(5, 100))
	if n := len(m.programs[1].pcm); n != soundMax*soundBlock || m.dropped == 0 {
		t.Errorf("%d samples held, %d dropped", n, m.dropped)
	}
	// After the machine has slept, the silence is not inserted afterwards.
	m = soundMix{programs: map[uint32]*soundQueue{}, last: now}
	now = now.Add(time.Hour)
	n := 0
	for m.take(block, now) {
		n++
	}
	if n > 2 {
		t.Errorf("%d blocks of silence at once", n)
	}
}
