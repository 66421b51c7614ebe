package congestion

import (
	"time"

	"github.com/pion/rtcp"
)

// Status is what one report says of one packet.
type Status struct {
	Seq      uint16 // transport-wide sequence number
	Received bool
	At       time.Duration // of arrival, by the other side's clock
}

// Reference times count 64 ms in 24 bits, deltas a unit of which rtcp has made microseconds
// (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1).
const (
	referenceUnit = 64 * time.Millisecond
	referenceBits = 24
	// reportKept is how many statuses the memory is kept for; a report may claim 65535.
	reportKept = 4096
)

// reader unpacks reports. It unwraps the reference time, which comes round every 12 days.
type reader struct {
	report []Status // reused
	base   int64    // in units of 64 ms
	begun  bool
}

// read returns the statuses of a report, in the order of their numbers; they are valid until
// the next call. What does not add up ends the list.
func (r *reader) read(p *rtcp.TransportLayerCC) []Status {
	const half = 1 << (referenceBits - 1)
	if !r.begun {
		r.begun, r.base = true, int64(p.ReferenceTime)
	} else {
		d := (int64(p.ReferenceTime) - r.base) & (1<<referenceBits - 1)
		if d >= half {
			d -= 1 << referenceBits
		}
		r.base += d
	}
	if cap(r.report) > reportKept {
		r.report = nil
	}
	r.report = r.report[:0]
	at := time.Duration(r.base) * referenceUnit
	seq, left, deltas := p.BaseSequenceNumber, int(p.PacketStatusCount), p.RecvDeltas
	add := func(symbol uint16) bool {
		if left == 0 {
			return false
		}
		s := Status{Seq: seq}
		switch symbol {
		case rtcp.TypeTCCPacketReceivedSmallDelta, rtcp.TypeTCCPacketReceivedLargeDelta:
			if len(deltas) == 0 || deltas[0] == nil {
				return false
			}
			at += time.Duration(deltas[0].Delta) * time.Microsecond
			deltas = deltas[1:]
			s.Received, s.At = true, at
		case rtcp.TypeTCCPacketReceivedWithoutDelta:
			// It arrived, but the report does not say when: leave it out.
			seq++
			left--
			return true
		}
		r.report = append(r.report, s)
		seq++
		left--
		return true
	}
	for _, chunk := range p.PacketChunks {
		switch c := chunk.(type) {
		case *rtcp.RunLengthChunk:
			for range c.RunLength {
				if !add(c.PacketStatusSymbol) {
					return r.report
				}
			}
		case *rtcp.StatusVectorChunk:
			for _, symbol := range c.SymbolList {
				if !add(symbol) {
					return r.report
				}
			}
		}
	}
	return r.report
}
