package pulse

import (
	"time"

	"parley/media"
)

const (
	// soundChannels is how many channels system sound has.
	soundChannels = 2
	// soundCushion is the jitter buffer of a program, in blocks.
	soundCushion = 3
	// soundMax is how many blocks of a program are queued at most. Older ones are dropped and counted.
	soundMax = 20
	// soundSilence is how long nothing may arrive before silence is inserted, with that delay.
	soundSilence = 50 * time.Millisecond
)

const soundBlock = media.BlockSamples * soundChannels

// soundMix mixes the sound of several programs. It arrives at the pace of the device that they play on: as soon as one
// of them has a block more than its jitter buffer, the next block of all is mixed. It is pure: the caller passes the
// time.
type soundMix struct {
	programs map[uint32]*soundQueue
	last     time.Time // of the last block
	dropped  int       // samples
}

// soundQueue is the sound of one program that is not mixed yet.
type soundQueue struct {
	pcm     []int16
	playing bool // its jitter buffer has been filled
}

// add queues a program's sound: interleaved 16 bit samples, little-endian.
func (m *soundMix) add(program uint32, data []byte) {
	q := m.programs[program]
	if q == nil {
		return
	}
	for ; len(data) >= 2; data = data[2:] {
		q.pcm = append(q.pcm, int16(uint16(data[0])|uint16(data[1])<<8))
	}
	if over := len(q.pcm) - soundMax*soundBlock; over > 0 {
		q.pcm = append(q.pcm[:0], q.pcm[over:]...)
		m.dropped += over
	}
}

// take writes the next block, if it is due.
func (m *soundMix) take(block []int16, now time.Time) bool {
	ready := false
	for _, q := range m.programs {
		if len(q.pcm) >= (soundCushion+1)*soundBlock {
			q.playing, ready = true, true
		}
	}
	switch late := now.Sub(m.last); {
	case ready:
		m.last = now
	case late > 4*soundSilence: // the first block, or after a sleep of the machine
		m.last = now.Add(-soundSilence)
	case late >= soundSilence+media.BlockDuration:
		m.last = m.last.Add(media.BlockDuration)
	default:
		return false
	}
	clear(block)
	for _, q := range m.programs {
		if !q.playing {
			continue
		}
		n := min(len(q.pcm), soundBlock)
		for i, v := range q.pcm[:n] {
			block[i] = int16(min(max(int(block[i])+int(v), -1<<15), 1<<15-1))
		}
		q.pcm = append(q.pcm[:0], q.pcm[n:]...)
		q.playing = n == soundBlock // after a pause the jitter buffer is filled again
	}
	return true
}
