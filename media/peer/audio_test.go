package peer

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"parley/media"
	"parley/media/pipe"
)

// TestSoundThroughLoss: how much of 15 s of speech is concealed between two real peers, from the start of
// their connection.
func TestSoundThroughLoss(t *testing.T) {
	if testing.Short() {
		t.Skip("real peers")
	}
	speak(t)
	for _, c := range []struct {
		delay     time.Duration
		loss      float64
		depth     int     // of the repetitions in the last seconds, at least
		concealed float64 // per cent, at most; Chromium: about 4, 8, 15, 28
	}{
		{40 * time.Millisecond, 0.10, 2, 0.8},
		{40 * time.Millisecond, 0.20, 2, 1.5},
		{40 * time.Millisecond, 0.30, 3, 2.5},
	} {
		t.Run(fmt.Sprintf("%.0f%%, %v", 100*c.loss, c.delay), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, c.delay, 0)
				connect(t, l, func(a, b *end) {
					l.setLoss(c.loss)            // connecting is not what is measured
					time.Sleep(10 * time.Second) // simulated
					// For a second now and then less is sent, to see whether less is lost then.
					var depths [2][]int
					for range 10 {
						time.Sleep(time.Second / 2)
						for i, e := range []*end{a, b} {
							depths[i] = append(depths[i], e.peer.Stats().Out[media.Microphone].RedDepth)
						}
					}
					for i, e := range []*end{a, b} {
						s := e.peer.Stats().Sounds[media.Microphone]
						slices.Sort(depths[i])
						depth := depths[i][len(depths[i])/2]
						t.Logf("concealed %.2f%%; lost %d, by RED %d, by NACK %d; depth out %d, in %d; delay %v, target %v; estimate %d",
							s.ConcealedPercent(), s.Lost, s.RepairedRED, s.RepairedNACK,
							depth, s.RedDepth, s.Delay, s.TargetDelay, e.peer.Estimate())
						if got := s.ConcealedPercent(); got > c.concealed {
							t.Errorf("concealed %.2f%%, want at most %.2f%%", got, c.concealed)
						}
						if depth < c.depth {
							t.Errorf("each packet repeats %d, want at least %d", depth, c.depth)
						}
						if s.Discarded > 0 {
							t.Errorf("%d packets made no sense", s.Discarded)
						}
					}
				})
			})
		})
	}
}

// TestScreenSound: the system's sound arrives in stereo, on a track of its own beside the voice.
func TestScreenSound(t *testing.T) {
	speak(t)
	synctest.Test(t, func(t *testing.T) {
		connect(t, newLab(t, 10*time.Millisecond, 0.05), func(a, b *end) {
			block := media.Audio{PCM: make([]int16, media.BlockSamples*2), Channels: 2}
			for n := range 500 {
				for i := range media.BlockSamples {
					at := float64(n*media.BlockSamples+i) / media.SampleRate
					block.PCM[2*i] = int16(8000 * math.Sin(2*math.Pi*440*at))
				}
				block.Captured = time.Now()
				a.screenAudio.Write(block)
				time.Sleep(media.BlockDuration)
			}
			s := b.peer.Stats().Sounds[media.SystemSound]
			if s.Level < -20 || s.ConcealedPercent() > 1.5 {
				t.Errorf("%.0f dBFS, %.2f%% concealed; %+v", s.Level, s.ConcealedPercent(), s)
			}
			if got := a.peer.Stats().Sounds[media.SystemSound]; got.Packets != 0 {
				t.Errorf("%d packets of what nobody shares", got.Packets)
			}
		})
	})
}

// TestWithoutRED: a side without RED gets plain Opus, and repeats is false.
func TestWithoutRED(t *testing.T) {
	tr := newTrack(ada, media.Microphone)
	tr.red.plain = payloadOpus
	for i := range 10 {
		p := pipe.AudioPacket{Data: []byte{1, 2, 3, byte(i)}, Timestamp: uint32(i) * media.PacketSamples}
		if got := tr.redPayload(p); len(got) != 4 || tr.header.PayloadType != payloadOpus {
			t.Fatalf("%d bytes of type %d", len(got), tr.header.PayloadType)
		}
	}
	if tr.repeats() || tr.redundant() != 0 {
		t.Error("repeats to a peer that cannot read it")
	}
}

// TestRepeatsLittleWhereLittleFits: redundancy follows loss as far as the path has room. When the path has
// just narrowed, there is none.
func TestRepeatsLittleWhereLittleFits(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	tr := newTrack(ada, media.Microphone)
	tr.red.plain, tr.red.red, tr.red.limit = payloadOpus, payloadRED, pipe.MaxRedDepth
	stamp := uint32(0)
	repeated := func(lost float64, rtt time.Duration, estimate, reports int) int {
		for range reports {
			for range int(reportInterval / media.PacketDuration) {
				tr.redPayload(pipe.AudioPacket{Data: make([]byte, 100), Timestamp: stamp})
				stamp += media.PacketSamples
			}
			now = now.Add(reportInterval)
			tr.onLoss(lost, rtt, estimate, now)
		}
		tr.redPayload(pipe.AudioPacket{Data: make([]byte, 100), Timestamp: stamp})
		return tr.red.depth
	}
	const near, queue = 5 * time.Millisecond, 300 * time.Millisecond
	repeated(0, near, 2_000_000, 80)
	for _, c := range []struct {
		name     string
		lost     float64
		rtt      time.Duration
		estimate int
		reports  int
		depth    int
	}{
		{"nothing is lost", 0, near, 2_000_000, 1, 0},
		{"the path narrows", 0.3, near, 200_000, 2, 0},
		{"its queue is full", 0.2, queue, 200_000, 4, 0},
		{"its queue has gone", 0, near, 200_000, 24, 0},
		{"it loses as well", 0.3, near, 200_000, 20, 1},
		{"it is wide again", 0.3, near, 2_000_000, 4, 3},
	} {
		if got := repeated(c.lost, c.rtt, c.estimate, c.reports); got != c.depth {
			t.Errorf("%s: every packet repeats %d, want %d", c.name, got, c.depth)
		}
	}
}

// TestSoundSpends: what sound takes of the path follows its packets, up within a few and down within seconds.
func TestSoundSpends(t *testing.T) {
	tr := newTrack(ada, media.Microphone)
	if n := tr.spends(); n != 0 {
		t.Errorf("before the first packet: %d bit/s", n)
	}
	send := func(bytes, packets int) int {
		tr.mu.Lock()
		for range packets {
			tr.redPayload(pipe.AudioPacket{Data: make([]byte, bytes)})
		}
		tr.mu.Unlock()
		return tr.spends()
	}
	loud, pause, quiet := send(100, 50), send(3, 10), send(3, 500)
	if loud < 49_000 || loud > 52_000 || pause < 40_000 || quiet > 16_000 {
		t.Errorf("%d bit/s of speech, %d after a pause of 200 ms, %d after 10 s; want about 51, at least 40, at most 16 kbit/s", loud, pause, quiet)
	}
}
