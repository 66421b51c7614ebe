package pipe_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"

	"parley/media"
	"parley/media/pipe"
)

const ms = time.Millisecond

// TestAudioNetworks: how much of half a minute of speech is made up, and how old it is when it is
// heard, over networks of 30 ms.
func TestAudioNetworks(t *testing.T) {
	speech := voice(seconds(30, 15))
	for i, tt := range []struct {
		name      string
		loss      float64
		jitter    time.Duration // uniform from 0, so packets overtake each other
		concealed float64       // at most, per cent
		delay     float64       // median at most, ms over the 30 of the network
	}{
		{"LAN", 0, 0, 0, 30},
		{"LAN with jitter", 0, 3 * ms, 0, 30},
		{"jitter 20 ms", 0, 20 * ms, 0, 45},
		{"jitter 60 ms", 0, 60 * ms, 0.2, 85},
		{"jitter 150 ms", 0, 150 * ms, 1, 180},
		{"5% loss", 0.05, 3 * ms, 5, 50},
		{"10% loss", 0.10, 3 * ms, 6, 50},
		{"20% loss", 0.20, 3 * ms, 12, 50},
		{"30% loss", 0.30, 3 * ms, 20, 50},
		{"20% loss, jitter 60 ms", 0.20, 60 * ms, 12, 105},
	} {
		if testing.Short() && i%3 != 1 {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			cfg := media.AudioConfig{BitRate: 32000}
			if tt.loss > 0 {
				cfg.Loss = max(tt.loss, 0.1) // told less, Opus leaves FEC out at this rate
			}
			packets := encode(t, speech, cfg)
			rng := rand.New(rand.NewPCG(3, 4))
			h := simulate(opusReceiver(t), packets, func(int) (time.Duration, bool) {
				return 30*ms + time.Duration(rng.Float64()*float64(tt.jitter)), rng.Float64() >= tt.loss
			})
			delay := msPercentile(h.delays, 0.5) - 30
			t.Logf("concealed %.2f%%, repaired %d of %d lost, delay %.0f ms", h.stats.ConcealedPercent(), h.stats.Repaired, h.stats.Lost, delay)
			if c := h.stats.ConcealedPercent(); c > tt.concealed {
				t.Errorf("concealed %.2f%%, want at most %.2f%%", c, tt.concealed)
			}
			if delay > tt.delay {
				t.Errorf("median delay %.0f ms, want at most %.0f", delay, tt.delay)
			}
			if tt.loss == 0 && h.stats.Dropped+h.stats.Discarded+h.stats.Duplicated > 0 {
				t.Errorf("good packets thrown away: %+v", h.stats)
			}
			if lost := float64(h.stats.Lost) / float64(len(packets)); tt.loss > 0 && (lost < 0.7*tt.loss || lost > 1.3*tt.loss) {
				t.Errorf("counted %.1f%% of packets as lost, sent with %.0f%%", 100*lost, 100*tt.loss)
			}
		})
	}
}

// TestAudioQuietLAN is the strict case: nothing may be made up, no block may be late.
func TestAudioQuietLAN(t *testing.T) {
	packets := encode(t, voice(30), media.AudioConfig{BitRate: 32000})
	h := simulate(opusReceiver(t), packets, perfect)
	if worst := msPercentile(h.delays, 1); worst > 40 {
		t.Errorf("delay up to %.1f ms, want at most 40", worst)
	}
	if h.stats.Concealed+h.stats.Lost+h.stats.Underruns != 0 {
		t.Errorf("made up sound on a perfect network: %+v", h.stats)
	}
}

func TestAudioBursts(t *testing.T) {
	packets := encode(t, voice(30), media.AudioConfig{BitRate: 32000, Loss: 0.1})
	t.Run("five lost in a row", func(t *testing.T) {
		h := simulate(opusReceiver(t), packets, func(i int) (time.Duration, bool) { return 0, i%250 < 100 || i%250 >= 105 })
		if h.stats.Lost != 30 || h.stats.Concealed > 30*media.PacketSamples {
			t.Errorf("%+v", h.stats)
		}
		if d := msPercentile(h.delays, 0.9); d > 60 {
			t.Errorf("delay stays at %.0f ms after bursts of loss", d)
		}
	})
	t.Run("held up for 300 ms, then all at once", func(t *testing.T) {
		h := simulate(opusReceiver(t), packets, func(i int) (time.Duration, bool) {
			if i >= 500 && i < 515 {
				return time.Duration(515-i) * 20 * ms, true
			}
			return 0, true
		})
		if h.stats.Lost != 0 {
			t.Errorf("%d packets thrown away that came late together", h.stats.Lost)
		}
		if last := h.delays[len(h.delays)-1].Seconds() * 1000; last > 45 {
			t.Errorf("delay is still %.0f ms, 20 s after", last)
		}
	})
	t.Run("every other pair swapped, some twice", func(t *testing.T) {
		swapped := append([]sent(nil), packets...)
		h := simulate(opusReceiver(t), swapped, func(i int) (time.Duration, bool) {
			if i%4 == 1 {
				return 21 * ms, true // overtaken by the next
			}
			return 0, true
		})
		if h.stats.ConcealedPercent() > 0.1 {
			t.Errorf("concealed %.2f%%", h.stats.ConcealedPercent())
		}
	})
	t.Run("retransmitted in time", func(t *testing.T) {
		h := simulate(opusReceiver(t), packets, func(i int) (time.Duration, bool) {
			switch {
			case i%10 == 3:
				return 70 * ms, true // lost, asked for, sent again
			case i%10 == 7:
				return 60 * ms, true // what makes the delay long enough
			}
			return 0, true
		})
		if h.stats.ConcealedPercent() > 1.5 {
			t.Errorf("concealed %.2f%%: retransmissions are not used", h.stats.ConcealedPercent())
		}
	})
}

// TestAudioAfterAFall: when the path becomes slower, its queue fills, and empties again when less is
// sent. Two seconds after, sound is near again, and stays so while probes fill the queue a little from
// time to time.
func TestAudioAfterAFall(t *testing.T) {
	const fall, full = 10 * time.Second, 460 * ms
	packets := encode(t, voice(30), media.AudioConfig{BitRate: 32000})
	// queue is how long a packet stands in it that enters it so long after the fall.
	queue := func(since time.Duration) time.Duration {
		switch {
		case since < 0:
			return 0
		case since < 60*ms: // 2.5 Mbit/s enter, 400 kbit/s leave
			return since * full / (60 * ms)
		case since < 250*ms:
			return full
		case since < 800*ms:
			return full * (800*ms - since) / (550 * ms)
		case since%(2*time.Second) < 100*ms:
			return since % (2 * time.Second)
		case since%(2*time.Second) < 200*ms:
			return 200*ms - since%(2*time.Second)
		}
		return 0
	}
	rng := rand.New(rand.NewPCG(5, 6))
	var worst, last time.Duration
	r := opusReceiver(t)
	h := simulate(r, packets, func(i int) (time.Duration, bool) {
		return queue(packets[i].at-fall) + time.Duration(rng.Float64()*5*float64(ms)), true
	}, func(at time.Duration) {
		if captured, ok := r.Playing(); ok {
			last = simStart.Add(at).Sub(captured)
		}
		if at > fall+2*time.Second {
			worst = max(worst, last)
		}
	})
	t.Logf("at most %v later from 2 s after the fall on, concealed %.2f%%, %d underruns", worst, h.stats.ConcealedPercent(), h.stats.Underruns)
	if worst > 200*ms {
		t.Errorf("sound is up to %v late from 2 s after the fall on", worst)
	}
	if h.stats.ConcealedPercent() > 4 || h.stats.Dropped > 0 { // 1.5% of the 30 s are the queue itself
		t.Errorf("concealed %.2f%%, %d packets thrown away", h.stats.ConcealedPercent(), h.stats.Dropped)
	}
}

// TestAudioStalls: a machine that is busy for a moment every few seconds is heard twice, and then
// no longer, nor does it delay the sound for ever.
func TestAudioStalls(t *testing.T) {
	packets := encode(t, voice(90), media.AudioConfig{BitRate: 32000})
	const every, over = 7 * 50, 30 * 50 // packets
	stalls := func(i int) (time.Duration, bool) {
		if late := i%every - every/2; i < over && late >= 0 && late < 3 {
			return time.Duration(3-late) * 20 * ms, true
		}
		return 0, true
	}
	var ran [2]uint64
	r := opusReceiver(t)
	h := simulate(r, packets, stalls, func(at time.Duration) {
		if at < 14*time.Second {
			ran[0] = r.Stats().Underruns
		}
		ran[1] = r.Stats().Underruns
	})
	if ran[0] == 0 || ran[0] > 2 || ran[1] > ran[0] {
		t.Errorf("sound ran dry %d times in two stalls, %d in all", ran[0], ran[1])
	}
	if last := h.delays[len(h.delays)-1].Seconds() * 1000; last > 45 {
		t.Errorf("the delay is still %.0f ms a minute after", last)
	}
}

func TestAudioDuplicatesAndLate(t *testing.T) {
	packets := encode(t, voice(2), media.AudioConfig{BitRate: 32000})
	r := opusReceiver(t)
	block := make([]int16, media.BlockSamples)
	for i, p := range packets {
		r.Push(&p.Packet, simStart.Add(p.at))
		r.Push(&p.Packet, simStart.Add(p.at))
		r.Read(block, simStart.Add(p.at+3*ms))
		r.Read(block, simStart.Add(p.at+13*ms))
		if i >= 10 {
			r.Push(&packets[i-10].Packet, simStart.Add(p.at+14*ms))
		}
	}
	s := r.Stats()
	if want := uint64(len(packets) + len(packets) - 10); s.Duplicated != want || s.Packets != uint64(len(packets)) || s.Late != 0 {
		t.Errorf("%d duplicates, want %d; %+v", s.Duplicated, want, s)
	}
}

// TestAudioOutage: nothing arrives for 30 s; then sound is back within 100 ms, and the outage
// is counted as what it was.
func TestAudioOutage(t *testing.T) {
	packets := encode(t, voice(40), media.AudioConfig{BitRate: 32000})
	const from, to = 250, 250 + 1500
	h := simulate(opusReceiver(t), packets, func(i int) (time.Duration, bool) { return 0, i < from || i >= to })
	back := int((packets[to].at + 100*ms) / media.BlockDuration)
	if l := media.Level(h.pcm[back*media.BlockSamples : (back+20)*media.BlockSamples]); l < -50 {
		t.Errorf("%.0f dBFS 100 ms after the network is back", l)
	}
	silent := h.pcm[(int(packets[from].at/media.BlockDuration)+26)*media.BlockSamples : int(packets[to].at/media.BlockDuration)*media.BlockSamples]
	if l := media.Level(silent); l > media.LevelFloor {
		t.Errorf("%.0f dBFS instead of silence, 260 ms into the outage", l)
	}
	if want := uint64(1500 * media.PacketSamples); h.stats.Lost != 1500 || h.stats.Concealed < want*98/100 || h.stats.Concealed > want {
		t.Errorf("lost %d packets, concealed %d samples, want 1500 and nearly %d", h.stats.Lost, h.stats.Concealed, want)
	}
	if last := h.delays[len(h.delays)-1]; last > 40*ms {
		t.Errorf("delay %v after the outage", last)
	}
}

// TestAudioDTX: a sender that falls silent is no loss, and what it says next is on time.
func TestAudioDTX(t *testing.T) {
	pcm := voice(20)
	for _, pause := range []int{4, 12} { // seconds
		clear(pcm[pause*media.SampleRate : (pause+4)*media.SampleRate])
	}
	packets := encode(t, pcm, media.AudioConfig{BitRate: 32000, DTX: true})
	if len(packets) > 850 {
		t.Fatalf("%d packets sent of 1000, 8 s of them silent", len(packets))
	}
	h := simulate(opusReceiver(t), packets, perfect)
	if h.stats.Concealed+h.stats.Lost != 0 {
		t.Errorf("silence looks like loss: %+v", h.stats)
	}
	if worst := msPercentile(h.delays, 1); worst > 50 {
		t.Errorf("delay up to %.1f ms", worst)
	}
}

// TestAudioMutedWithoutNotice: the packets that announce a silence are lost. It looks like an
// outage until the voice is back, and then is not counted as one.
func TestAudioMutedWithoutNotice(t *testing.T) {
	packets := encode(t, voice(10), media.AudioConfig{BitRate: 32000})
	kept := append([]sent(nil), packets[:100]...)
	for _, p := range packets[300:] {
		p.SequenceNumber -= 198 // two were sent and lost, 198 never sent
		kept = append(kept, p)
	}
	h := simulate(opusReceiver(t), kept, perfect)
	if h.stats.Lost != 2 || h.stats.Concealed != 2*media.PacketSamples {
		t.Errorf("lost %d, concealed %d samples, want 2 and %d", h.stats.Lost, h.stats.Concealed, 2*media.PacketSamples)
	}
}

func TestAudioStreamRestart(t *testing.T) {
	packets := encode(t, voice(10), media.AudioConfig{BitRate: 32000})
	for _, tt := range []struct {
		name   string
		change func(p *rtp.Packet)
		resets uint64
	}{
		{"new SSRC", func(p *rtp.Packet) {
			p.SSRC, p.SequenceNumber, p.Timestamp = 99, p.SequenceNumber+20000, p.Timestamp+1e9
		}, 1},
		{"sequence far ahead", func(p *rtp.Packet) { p.SequenceNumber += 20000 }, 1},
		{"sequence far back", func(p *rtp.Packet) { p.SequenceNumber -= 20000; p.Timestamp -= 1e6 }, 1},
		{"timestamp far ahead", func(p *rtp.Packet) { p.Timestamp += 1e9 }, 1},
		{"timestamp far back", func(p *rtp.Packet) { p.Timestamp -= 1e9 }, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			changed := append([]sent(nil), packets...)
			for i := 200; i < len(changed); i++ {
				tt.change(&changed[i].Packet)
			}
			h := simulate(opusReceiver(t), changed, perfect)
			back := (4000 + 100) / 10 * media.BlockSamples
			if l := media.Level(h.pcm[back : back+20*media.BlockSamples]); l < -50 {
				t.Errorf("%.0f dBFS 100 ms after the change", l)
			}
			if h.stats.Resets != tt.resets || h.stats.Concealed > 3*media.PacketSamples {
				t.Errorf("%+v", h.stats)
			}
			if h.stats.Delay > 60*ms {
				t.Errorf("delay %v after the change", h.stats.Delay)
			}
		})
	}
}

// TestAudioSpeakerStalls: the speaker asks for nothing for 3 s. The queue stays bounded, and
// afterwards sound is not 3 s old.
func TestAudioSpeakerStalls(t *testing.T) {
	packets := encode(t, voice(10), media.AudioConfig{BitRate: 32000})
	r := opusReceiver(t)
	r.SenderReport(simStart, packets[0].Timestamp)
	block := make([]int16, media.BlockSamples)
	for i, p := range packets {
		r.Push(&p.Packet, simStart.Add(p.at))
		if i < 100 || i >= 250 {
			r.Read(block, simStart.Add(p.at+3*ms))
			r.Read(block, simStart.Add(p.at+13*ms))
		}
	}
	s := r.Stats()
	if s.Delay > 60*ms || s.Dropped < 80 {
		t.Errorf("delay %v, dropped %d; %+v", s.Delay, s.Dropped, s)
	}
}

func TestAudioExtraDelay(t *testing.T) {
	r := opusReceiver(t)
	tone := sine(300, 20)
	packets := encode(t, tone, media.AudioConfig{BitRate: 64000})
	h := simulate(r, packets, perfect, func(at time.Duration) {
		if at > 2*time.Second {
			r.SetExtraDelay(150 * ms)
		}
	})
	if h.delays[210] > 60*ms {
		t.Errorf("delay %v 100 ms after asking for more: a leap", h.delays[210])
	}
	if last := h.delays[len(h.delays)-1]; last < 160*ms || last > 200*ms {
		t.Errorf("delay %v with 150 ms extra", last)
	}
	if h.stats.Concealed != 0 {
		t.Errorf("concealed %d samples", h.stats.Concealed)
	}
	r.SetExtraDelay(0)
	for i := range packets {
		packets[i].SSRC = 8 // a new call to the same receiver
	}
	h = simulate(r, packets, perfect)
	if last := h.delays[len(h.delays)-1]; last > 40*ms {
		t.Errorf("delay %v without extra", last)
	}
}

func TestAudioSpeaking(t *testing.T) {
	pcm := voice(6)
	clear(pcm[3*media.SampleRate:])
	packets := encode(t, pcm, media.AudioConfig{BitRate: 32000})
	r := opusReceiver(t)
	if r.Speaking() || r.Level() > media.LevelFloor {
		t.Error("speaking before a word was said")
	}
	simulate(r, packets[:120], perfect)
	if !r.Speaking() || r.Level() < -40 {
		t.Errorf("speech of %.0f dBFS is not noticed", r.Level())
	}
	for i := 120; i < len(packets); i++ {
		packets[i].SSRC = 8
	}
	simulate(r, packets[150:], perfect)
	if r.Speaking() {
		t.Error("speaking 2 s after the last word")
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if r.Read(make([]int16, media.BlockSamples), simStart) || r.Close() != nil {
		t.Error("a closed receiver is not silent")
	}
	r.Push(&rtp.Packet{Payload: []byte{1, 2, 3}}, simStart)
}

func TestAudioPlaying(t *testing.T) {
	packets := encode(t, voice(2), media.AudioConfig{BitRate: 32000})
	r := opusReceiver(t)
	if _, ok := r.Playing(); ok {
		t.Error("something plays before anything was received")
	}
	block := make([]int16, media.BlockSamples)
	for i, p := range packets {
		r.Push(&p.Packet, simStart.Add(p.at))
		r.Read(block, simStart.Add(p.at))
		r.Read(block, simStart.Add(p.at+10*ms))
		captured, ok := r.Playing()
		if ok != (i >= 50) {
			t.Fatalf("packet %d: capture time known: %v", i, ok)
		}
		if i == 49 {
			// Its wall clock is an hour ahead of ours; the report is from the future.
			r.SenderReport(simStart.Add(time.Hour+5*time.Second), packets[0].Timestamp+5*media.SampleRate)
		}
		if i >= 50 {
			if age := simStart.Add(time.Hour + p.at + 10*ms).Sub(captured); age < 10*ms || age > 40*ms {
				t.Fatalf("packet %d plays %v after its capture", i, age)
			}
		}
	}
}

// TestAudioConcurrently is for the race detector: everything at once, then Close.
func TestAudioConcurrently(t *testing.T) {
	packets := encode(t, voice(5), media.AudioConfig{BitRate: 32000})
	r := opusReceiver(t)
	m := pipe.NewMixer()
	var wg sync.WaitGroup
	wg.Go(func() {
		for _, p := range packets {
			r.Push(&p.Packet, simStart.Add(p.at))
			r.SenderReport(simStart, p.Timestamp)
		}
	})
	wg.Go(func() {
		block := make([]int16, media.BlockSamples)
		for _, p := range packets {
			r.Read(block, simStart.Add(p.at))
		}
	})
	wg.Go(func() {
		out := make([]int16, stereoBlock)
		for range 100 {
			m.Add(r)
			m.Fill(out)
			m.Remove(r)
		}
	})
	wg.Go(func() {
		for i := range packets {
			r.SetExtraDelay(time.Duration(i) * ms)
			r.Stats()
			r.Playing()
			r.Level()
			r.Speaking()
		}
		r.Close()
	})
	wg.Wait()
}
