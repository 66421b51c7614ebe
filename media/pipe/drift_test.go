package pipe_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtp"

	"parley/media"
	"parley/media/pipe"
)

// toneDecoder stands in for Opus where hours of sound are simulated: every packet decodes to
// a tone of 200 Hz at full scale, so that the decoding costs nothing.
type toneDecoder struct{ tone [media.PacketSamples]int16 }

// newToneDecoder decodes everything to the same tone, with this part of full scale.
func newToneDecoder(level float64) *toneDecoder {
	d := new(toneDecoder)
	for i := range d.tone {
		d.tone[i] = int16(level * math.MaxInt16 * math.Sin(2*math.Pi*200*float64(i)/media.SampleRate))
	}
	return d
}

func (d *toneDecoder) Decode(pcm []int16, data []byte) error {
	if data[0] == 0xFF {
		return media.ErrCorrupt
	}
	copy(pcm, d.tone[:])
	return nil
}

func (d *toneDecoder) Recover(pcm []int16, _ []byte) error { copy(pcm, d.tone[:]); return nil }
func (d *toneDecoder) Conceal(pcm []int16) error           { copy(pcm, d.tone[:]); return nil }
func (d *toneDecoder) Close() error                        { return nil }

// driftTime is how long two clocks drift apart in the tests below.
func driftTime() time.Duration {
	if testing.Short() {
		return 20 * time.Minute
	}
	return driftFor
}

// TestAudioDrift simulates driftTime with a microphone's clock that is off, over a network with some jitter. Nothing is
// concealed, and the delay does not grow.
func TestAudioDrift(t *testing.T) {
	driftFor := driftTime()
	for _, ppm := range []float64{-300, -100, 100, 300} {
		t.Run(fmt.Sprintf("%+.0f ppm", ppm), func(t *testing.T) {
			t.Parallel()
			r := pipe.NewAudioReceiver(newToneDecoder(1))
			defer r.Close()
			rng := rand.New(rand.NewPCG(5, 6))
			period := time.Duration(float64(media.PacketDuration) / (1 + ppm/1e6))
			block := make([]int16, media.BlockSamples)
			p := &rtp.Packet{Header: rtp.Header{SequenceNumber: 65000, Timestamp: math.MaxUint32 - 1000}, Payload: []byte{0x80, 1, 2, 3}}
			next := time.Duration(0)
			var most time.Duration
			for at := 3 * ms; at < driftFor; at += media.BlockDuration {
				for ; next <= at; next += period {
					binary.BigEndian.PutUint32(p.Payload, uint32(p.SequenceNumber))
					r.Push(p, simStart.Add(next+time.Duration(rng.Float64()*3*float64(ms))))
					p.SequenceNumber++
					p.Timestamp += media.PacketSamples
				}
				r.Read(block, simStart.Add(at))
				if at > time.Second && at%(10*time.Second) == 3*ms {
					most = max(most, r.Stats().Delay)
				}
			}
			s := r.Stats()
			moved := float64(s.Stretched) - float64(s.Shrunk)
			want := -ppm / 1e6 * driftFor.Seconds() * media.SampleRate
			t.Logf("delay at most %v, at the end %v; stretched %d, shrunk %d", most, s.Delay, s.Stretched, s.Shrunk)
			if s.Underruns+s.Concealed+s.Lost+s.Late+s.Dropped != 0 {
				t.Errorf("some sound was lost or made up: %+v", s)
			}
			if most > 40*ms {
				t.Errorf("delay grew to %v", most)
			}
			if math.Abs(moved-want) > 0.05*media.SampleRate {
				t.Errorf("playout moved by %.0f samples, the clocks by %.0f", moved, want)
			}
		})
	}
}

// TestAudioDriftOfCopies does the same with a tenth of the packets lost, and with copies of the last three in
// each packet (RED). Concealment stays rare to the end, and the delay does not grow.
func TestAudioDriftOfCopies(t *testing.T) {
	t.Parallel()
	driftFor := driftTime()
	const loss, depth = 0.1, 3
	ppm := 100.0
	r := pipe.NewAudioReceiver(newToneDecoder(1))
	r.RedType = redType
	defer r.Close()
	rng := rand.New(rand.NewPCG(7, 8))
	period := time.Duration(float64(media.PacketDuration) / (1 + ppm/1e6))
	block := make([]int16, media.BlockSamples)
	p := &rtp.Packet{Header: rtp.Header{SequenceNumber: 65000, Timestamp: math.MaxUint32 - 1000}}
	var copies pipe.RedEncoder
	sound := []byte{0x80, 1, 2, 3}
	next := time.Duration(0)
	var early, late time.Duration // the longest delay of the second minute, and of the last
	for at := 3 * ms; at < driftFor; at += media.BlockDuration {
		for ; next <= at; next += period {
			binary.BigEndian.PutUint32(sound, uint32(p.SequenceNumber))
			var blocks int
			p.Payload, blocks = copies.Encode(opusType, p.Timestamp, sound, depth, 1160)
			p.PayloadType = redType
			if blocks == 0 {
				p.PayloadType = opusType
			}
			if rng.Float64() >= loss {
				r.Push(p, simStart.Add(next+time.Duration(rng.Float64()*3*float64(ms))))
			}
			p.SequenceNumber++
			p.Timestamp += media.PacketSamples
		}
		r.Read(block, simStart.Add(at))
		switch d := r.Stats().Delay; {
		case at > driftFor-time.Minute:
			late = max(late, d)
		case at > time.Minute && at < 2*time.Minute:
			early = max(early, d)
		}
	}
	s := r.Stats()
	t.Logf("delay at most %v, in the last minute %v; %.3f%% made up; %+v", early, late, s.ConcealedPercent(), s)
	if late > early+10*ms || late > 120*ms {
		t.Errorf("the delay grew from %v to %v", early, late)
	}
	if c := s.ConcealedPercent(); c > 0.3 {
		t.Errorf("%.2f%% made up", c)
	}
}

// TestAudioDriftOfSpeech: what a tone allows at any time, speech allows only here and there.
// Clocks this bad still leave no gap and no growing delay.
func TestAudioDriftOfSpeech(t *testing.T) {
	packets := encode(t, voice(seconds(60, 20)), media.AudioConfig{BitRate: 32000})
	for _, ppm := range []float64{-1000, 1000} {
		drifting := append([]sent(nil), packets...)
		for i := range drifting {
			drifting[i].at = time.Duration(float64(drifting[i].at) * (1 - ppm/1e6))
		}
		r := opusReceiver(t)
		var most time.Duration
		h := simulate(r, drifting, perfect, func(time.Duration) { most = max(most, r.Stats().Delay) })
		t.Logf("%+.0f ppm: delay at most %v, stretched %d, shrunk %d samples", ppm, most, h.stats.Stretched, h.stats.Shrunk)
		if h.stats.Concealed+h.stats.Underruns+h.stats.Lost+h.stats.Dropped != 0 || most > 45*ms {
			t.Errorf("%+.0f ppm: delay at most %v, %+v", ppm, most, h.stats)
		}
	}
}

// TestAudioSpeakerInBursts: a speaker that takes several blocks at once needs more delay, and
// gets it without a gap after the first moments.
func TestAudioSpeakerInBursts(t *testing.T) {
	packets := encode(t, voice(20), media.AudioConfig{BitRate: 32000})
	for _, blocks := range []int{2, 4, 6} {
		r := opusReceiver(t)
		block := make([]int16, media.BlockSamples)
		next := 0
		var settled pipe.AudioStats
		for i := range 2000 {
			at := time.Duration(i-i%blocks)*media.BlockDuration + 3*ms
			for ; next < len(packets) && packets[next].at <= at; next++ {
				r.Push(&packets[next].Packet, simStart.Add(packets[next].at))
			}
			r.Read(block, simStart.Add(at))
			if i == 300 {
				settled = r.Stats()
			}
		}
		s := r.Stats()
		t.Logf("%d blocks at once: delay %v, underruns %d at first, then %d", blocks, s.Delay, settled.Underruns, s.Underruns-settled.Underruns)
		if s.Underruns != settled.Underruns || s.Lost != settled.Lost || s.Dropped != 0 {
			t.Errorf("%d blocks at once: %+v", blocks, s)
		}
		if s.Delay > time.Duration(blocks)*media.BlockDuration+40*ms {
			t.Errorf("%d blocks at once: delay %v", blocks, s.Delay)
		}
	}
}
