package pipe

import "time"

// AudioStats is what an AudioReceiver has seen since it was made. Counts only grow, but for
// Concealed, which goes back when what looked like an outage turns out to have been silence.
type AudioStats struct {
	Packets    uint64 // taken into the jitter buffer
	Bytes      uint64 // of their payload
	Lost       uint64 // not there when they were due, whether repaired or not
	Late       uint64 // came after that
	Duplicated uint64 // came twice, or after a copy of them was played
	// Lost, and heard all the same, in all and by which means: a copy that came with a
	// later packet (RED), one sent again when asked for (NACK), in-band FEC.
	Repaired, RepairedRED, RepairedNACK, RepairedFEC uint64

	RedDepth    int           // earlier packets that came with the newest
	Asked       uint64        // packets asked for again, each time counted
	Discarded   uint64        // rubbish: empty, oversized, of no stream, or not decodable
	Dropped     uint64        // good ones the jitter buffer had no room or no time for
	Resets      uint64        // the stream or its clock began anew
	Underruns   uint64        // times that the buffer was empty while sound was expected
	Total       uint64        // samples handed out since the first packet
	Concealed   uint64        // samples of those that were made up
	Shrunk      uint64        // samples cut out to shorten the delay
	Stretched   uint64        // samples put in to lengthen it
	Jitter      time.Duration // interarrival jitter (RFC 3550, appendix A.8)
	Delay       time.Duration // from a packet that met no queue to its being heard, now
	TargetDelay time.Duration // what Delay is steered to, extra delay included
}

// ConcealedPercent is the share of the sound that was made up, 0 to 100.
func (s AudioStats) ConcealedPercent() float64 {
	if s.Total == 0 {
		return 0
	}
	return 100 * float64(s.Concealed) / float64(s.Total)
}
