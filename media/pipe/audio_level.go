package pipe

import (
	"math"
	"sync/atomic"

	"parley/media"
)

const (
	// speakOn is the level, in dBFS, above which a quiet room's sound is a voice.
	speakOn = -45.0
	// speakAboveFloor is how far, in dB, a voice stands out of a noisy room.
	speakAboveFloor = 10.0
	// speakHysteresis, in dB, keeps a voice that falls a little from flickering.
	speakHysteresis = 6.0
	// speakHang, in blocks of 10 ms, bridges the gaps between words: 400 ms.
	speakHang = 40
	// The noise floor is believed to lie between these, in dBFS. The upper bound keeps a
	// steady tone or music from becoming its own floor.
	floorMin, floorMax = -75.0, -40.0
	// floorRise is how fast, in dB a block, the floor follows a room that became noisier.
	floorRise = 0.02
	// meterFall is how fast, in dB a block, a level meter falls: 100 dB/s.
	meterFall = 1.0
)

// voiceMeter follows the level of one voice and decides whether somebody speaks. update is
// for one goroutine; level and speaking are for any.
type voiceMeter struct {
	floor   float64
	hang    int
	current float64
	shown   atomic.Uint64 // math.Float64bits of the meter, dBFS
	on      atomic.Bool
}

func (v *voiceMeter) init() {
	v.floor, v.current = -60, media.LevelFloor
	v.shown.Store(math.Float64bits(media.LevelFloor))
}

// update takes the level of the next 10 ms in dBFS, and whether that is a voice, if anybody
// knows: noise that is none does not begin a speech, however loud.
func (v *voiceMeter) update(level float64, voice media.Voice) {
	v.current = max(level, v.current-meterFall, media.LevelFloor)
	v.shown.Store(math.Float64bits(v.current))
	if level < v.floor {
		v.floor += (level - v.floor) * 0.1
	} else {
		v.floor += floorRise
	}
	v.floor = min(max(v.floor, floorMin), floorMax)

	threshold := max(speakOn, v.floor+speakAboveFloor)
	speaking := v.on.Load()
	switch {
	case level > threshold && voice != media.VoiceAbsent, speaking && level > threshold-speakHysteresis:
		v.hang = speakHang
	case v.hang > 0:
		v.hang--
	}
	if now := v.hang > 0; now != speaking {
		v.on.Store(now)
	}
}

// stop is the end of the sound: the meter does not stay where it was.
func (v *voiceMeter) stop() {
	v.hang, v.current = 0, media.LevelFloor
	v.shown.Store(math.Float64bits(media.LevelFloor))
	v.on.Store(false)
}

func (v *voiceMeter) level() float64 { return math.Float64frombits(v.shown.Load()) }
func (v *voiceMeter) speaking() bool { return v.on.Load() }

// fade multiplies pcm, n interleaved channels, by a gain that moves in a straight line.
func fade(pcm []int16, channels int, from, to float32) {
	if from == 1 && to == 1 {
		return
	}
	n := len(pcm) / channels
	step := (to - from) / float32(n)
	gain := from
	for i := range n {
		gain += step
		for c := range channels {
			pcm[i*channels+c] = int16(float32(pcm[i*channels+c]) * gain)
		}
	}
}
