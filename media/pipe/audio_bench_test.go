package pipe_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/pion/rtp"

	"parley/media"
	"parley/media/pipe"
)

// endless feeds receivers the same seconds of speech over and over, as one stream.
type endless struct {
	packets []sent
	p       rtp.Packet
	at      time.Time
	i       int
}

func newEndless(t testing.TB) *endless {
	return &endless{packets: encode(t, voice(5), media.AudioConfig{BitRate: 32000, Loss: 0.1}), at: simStart}
}

// next pushes the next packet into all of rs, but every tenth, and reads 20 ms from each.
func (e *endless) next(rs []*pipe.AudioReceiver, block []int16) {
	e.p.Payload = e.packets[e.i%len(e.packets)].Payload
	e.i++
	e.p.SequenceNumber++
	e.p.Timestamp += media.PacketSamples
	for _, r := range rs {
		if e.i%10 != 0 {
			r.Push(&e.p, e.at)
		}
		r.Read(block, e.at.Add(3*ms))
		r.Read(block, e.at.Add(13*ms))
	}
	e.at = e.at.Add(media.PacketDuration)
}

// TestAudioAllocates: neither path leaves anything for the garbage collector, loss, repair
// and concealment included.
func TestAudioAllocates(t *testing.T) {
	e, block := newEndless(t), make([]int16, media.BlockSamples)
	rs := []*pipe.AudioReceiver{opusReceiver(t)}
	for range 500 {
		e.next(rs, block)
	}
	if n := testing.AllocsPerRun(500, func() { e.next(rs, block) }); n > 0 {
		t.Errorf("%v allocations a packet received", n)
	}
	s, _ := newSender(t, media.AudioConfig{BitRate: 32000})
	s.Subscribe(func(pipe.AudioPacket) {})
	a := media.Audio{PCM: voice(0.01), Channels: 1}
	if n := testing.AllocsPerRun(500, func() { s.Write(a) }); n > 0 {
		t.Errorf("%v allocations a block sent", n)
	}
	m := pipe.NewMixer()
	m.Add(rs[0])
	out := make([]int16, stereoBlock)
	if n := testing.AllocsPerRun(100, func() { m.Fill(out) }); n > 0 {
		t.Errorf("%v allocations a block mixed", n)
	}
}

// BenchmarkAudioRead is one op for 10 ms of sound of all receivers, decoding included.
func BenchmarkAudioRead(b *testing.B) {
	for _, n := range []int{1, 8} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			e, block := newEndless(b), make([]int16, media.BlockSamples)
			var rs []*pipe.AudioReceiver
			for range n {
				rs = append(rs, opusReceiver(b))
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += 2 {
				e.next(rs, block)
			}
		})
	}
}

// BenchmarkAudioReadWithoutDecoding is the share of it that is ours.
func BenchmarkAudioReadWithoutDecoding(b *testing.B) {
	e, block := newEndless(b), make([]int16, media.BlockSamples)
	rs := []*pipe.AudioReceiver{pipe.NewAudioReceiver(newToneDecoder(1))}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += 2 {
		e.next(rs, block)
	}
}

// BenchmarkAudioWrite is one op for 10 ms of the microphone, encoding included.
func BenchmarkAudioWrite(b *testing.B) {
	s, _ := newSender(b, media.AudioConfig{BitRate: 32000})
	s.Subscribe(func(pipe.AudioPacket) {})
	pcm := voice(5)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		o := i * media.BlockSamples % len(pcm)
		s.Write(media.Audio{PCM: pcm[o : o+media.BlockSamples], Channels: 1})
	}
}

// BenchmarkMixer is one op for 10 ms of 8 voices, without decoding.
func BenchmarkMixer(b *testing.B) {
	m := pipe.NewMixer()
	var push []func()
	for i := range 8 {
		r, f := tone(i, 1)
		m.Add(r)
		push = append(push, f)
	}
	out := make([]int16, stereoBlock)
	b.ReportAllocs()
	for i := range b.N {
		if i%2 == 0 {
			for _, f := range push {
				f()
			}
		}
		m.Fill(out)
	}
}
