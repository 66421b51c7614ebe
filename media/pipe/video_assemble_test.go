package pipe

import (
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// vp8 makes one packet of a VP8 stream. The first payload byte's lowest bit is the inverse
// keyframe flag (RFC 6386 section 9.1).
func vp8(seq uint16, ts uint32, begin, marker, key bool) *rtp.Packet {
	p := &rtp.Packet{Header: rtp.Header{SequenceNumber: seq, Timestamp: ts, Marker: marker}}
	descriptor, tag := byte(0), byte(1)
	if begin {
		descriptor = 0x10
	}
	if key {
		tag = 0
	}
	p.Payload = []byte{descriptor, tag, byte(seq)}
	return p
}

// stream makes n frames of size packets each, the first one a keyframe.
func stream(first uint16, n, size int) []*rtp.Packet {
	var out []*rtp.Packet
	for f := range n {
		for i := range size {
			out = append(out, vp8(first, uint32(f)*3000, i == 0, i == size-1, f == 0))
			first++
		}
	}
	return out
}

func pops(a *assembler) []uint32 {
	var out []uint32
	for {
		f, ok := a.pop()
		if !ok {
			return out
		}
		out = append(out, f.timestamp/3000)
	}
}

func TestAssemble(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, first := range []uint16{0, 65533, 65535, 32766} {
		for name, c := range map[string]struct {
			order []int // indices into a stream of 4 frames of 3 packets
			want  []uint32
		}{
			"in order":       {[]int{0, 1, 2, 3, 4, 5, 6, 7, 8}, []uint32{0, 1, 2}},
			"reordered":      {[]int{0, 2, 1, 5, 3, 4, 8, 7, 6}, []uint32{0, 1, 2}},
			"duplicated":     {[]int{0, 1, 1, 2, 0, 3, 4, 5, 5}, []uint32{0, 1}},
			"repaired":       {[]int{0, 1, 2, 3, 5, 6, 7, 8, 4}, []uint32{0, 1, 2}},
			"one missing":    {[]int{0, 1, 2, 3, 5, 6, 7, 8}, []uint32{0}},
			"head missing":   {[]int{1, 2, 3, 4, 5}, nil}, // no keyframe yet
			"nothing before": {[]int{3, 4, 5, 6, 7, 8}, nil},
		} {
			var a assembler
			s := stream(first, 4, 3)
			for _, i := range c.order {
				a.push(s[i], now)
			}
			if got := pops(&a); !slices.Equal(got, c.want) {
				t.Errorf("%s from %d: frames %v, want %v", name, first, got, c.want)
			}
		}
	}
}

func TestAssembleGivesUpAndGoesOnWithAKeyframe(t *testing.T) {
	now := time.Unix(1000, 0)
	var a assembler
	s := stream(65530, 3, 3)
	for i, p := range s {
		if i != 4 {
			a.push(p, now)
		}
	}
	if got := pops(&a); !slices.Equal(got, []uint32{0}) {
		t.Fatalf("frames %v before the gap, want [0]", got)
	}
	if a.giveUp(now) {
		t.Error("gave up on a packet that was missed just now")
	}
	if !a.giveUp(now.Add(time.Second)) {
		t.Fatal("did not give up after a second")
	}
	if got := pops(&a); got != nil {
		t.Errorf("showed %v, which lean on the lost frame", got)
	}
	key := vp8(3, 3*3000, true, true, true)
	a.push(key, now)
	a.push(vp8(4, 4*3000, true, true, false), now)
	if got := pops(&a); !slices.Equal(got, []uint32{3, 4}) {
		t.Errorf("frames %v after the keyframe, want [3 4]", got)
	}
	if a.stats.lost != 1 {
		t.Errorf("counted %d lost packets, want 1", a.stats.lost)
	}
}

func TestAssembleSkipsToAKeyframeAhead(t *testing.T) {
	now := time.Unix(1000, 0)
	var a assembler
	s := stream(100, 2, 3)
	for i, p := range s {
		if i != 4 {
			a.push(p, now)
		}
	}
	a.push(vp8(106, 6000, true, true, true), now)
	if got := pops(&a); !slices.Equal(got, []uint32{0, 2}) {
		t.Errorf("frames %v, want 0 and the keyframe 2 behind the gap, at once", got)
	}
}

func TestAssembleAsksOnceARoundTrip(t *testing.T) {
	now := time.Unix(1000, 0)
	var a assembler
	for i, p := range stream(65534, 2, 4) {
		if i != 3 && i != 5 {
			a.push(p, now)
		}
	}
	rtt := farAway - 20*time.Millisecond
	got := a.nacks(now, rtt)
	slices.Sort(got)
	if want := []uint16{1, 3}; !slices.Equal(got, want) {
		t.Errorf("asked for %v, want %v", got, want)
	}
	if got := a.nacks(now.Add(rtt), rtt); got != nil {
		t.Errorf("asked again for %v before an answer could come", got)
	}
	if got := a.nacks(now.Add(rtt*3/2), rtt); len(got) != 2 {
		t.Errorf("asked for %v after the answer was overdue, want both", got)
	}
	a.push(vp8(1, 0, false, true, true), now)
	if a.stats.repaired != 1 {
		t.Errorf("%d repaired, want 1", a.stats.repaired)
	}
}

// oneMissing waits for a packet since now.
func oneMissing(now time.Time) *assembler {
	var a assembler
	for i, p := range stream(65534, 2, 4) {
		if i != 3 {
			a.push(p, now)
		}
	}
	return &a
}

// TestAssembleAsksTwiceFarAway: over a long way a packet is asked for twice in a row, and again so
// only when no answer can come any more.
func TestAssembleAsksTwiceFarAway(t *testing.T) {
	now := time.Unix(1000, 0)
	a := oneMissing(now)
	const rtt = 160 * time.Millisecond
	var asked []time.Duration
	for at := time.Duration(0); at < 2*rtt; at += 5 * time.Millisecond {
		if len(a.nacks(now.Add(at), rtt)) > 0 {
			asked = append(asked, at)
		}
	}
	again := nackPair + rtt*5/4
	if want := []time.Duration{0, nackPair, again, again + nackPair}; !slices.Equal(asked, want) {
		t.Errorf("asked after %v, want %v", asked, want)
	}
}

// TestAssembleAsksToTheEnd: over a short way a packet is asked for until its frame is given up.
func TestAssembleAsksToTheEnd(t *testing.T) {
	now := time.Unix(1000, 0)
	a := oneMissing(now)
	const rtt, waited = time.Millisecond, 300 * time.Millisecond
	asked := time.Duration(-1)
	for at := time.Duration(0); at < waited; at += 5 * time.Millisecond {
		if len(a.nacks(now.Add(at), rtt)) > 0 {
			asked = at
		}
	}
	if asked < waited-25*time.Millisecond {
		t.Errorf("asked for the last time after %v, its frame is waited for for %v", asked, waited)
	}
}

func TestAssembleNewStream(t *testing.T) {
	now := time.Unix(1000, 0)
	var a assembler
	for _, p := range stream(10, 2, 2) {
		a.push(p, now)
	}
	pops(&a)
	for _, p := range stream(30000, 2, 2) {
		a.push(p, now)
	}
	if got := pops(&a); !slices.Equal(got, []uint32{0, 1}) {
		t.Errorf("frames %v of the stream that began anew, want [0 1]", got)
	}
}

func TestAssembleOverflowIsBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	var a assembler
	s := stream(0, 1000, 3)
	for i, p := range s {
		if i != 1 { // the first frame never completes
			a.push(p, now)
		}
	}
	if got := len(a.missing); got > assemblerSize {
		t.Errorf("%d packets are missed, more than the ring holds", got)
	}
	if got := a.newest - a.next; got > assemblerSize {
		t.Errorf("%d packets wait in a ring of %d", got, assemblerSize)
	}
}

func TestPlayout(t *testing.T) {
	start := time.Unix(1000, 0)
	frameAt := func(i int) time.Time { return start.Add(time.Duration(i) * time.Second / 30) }
	t.Run("a quiet network is shown at once", func(t *testing.T) {
		var p playout
		for i := range 300 {
			ts, at := uint32(4294960000+i*3000), frameAt(i).Add(time.Duration(i%5)*time.Millisecond)
			p.add(ts, at, 0)
			if wait := p.due(ts, 0).Sub(at); wait > 0 || wait < -time.Second {
				t.Fatalf("frame %d waits %v", i, wait)
			}
		}
		if p.delay() != 0 {
			t.Errorf("held back by %v", p.delay())
		}
	})
	t.Run("jitter is smoothed out", func(t *testing.T) {
		var p playout
		var worst time.Duration
		for i := range 600 {
			late := time.Duration(i*37%50) * time.Millisecond
			ts := uint32(4294960000 + i*3000) // wraps on the way
			at := frameAt(i).Add(late)
			p.add(ts, at, 0)
			if due := p.due(ts, 0); i > 300 && at.Sub(due) > worst {
				worst = at.Sub(due)
			}
		}
		if p.delay() < 40*time.Millisecond || p.delay() > 60*time.Millisecond {
			t.Errorf("held back by %v against 50 ms of jitter", p.delay())
		}
		if worst > 5*time.Millisecond {
			t.Errorf("frames were up to %v too late to be even", worst)
		}
	})
	t.Run("calm returns", func(t *testing.T) {
		var p playout
		for i := range 150 {
			p.add(uint32(i*3000), frameAt(i).Add(time.Duration(i%2)*80*time.Millisecond), 0)
		}
		high := p.delay()
		for i := 150; i < 3000; i++ {
			p.add(uint32(i*3000), frameAt(i), 0)
		}
		if high < 70*time.Millisecond || p.delay() > 10*time.Millisecond {
			t.Errorf("held back by %v, then by %v", high, p.delay())
		}
	})
	t.Run("a queue that comes and goes is no jitter", func(t *testing.T) {
		var p playout
		late := func(i int) time.Duration { // 460 ms for half a second, then ever less
			return max(0, min(460, 460-time.Duration(i-315)*28)) * time.Millisecond
		}
		worst := time.Duration(0)
		for i := range 600 {
			at := frameAt(i).Add(time.Duration(i%5) * time.Millisecond)
			if i >= 300 {
				at = at.Add(late(i))
			}
			p.add(uint32(i*3000), at, 0)
			worst = max(worst, p.delay())
		}
		if worst > 100*time.Millisecond {
			t.Errorf("held back by %v after a queue", worst)
		}
	})
	t.Run("a queue that stays is waited for", func(t *testing.T) {
		var p playout
		for i := range 900 {
			at := frameAt(i)
			if i >= 300 && i%10 > 0 {
				at = at.Add(200 * time.Millisecond)
			}
			p.add(uint32(i*3000), at, 0)
		}
		if p.delay() < 190*time.Millisecond {
			t.Errorf("held back by %v, want 200 ms", p.delay())
		}
	})
	t.Run("a clock that jumps starts over", func(t *testing.T) {
		var p playout
		for i := range 100 {
			p.add(uint32(i*3000), frameAt(i), 0)
		}
		p.add(1<<31, frameAt(100), 0)
		if due := p.due(1<<31, 50*time.Millisecond); due.Sub(frameAt(100)) > 60*time.Millisecond {
			t.Errorf("due %v later", due.Sub(frameAt(100)))
		}
	})
}

func TestLipSync(t *testing.T) {
	for name, c := range map[string]struct{ audio, video time.Duration }{
		"sound far behind":   {300 * time.Millisecond, 50 * time.Millisecond},
		"picture far behind": {60 * time.Millisecond, 280 * time.Millisecond},
		"together":           {90 * time.Millisecond, 50 * time.Millisecond},
	} {
		var l LipSync
		lag := time.Duration(0)
		for range 60 {
			lag = c.audio + l.Audio() - c.video - l.Video()
			l.Update(c.audio+l.Audio(), c.video+l.Video())
		}
		if lag < -45*time.Millisecond || lag > 125*time.Millisecond {
			t.Errorf("%s: sound ends up %v behind the picture", name, lag)
		}
		if l.Audio() > 0 && l.Video() > 0 {
			t.Errorf("%s: both are held back", name)
		}
	}
	var l LipSync
	for range 30 {
		l.Update(300*time.Millisecond+l.Audio(), 50*time.Millisecond+l.Video())
	}
	for range 200 {
		l.Update(60*time.Millisecond+l.Audio(), 50*time.Millisecond+l.Video())
	}
	if l.Video() > 60*time.Millisecond {
		t.Errorf("the picture is still held back by %v after the sound has caught up", l.Video())
	}
}
