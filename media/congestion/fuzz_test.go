package congestion

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// report marshals feedback for the corpus.
func report(f *testing.F, p rtcp.TransportLayerCC) []byte {
	f.Helper()
	size := p.MarshalSize()
	p.Header = rtcp.Header{Padding: size%4 != 0, Count: rtcp.FormatTCC, Type: rtcp.TypeTransportSpecificFeedback, Length: uint16(size/4 - 1)}
	b, err := p.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	return b
}

// FuzzFeedback takes whatever the other side may claim.
func FuzzFeedback(f *testing.F) {
	run := func(symbol, n uint16) rtcp.PacketStatusChunk {
		return &rtcp.RunLengthChunk{PacketStatusSymbol: symbol, RunLength: n}
	}
	small := func(us int64) *rtcp.RecvDelta {
		return &rtcp.RecvDelta{Type: rtcp.TypeTCCPacketReceivedSmallDelta, Delta: us}
	}
	large := func(us int64) *rtcp.RecvDelta {
		return &rtcp.RecvDelta{Type: rtcp.TypeTCCPacketReceivedLargeDelta, Delta: us}
	}
	f.Add(report(f, rtcp.TransportLayerCC{
		BaseSequenceNumber: 10, PacketStatusCount: 3, ReferenceTime: 5,
		PacketChunks: []rtcp.PacketStatusChunk{run(rtcp.TypeTCCPacketReceivedSmallDelta, 3)},
		RecvDeltas:   []*rtcp.RecvDelta{small(250), small(0), small(500)},
	}), uint8(10))
	f.Add(report(f, rtcp.TransportLayerCC{ // backwards in time
		BaseSequenceNumber: 0, PacketStatusCount: 3, ReferenceTime: 1 << 23,
		PacketChunks: []rtcp.PacketStatusChunk{run(rtcp.TypeTCCPacketReceivedLargeDelta, 3)},
		RecvDeltas:   []*rtcp.RecvDelta{large(-8_000_000), large(-8_000_000), large(8_000_000)},
	}), uint8(1))
	f.Add(report(f, rtcp.TransportLayerCC{ // numbers that were never sent
		BaseSequenceNumber: 40000, PacketStatusCount: 2,
		PacketChunks: []rtcp.PacketStatusChunk{run(rtcp.TypeTCCPacketReceivedSmallDelta, 2)},
		RecvDeltas:   []*rtcp.RecvDelta{small(0), small(0)},
	}), uint8(100))
	all := rtcp.TransportLayerCC{BaseSequenceNumber: 7, PacketStatusCount: 65535}
	for range 8 {
		all.PacketChunks = append(all.PacketChunks, run(rtcp.TypeTCCPacketNotReceived, 8191))
	}
	f.Add(report(f, all), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, pause uint8) {
		c := New(testBounds)
		var r reader
		now, seq := time.Duration(0), uint16(65000)
		for range 40 {
			for range 25 {
				now += time.Millisecond * time.Duration(pause)
				var id uint32
				if p, ok := c.NextProbe(now); ok {
					id = p.ID
				}
				c.Sent(now, seq, 1200, id)
				c.EndProbe(now, id)
				seq++
			}
			var p rtcp.TransportLayerCC
			if p.Unmarshal(data) != nil {
				return
			}
			p.BaseSequenceNumber += seq
			p.ReferenceTime += uint32(now / referenceUnit)
			c.Feedback(now, r.read(&p))
			if got := c.Estimate(); got < testBounds.Min || got > testBounds.Max {
				t.Fatalf("%d bit/s is out of bounds", got)
			}
			if l := c.Loss(); !(l >= 0 && l <= 1) {
				t.Fatalf("loss of %v", l)
			}
		}
		if cap(r.report) > 1<<17 {
			t.Fatalf("room for %d statuses is kept", cap(r.report))
		}
	})
}

func TestReferenceTimeWraps(t *testing.T) {
	var r reader
	one := func(reference uint32) time.Duration {
		got := r.read(&rtcp.TransportLayerCC{
			PacketStatusCount: 1, ReferenceTime: reference,
			PacketChunks: []rtcp.PacketStatusChunk{&rtcp.RunLengthChunk{PacketStatusSymbol: rtcp.TypeTCCPacketReceivedSmallDelta, RunLength: 1}},
			RecvDeltas:   []*rtcp.RecvDelta{{Type: rtcp.TypeTCCPacketReceivedSmallDelta, Delta: 1000}},
		})
		return got[0].At
	}
	before := one(1<<24 - 1)
	if d := one(0) - before; d != referenceUnit {
		t.Errorf("the reference time went on by %v, want %v", d, referenceUnit)
	}
}
