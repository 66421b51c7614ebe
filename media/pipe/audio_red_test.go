package pipe_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"

	"parley/media"
	"parley/media/pipe"
)

const (
	opusType = 111
	redType  = 63
)

// repeat is packets with up to depth earlier ones in each.
func repeat(packets []sent, depth int) []sent {
	var e pipe.RedEncoder
	out := make([]sent, len(packets))
	for i, p := range packets {
		payload, blocks := e.Encode(opusType, p.Timestamp, p.Payload, depth, 1160)
		p.PayloadType = opusType
		if blocks > 0 {
			p.PayloadType = redType
		}
		p.Payload = slices.Clone(payload)
		out[i] = p
	}
	return out
}

func redReceiver(t testing.TB) *pipe.AudioReceiver {
	r := opusReceiver(t)
	r.RedType = redType
	return r
}

// bursts is the loss of Gilbert and Elliott: runs of lost packets of that mean length.
func bursts(rng *rand.Rand, loss, length float64) func() bool {
	bad := false
	return func() bool {
		if bad {
			bad = rng.Float64() >= 1/length
		} else {
			bad = rng.Float64() < loss/(1-loss)/length
		}
		return bad
	}
}

// TestAudioREDLoss: how much is made up, and how old sound is, at the depth that RedControl
// gives for each loss. Chromium makes up 8% at 10% loss, 15% at 20 and 25 to 30% at 30.
func TestAudioREDLoss(t *testing.T) {
	packets := encode(t, voice(60), media.AudioConfig{BitRate: 40000})
	for i, tt := range []struct {
		loss, burst float64 // share, and mean length in packets
		depth       int
		jitter      time.Duration
		concealed   float64 // at most, per cent
		delay       float64 // median at most, ms
	}{
		{0, 1, 1, 0, 0, 30},
		{0.03, 1, 1, 3 * ms, 0.5, 60},
		{0.05, 1, 2, 3 * ms, 0.5, 60},
		{0.10, 1, 3, 3 * ms, 0.5, 80},
		{0.20, 1, 3, 3 * ms, 0.8, 100},
		{0.30, 1, 3, 3 * ms, 2, 110},
		{0.20, 1, 3, 60 * ms, 1.2, 170},
		{0.05, 2, 2, 3 * ms, 2, 80},
		{0.10, 2, 3, 3 * ms, 2.5, 100},
		{0.20, 2, 3, 3 * ms, 4, 110},
		{0.10, 4, 3, 3 * ms, 6, 100},
	} {
		if testing.Short() && i%3 != 1 {
			continue
		}
		name := fmt.Sprintf("%.0f%%, runs of %.0f, depth %d, jitter %v", 100*tt.loss, tt.burst, tt.depth, tt.jitter)
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 4))
			lost := func() bool { return rng.Float64() < tt.loss }
			if tt.burst > 1 {
				lost = bursts(rng, tt.loss, tt.burst)
			}
			h := simulate(redReceiver(t), repeat(packets, tt.depth), func(int) (time.Duration, bool) {
				return 30*ms + time.Duration(rng.Float64()*float64(tt.jitter)), !lost()
			})
			s := h.stats
			delay := msPercentile(h.delays, 0.5) - 30
			t.Logf("concealed %.2f%%; of %d lost %d repaired, %d by RED; delay %.0f ms",
				s.ConcealedPercent(), s.Lost, s.Repaired, s.RepairedRED, delay)
			if c := s.ConcealedPercent(); c > tt.concealed {
				t.Errorf("concealed %.2f%%, want at most %.2f%%", c, tt.concealed)
			}
			if delay > tt.delay {
				t.Errorf("median delay %.0f ms, want at most %.0f", delay, tt.delay)
			}
			if share := float64(s.Lost) / float64(len(packets)); share < 0.7*tt.loss || share > 1.3*tt.loss {
				t.Errorf("counted %.1f%% of packets as lost, sent with %.0f%%", 100*share, 100*tt.loss)
			}
			if s.Discarded+s.Dropped > 0 {
				t.Errorf("good packets thrown away: %+v", s)
			}
		})
	}
}

// TestAudioREDShrinksBack: after 10 s of loss, the delay is what it was before within 20 s.
func TestAudioREDShrinksBack(t *testing.T) {
	packets := encode(t, voice(45), media.AudioConfig{BitRate: 40000})
	rng := rand.New(rand.NewPCG(3, 4))
	h := simulate(redReceiver(t), repeat(packets, 3), func(i int) (time.Duration, bool) {
		return 0, i < 500 || i > 1000 || rng.Float64() > 0.2
	})
	if worst := msPercentile(h.delays[:500], 1); worst > 40 {
		t.Errorf("delay %.0f ms before the loss", worst)
	}
	if during := msPercentile(h.delays[1200:2000], 0.5); during < 60 {
		t.Errorf("delay %.0f ms during the loss: nobody waits for copies", during)
	}
	if last := h.delays[len(h.delays)-1]; last > 50*ms {
		t.Errorf("delay %v, 25 s after the loss", last)
	}
}

// TestAudioREDSilence: copies across a sender's silence, and after an outage, change nothing.
func TestAudioREDSilence(t *testing.T) {
	pcm := voice(20)
	for _, pause := range []int{4, 12} {
		clear(pcm[pause*media.SampleRate : (pause+4)*media.SampleRate])
	}
	packets := encode(t, pcm, media.AudioConfig{BitRate: 40000, DTX: true})
	h := simulate(redReceiver(t), repeat(packets, 3), perfect)
	if s := h.stats; s.Concealed+s.Lost+s.Repaired+s.Late+s.Duplicated != 0 {
		t.Errorf("silence looks like loss: %+v", s)
	}
	if worst := msPercentile(h.delays, 1); worst > 50 {
		t.Errorf("delay up to %.1f ms", worst)
	}
	packets = encode(t, voice(50), media.AudioConfig{BitRate: 40000})
	h = simulate(redReceiver(t), repeat(packets, 3), func(i int) (time.Duration, bool) { return 0, i < 250 || i >= 1750 })
	if h.stats.Lost != 1500 {
		t.Errorf("%d lost in an outage of 1500", h.stats.Lost)
	}
	if worst := msPercentile(h.delays[len(h.delays)-600:], 1); worst > 45 {
		t.Errorf("delay up to %.0f ms, 3 s after an outage", worst)
	}
}

// TestAudioREDRubbish: a sender of nonsense is counted, and does no harm to what makes sense.
func TestAudioREDRubbish(t *testing.T) {
	packets := encode(t, voice(10), media.AudioConfig{BitRate: 40000})
	rng := rand.New(rand.NewPCG(3, 4))
	var mixed []sent
	for _, p := range repeat(packets, 2) {
		mixed = append(mixed, p)
		bad := p
		bad.PayloadType = redType
		bad.Payload = make([]byte, 1+rng.IntN(30))
		for i := range bad.Payload {
			bad.Payload[i] = byte(rng.Uint32()) | 0x80
		}
		mixed = append(mixed, bad)
	}
	h := simulate(redReceiver(t), mixed, perfect)
	if h.stats.Discarded < uint64(len(packets))*9/10 || h.stats.Concealed+h.stats.Lost > 0 {
		t.Errorf("%d of %d useless packets discarded; %+v", h.stats.Discarded, len(packets), h.stats)
	}
}

// TestAudioNack: over a path of 20 ms there and back, what is lost is asked for, sent again,
// and heard, without copies; over a long one nothing is asked for in vain.
func TestAudioNack(t *testing.T) {
	packets := encode(t, voice(seconds(60, 20)), media.AudioConfig{BitRate: 40000})
	for _, tt := range []struct {
		rtt       time.Duration
		loss      float64
		concealed float64 // at most, per cent
		asks      bool
	}{
		{20 * ms, 0, 0, false},
		{20 * ms, 0.10, 1.6, true}, // requests and answers are lost too
		{50 * ms, 0.10, 2, true},
		{200 * ms, 0.02, 2.5, false},
	} {
		t.Run(fmt.Sprintf("%v, %.0f%%", tt.rtt, 100*tt.loss), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 4))
			r := redReceiver(t)
			r.SetRTT(tt.rtt)
			var now time.Duration
			type answer struct {
				at time.Duration
				p  *rtp.Packet
			}
			var answers []answer
			bySeq := make(map[uint16]*rtp.Packet)
			for i := range packets {
				bySeq[packets[i].SequenceNumber] = &packets[i].Packet
			}
			r.Nack = func(seqs []uint16) {
				for _, s := range seqs {
					if rng.Float64() >= tt.loss {
						answers = append(answers, answer{now + tt.rtt, bySeq[s]})
					}
				}
			}
			block := make([]int16, media.BlockSamples)
			for i := range packets {
				if now = packets[i].at; rng.Float64() >= tt.loss {
					r.Push(&packets[i].Packet, simStart.Add(now))
				}
				for range 2 {
					for len(answers) > 0 && answers[0].at <= now+3*ms {
						r.Push(answers[0].p, simStart.Add(answers[0].at))
						answers = answers[1:]
					}
					r.Read(block, simStart.Add(now+3*ms))
					now += 10 * ms
				}
			}
			s := r.Stats()
			t.Logf("concealed %.2f%%; of %d lost, %d asked for, %d so repaired; delay %v", s.ConcealedPercent(), s.Lost, s.Asked, s.RepairedNACK, s.TargetDelay)
			if s.ConcealedPercent() > tt.concealed {
				t.Errorf("concealed %.2f%%, want at most %.2f%%", s.ConcealedPercent(), tt.concealed)
			}
			if asked := s.Asked > 0; asked != tt.asks {
				t.Errorf("asked for %d packets", s.Asked)
			}
		})
	}
}
