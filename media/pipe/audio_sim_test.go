package pipe_test

import (
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"

	"parley/media"
	"parley/media/codec"
	"parley/media/pipe"
)

// simStart is where simulated time begins; nothing depends on it.
var simStart = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

var quietLog = slog.New(slog.NewTextHandler(io.Discard, nil))

// glottis is one period of a vowel: harmonics of 140 Hz under two formants.
var glottis = sync.OnceValue(func() (wave [4096]float64) {
	for h := 1.0; h <= 12; h++ {
		formant := math.Exp(-math.Pow((h*140-600)/500, 2)) + 0.3*math.Exp(-math.Pow((h*140-1500)/400, 2))
		for i := range wave {
			wave[i] += formant * math.Sin(2*math.Pi*float64(i)/float64(len(wave))*h)
		}
	}
	return wave
})

// voice is sound like speech: syllables of a vowel with a gliding pitch, with pauses.
func voice(seconds float64) []int16 {
	pcm := make([]int16, int(seconds*media.SampleRate))
	rng := rand.New(rand.NewPCG(1, 2))
	wave := glottis()
	var phase, pitch, loud float64
	for i := range pcm {
		if i%48 == 0 {
			t := float64(i) / media.SampleRate
			pitch = (140 + 40*math.Sin(2*math.Pi*0.7*t)) / media.SampleRate * float64(len(wave))
			loud = 5000 * max(0, math.Sin(2*math.Pi*3*t)) * (0.6 + 0.4*math.Sin(2*math.Pi*0.31*t))
		}
		phase += pitch
		pcm[i] = int16(loud*wave[int(phase)%len(wave)] + 40*(rng.Float64()-0.5))
	}
	return pcm
}

// seconds returns how much speech a test codes: full, or brief under -short.
func seconds(full, brief float64) float64 {
	if testing.Short() {
		return brief
	}
	return full
}

// sine is a steady tone with a peak of 10000.
func sine(hz, seconds float64) []int16 {
	pcm := make([]int16, int(seconds*media.SampleRate))
	for i := range pcm {
		pcm[i] = int16(10000 * math.Sin(2*math.Pi*hz*float64(i)/media.SampleRate))
	}
	return pcm
}

// sent is a packet and when it left, since simStart.
type sent struct {
	rtp.Packet
	at time.Duration
}

// encode runs pcm through an AudioSender in blocks of 10 ms.
func encode(t testing.TB, pcm []int16, cfg media.AudioConfig) []sent {
	t.Helper()
	cfg.Channels = 1
	enc, err := codec.New().AudioEncoder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	s := pipe.NewAudioSender(enc, quietLog)
	var packets []sent
	seq := uint16(65530) // wraps soon
	var first uint32
	cancel := s.Subscribe(func(p pipe.AudioPacket) {
		if len(packets) == 0 {
			first = p.Timestamp
		}
		packets = append(packets, sent{
			Packet: rtp.Packet{
				Header:  rtp.Header{SSRC: 7, SequenceNumber: seq, Timestamp: p.Timestamp - first + math.MaxUint32 - 4800, Marker: p.Marker},
				Payload: slices.Clone(p.Data),
			},
			at: p.Captured.Sub(simStart),
		})
		seq++
	})
	defer cancel()
	for i := 0; i+media.BlockSamples <= len(pcm); i += media.BlockSamples {
		s.Write(media.Audio{
			PCM: pcm[i : i+media.BlockSamples], Channels: 1,
			Captured: simStart.Add(time.Duration(i/media.BlockSamples) * media.BlockDuration),
		})
	}
	return packets
}

func opusReceiver(t testing.TB) *pipe.AudioReceiver {
	t.Helper()
	dec, err := codec.New().AudioDecoder(1)
	if err != nil {
		t.Fatal(err)
	}
	r := pipe.NewAudioReceiver(dec)
	t.Cleanup(func() { r.Close() })
	return r
}

// network says when packet i arrives after it was sent; not at all if ok is false.
type network func(i int) (delay time.Duration, ok bool)

func perfect(int) (time.Duration, bool) { return 0, true }

// heard is what came out of a simulated call.
type heard struct {
	pcm    []int16
	delays []time.Duration // of each block, from its packet being sent to being handed out
	stats  pipe.AudioStats
}

// simulate has packets cross the network into r, and a speaker ask every 10 ms; before is
// called before it does.
func simulate(r *pipe.AudioReceiver, packets []sent, n network, before ...func(at time.Duration)) heard {
	type arrival struct {
		at time.Duration
		p  *rtp.Packet
	}
	var arrivals []arrival
	for i := range packets {
		if d, ok := n(i); ok {
			arrivals = append(arrivals, arrival{packets[i].at + d, &packets[i].Packet})
		}
	}
	slices.SortStableFunc(arrivals, func(a, b arrival) int { return int(a.at - b.at) })
	r.Push(arrivals[0].p, simStart.Add(arrivals[0].at))
	r.SenderReport(simStart.Add(packets[0].at), packets[0].Timestamp)

	var h heard
	block := make([]int16, media.BlockSamples)
	end := packets[len(packets)-1].at + 20*time.Millisecond
	next := 1
	// The speaker's ticks fall between the packets', as they do in life.
	for at := 3 * time.Millisecond; at < end; at += media.BlockDuration {
		for ; next < len(arrivals) && arrivals[next].at <= at; next++ {
			r.Push(arrivals[next].p, simStart.Add(arrivals[next].at))
		}
		for _, f := range before {
			f(at)
		}
		r.Read(block, simStart.Add(at))
		h.pcm = append(h.pcm, block...)
		if captured, ok := r.Playing(); ok {
			h.delays = append(h.delays, simStart.Add(at).Sub(captured))
		}
	}
	h.stats = r.Stats()
	return h
}

// jump is the greatest step between two samples.
func jump(pcm []int16) int {
	var most int
	for i := 1; i < len(pcm); i++ {
		d := int(pcm[i]) - int(pcm[i-1])
		most = max(most, d, -d)
	}
	return most
}

func msPercentile(d []time.Duration, q float64) float64 {
	d = slices.Sorted(slices.Values(d))
	return d[min(int(q*float64(len(d))), len(d)-1)].Seconds() * 1000
}
