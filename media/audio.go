package media

import (
	"math"
	"time"
)

// All audio in the program is signed 16-bit at 48 kHz, the rate of Opus (RFC 6716) and of
// nearly every device. Devices work in blocks of 10 ms, packets carry 20 ms.
const (
	SampleRate      = 48000
	BlockDuration   = 10 * time.Millisecond
	BlockSamples    = 480 // a channel
	PacketDuration  = 20 * time.Millisecond
	PacketSamples   = 960 // a channel
	SpeakerChannels = 2
)

// Audio is one block of sound.
type Audio struct {
	PCM      []int16 // BlockSamples*Channels samples, interleaved
	Channels int
	Captured time.Time // when its first sample was heard by the microphone
}

// LevelFloor is the lowest level that Level reports, in dBFS: digital silence of 16 bits,
// and also the lowest an RTP audio level header extension can say (RFC 6464: 127).
const LevelFloor = -96.0

// Level is the root mean square of pcm in dBFS, at least LevelFloor.
func Level(pcm []int16) float64 {
	if len(pcm) == 0 {
		return LevelFloor
	}
	var sum float64
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	rms := math.Sqrt(sum/float64(len(pcm))) / 32768
	if rms == 0 {
		return LevelFloor
	}
	return max(20*math.Log10(rms), LevelFloor)
}
