package pipe

import (
	"bytes"
	"testing"
	"time"
)

// TestREDRoundTrip: whatever is repeated comes out of the packet again, with its distance.
func TestREDRoundTrip(t *testing.T) {
	var e RedEncoder
	var p redPacket
	packet := func(i int) []byte { return bytes.Repeat([]byte{byte(i + 1)}, 40+i) }
	ts := uint32(0xffffffff - 960) // wraps
	for i := range 8 {
		payload, blocks := e.Encode(111, ts, packet(i), min(i, MaxRedDepth), 1160)
		if want := min(i, MaxRedDepth); blocks != want {
			t.Fatalf("packet %d repeats %d, want %d", i, blocks, want)
		}
		ts += 960
		if blocks == 0 {
			if !bytes.Equal(payload, packet(i)) {
				t.Fatal("a packet that repeats nothing is not plain")
			}
			continue
		}
		if !p.parse(payload) || p.count != blocks || !bytes.Equal(p.primary, packet(i)) {
			t.Fatalf("packet %d: %d blocks, primary of %d bytes", i, p.count, len(p.primary))
		}
		for j, b := range p.earlier[:p.count] {
			back := p.count - j
			if b.offset != uint32(back)*960 || !bytes.Equal(b.data, packet(i-back)) {
				t.Errorf("packet %d, block %d: offset %d, %d bytes", i, j, b.offset, len(b.data))
			}
		}
	}
}

// TestREDLimits: what does not fit is not repeated, nothing is across a silence, and a packet
// of one block is what RFC 2198 draws.
func TestREDLimits(t *testing.T) {
	var e RedEncoder
	e.Encode(111, 0, []byte{1, 2}, 3, 1160)
	got, _ := e.Encode(111, 960, []byte{3}, 3, 1160)
	// 1|111, offset 960 in 14 bits, length 2 in 10; 0|111; the earlier one; this one.
	if want := []byte{0xef, 0x0f, 0x00, 0x02, 0x6f, 1, 2, 3}; !bytes.Equal(got, want) {
		t.Errorf("% x, want % x", got, want)
	}
	if _, blocks := e.Encode(111, 3*960, []byte{4}, 3, 1160); blocks != 0 {
		t.Errorf("%d packets repeated across a silence", blocks)
	}
	if _, blocks := e.Encode(111, 4*960, make([]byte, 1100), 3, 1102); blocks != 0 {
		t.Error("repeated what does not fit")
	}
	if _, blocks := e.Encode(111, 5*960, []byte{5}, 3, 4000); blocks != 0 {
		t.Error("repeated what is longer than 10 bits can say")
	}
}

func TestREDRubbish(t *testing.T) {
	var p redPacket
	for name, payload := range map[string][]byte{
		"headers without end":     {0xef, 0, 0, 1, 0xef, 0, 0, 1},
		"half a header":           {0xef, 0},
		"a length past the end":   {0xef, 0x0f, 0x00, 0x09, 0x6f, 1, 2, 3},
		"nothing of its own":      {0xef, 0x0f, 0x00, 0x02, 0x6f, 1, 2},
		"a header and no more":    {0x6f},
		"a thousand empty blocks": append(bytes.Repeat([]byte{0xef, 0x0f, 0, 0}, 300), 0xff),
	} {
		if p.parse(payload) {
			t.Errorf("%s makes sense", name)
		}
	}
	many := append(bytes.Repeat([]byte{0xef, 0x0f, 0, 1}, 300), 0x6f)
	if !p.parse(append(many, make([]byte, 301)...)) || p.count != redBlocks {
		t.Errorf("%d blocks of 300", p.count)
	}
}

func FuzzRED(f *testing.F) {
	f.Add([]byte{0xef, 0x0f, 0x00, 0x02, 0x6f, 1, 2, 3})
	f.Add([]byte{0xef, 0x1e, 0x00, 0x01, 0xef, 0x0f, 0x00, 0x02, 0x6f, 9, 1, 2, 3})
	f.Add([]byte{0x6f, 1})
	f.Add([]byte{0xef, 0, 0, 1, 0xef, 0, 0, 1})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, payload []byte) {
		var p redPacket
		if !p.parse(payload) {
			return
		}
		size := len(p.primary)
		for _, b := range p.earlier[:p.count] {
			if len(b.data) == 0 || len(b.data) > maxRedLength || b.offset == 0 || b.offset > maxRedOffset {
				t.Fatalf("block of %d bytes, offset %d", len(b.data), b.offset)
			}
			size += redHeader + len(b.data)
		}
		if len(p.primary) == 0 || size+1 > len(payload) {
			t.Fatalf("%d bytes out of %d", size, len(payload))
		}
	})
}

// TestRedControl: within two reports of loss the depth is what it asks for; it comes down by
// and by; a single loss of a hundred packets does not make three copies of everything.
func TestRedControl(t *testing.T) {
	var c RedControl
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	report := func(lost float64, n int) {
		for range n {
			now = now.Add(500 * time.Millisecond)
			c.Report(lost, false, now)
		}
	}
	if c.Depth() != 1 {
		t.Errorf("depth %d on a path of which nothing is known, want 1", c.Depth())
	}
	report(0, 60)
	if c.Depth() != 0 {
		t.Errorf("depth %d after 30 s without loss", c.Depth())
	}
	for _, step := range []struct {
		loss  float64
		depth int
	}{{0.02, 1}, {0.06, 2}, {0.20, 3}, {0.30, 3}} {
		c = RedControl{}
		report(0, 60)
		report(step.loss, 2)
		if c.Depth() != step.depth {
			t.Errorf("depth %d a second after %.0f%% loss began, want %d", c.Depth(), 100*step.loss, step.depth)
		}
	}
	report(0, 2)
	if c.Depth() != 3 {
		t.Errorf("depth %d a second after the loss ended: too soon", c.Depth())
	}
	report(0, 160)
	if c.Depth() != 0 {
		t.Errorf("depth %d 80 s after the loss ended", c.Depth())
	}
	// Out of a queue that overflowed, the same is forgotten as soon as the queue is.
	c = RedControl{}
	report(0, 60)
	for range 4 {
		now = now.Add(500 * time.Millisecond)
		c.Report(0.1, true, now)
	}
	if c.Depth() == 0 {
		t.Error("nothing is repeated while a queue overflows")
	}
	report(0, 16)
	if c.Depth() != 0 {
		t.Errorf("depth %d 8 s after a queue overflowed", c.Depth())
	}
	for _, lie := range []float64{-1, 2} {
		c.Report(lie, false, now.Add(-time.Hour))
	}
}
