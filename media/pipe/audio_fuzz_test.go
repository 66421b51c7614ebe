package pipe_test

import (
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"github.com/pion/rtp"

	"parley/media"
)

// FuzzAudioReceiver reads the input as a script: what arrives, when, and when the speaker
// asks. Every packet is parsed from raw RTP where the script says so.
func FuzzAudioReceiver(f *testing.F) {
	f.Add([]byte{0, 1, 0, 1, 2, 3, 1, 2, 4, 0, 0, 0, 7})
	f.Add([]byte{3, 0x80, 0x6f, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0x78, 1, 2, 3})
	f.Add([]byte{0, 0xff, 0xff, 5, 2, 255, 0, 0x7f, 0xff, 5, 2, 1, 5, 1, 5, 0, 0, 0, 0, 2, 2})
	f.Add([]byte{4, 0x7f, 0xff, 0xff, 0xff, 4, 0x80, 0, 0, 0, 0, 0, 1, 9, 1, 1, 1})
	// A packet, one lost, and one that repeats the lost one.
	f.Add([]byte{0, 0, 1, 2, 0, 0, 1, 2, 53, 0xef, 0x0f, 0x00, 0x02, 0x6f, 0x78, 1, 0x78, 2, 1, 7})
	f.Fuzz(func(t *testing.T, script []byte) {
		r := redReceiver(t)
		r.Nack = func(seqs []uint16) {
			if len(seqs) == 0 || len(seqs) > 64 {
				t.Errorf("asks for %d packets", len(seqs))
			}
		}
		r.SetRTT(20 * ms)
		at := simStart
		p := rtp.Packet{Header: rtp.Header{SequenceNumber: 65535, Timestamp: 1<<32 - 960}, Payload: []byte{0x78, 1, 2, 3, 4, 5}}
		block := make([]int16, media.BlockSamples)
		take := func(n int) []byte {
			b := make([]byte, n)
			script = script[copy(b, script):]
			return b
		}
		for len(script) > 0 {
			switch op := take(1)[0]; op % 6 {
			case 0: // a packet elsewhere in the stream
				b := take(3)
				p.SequenceNumber += binary.BigEndian.Uint16(b)
				p.Timestamp += uint32(int8(b[2])) * 480
				r.Push(&p, at)
			case 1: // the speaker asks
				for range op%8 + 1 {
					r.Read(block, at)
					at = at.Add(10 * ms)
				}
			case 2: // time goes by, or back
				at = at.Add(time.Duration(int8(take(1)[0])) * 100 * ms)
			case 3: // raw bytes from the network
				var raw rtp.Packet
				if raw.Unmarshal(take(int(op)/6+12)) == nil {
					r.Push(&raw, at)
				}
			case 4: // another time or stream
				p.Timestamp += binary.BigEndian.Uint32(take(4))
				p.SSRC += uint32(op / 128)
				r.Push(&p, at)
				r.SenderReport(at, p.Timestamp)
			case 5: // the stream goes on, with another payload
				p.Payload = take(int(op) / 6)
				p.PayloadType = opusType
				if op&1 == 1 {
					p.PayloadType = redType
				}
				p.SequenceNumber++
				p.Timestamp += media.PacketSamples
				r.Push(&p, at)
				r.SetExtraDelay(time.Duration(int8(op)) * 10 * ms)
				r.Playing()
			}
		}
		r.Push(nil, at)
		s := r.Stats()
		if s.Concealed > s.Total+10*media.PacketSamples {
			t.Errorf("concealed more than was played: %+v", s)
		}
		if s.TargetDelay > time.Second {
			t.Errorf("delay without bounds: %+v", s)
		}
	})
}

// TestAudioReceiverMemory: a hostile sender cannot make a receiver hold more than its queue.
func TestAudioReceiverMemory(t *testing.T) {
	r := opusReceiver(t)
	p := rtp.Packet{Payload: make([]byte, 1500)}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range 200_000 {
		p.SequenceNumber += uint16(i % 7)
		p.Timestamp += uint32(i) * 7919
		r.Push(&p, simStart.Add(time.Duration(i)*ms))
	}
	if grown := int64(heap()) - int64(before); grown > 256<<10 {
		t.Errorf("a receiver holds %d KB", grown>>10)
	}
	s := r.Stats()
	if s.Dropped == 0 {
		t.Error("nothing was dropped")
	}
	r.Push(&rtp.Packet{Payload: make([]byte, 1501)}, simStart)
	r.Push(&rtp.Packet{}, simStart)
	if got := r.Stats().Discarded - s.Discarded; got != 2 {
		t.Errorf("%d of 2 useless packets discarded", got)
	}
}
