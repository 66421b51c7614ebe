package pipe_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"

	"parley/media"
	"parley/media/pipe"
)

const stereoBlock = media.BlockSamples * media.SpeakerChannels

// tone is a receiver that plays a tone, with this part of full scale, as long as push is called.
func tone(i int, level float64) (r *pipe.AudioReceiver, push func()) {
	r = pipe.NewAudioReceiver(newToneDecoder(level))
	p := &rtp.Packet{Header: rtp.Header{SSRC: uint32(i)}, Payload: []byte{0x80, 1, 2, 3}}
	return r, func() {
		r.Push(p, time.Now())
		p.SequenceNumber++
		p.Timestamp += media.PacketSamples
	}
}

// play runs n sources, each with this part of full scale, for d and returns what the speaker gets; each is called before a block.
func play(m *pipe.Mixer, n int, level float64, d time.Duration, each func(at time.Duration, sources []*pipe.AudioReceiver)) []int16 {
	var out []int16
	var push []func()
	var sources []*pipe.AudioReceiver
	for i := range n {
		r, f := tone(i, level)
		m.Add(r)
		sources = append(sources, r)
		push = append(push, f)
	}
	block := make([]int16, stereoBlock)
	for at := time.Duration(0); at < d; at += media.BlockDuration {
		if at%media.PacketDuration == 0 {
			for _, f := range push {
				f()
			}
		}
		if each != nil {
			each(at, sources)
		}
		m.Fill(block)
		out = append(out, block...)
		time.Sleep(media.BlockDuration)
	}
	return out
}

func left(pcm []int16) []int16 {
	mono := make([]int16, len(pcm)/2)
	for i := range mono {
		mono[i] = pcm[2*i]
	}
	return mono
}

// Steps of a 200 Hz tone at full scale are at most 858; sums that wrap around leap by 65000.
func TestMixerDoesNotWrap(t *testing.T) {
	for _, n := range []int{1, 2, 8, 32} {
		synctest.Test(t, func(t *testing.T) {
			out := left(play(pipe.NewMixer(), n, 1, time.Second, nil))
			// The first block has the limiter's attack.
			if got := jump(out[len(out)/4:]); got > 900 {
				t.Errorf("%d sources: step of %d", n, got)
			}
			if l := media.Level(out[len(out)/2:]); l < -6 || l > -3 {
				t.Errorf("%d sources: %.1f dBFS", n, l)
			}
			// With the limiter at work the tone must still be one: no flat tops.
			flat := 0
			for i, v := range out[1:] {
				if v == out[i] && (v > 20000 || v < -20000) {
					flat++
				}
			}
			if flat > len(out)/50 {
				t.Errorf("%d sources: %d clipped samples of %d", n, flat, len(out))
			}
		})
	}
}

func TestMixerSums(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := left(play(pipe.NewMixer(), 1, 0.25, time.Second, nil))
		three := left(play(pipe.NewMixer(), 3, 0.25, time.Second, nil))
		for i := len(one) / 2; i < len(one); i++ {
			if d := int(three[i]) - 3*int(one[i]); d > 3 || d < -3 {
				t.Fatalf("sample %d is %d, three times %d expected", i, three[i], one[i])
			}
		}
	})
}

func TestMixerSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := pipe.NewMixer()
		out := left(play(m, 1, 1, time.Second, func(at time.Duration, sources []*pipe.AudioReceiver) {
			if at == 500*ms {
				m.Remove(sources[0])
				m.Remove(sources[0])
			}
		}))
		if l := media.Level(out[len(out)/2:]); l > media.LevelFloor {
			t.Errorf("a removed source is heard with %.0f dBFS", l)
		}
		r, _ := tone(1, 1)
		m.Add(r)
		m.Add(r)
		m.Remove(r)
		block := make([]int16, stereoBlock)
		before := r.Stats().Total
		m.Fill(block)
		if r.Stats().Total != before {
			t.Error("a source added twice and removed is still read")
		}
	})
}

func TestMixerClearsWhatIsNoWholeBlock(t *testing.T) {
	out := make([]int16, stereoBlock+7)
	out[0], out[len(out)-1] = 5, 5
	pipe.NewMixer().Fill(out)
	if out[0] != 0 || out[len(out)-1] != 0 {
		t.Errorf("nobody speaks, and the speaker plays %d and %d", out[0], out[len(out)-1])
	}
}
