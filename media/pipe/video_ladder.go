package pipe

import (
	"encoding/binary"
	"fmt"

	"parley/media"
)

// A rung is a layer's picture height and the bit rates, in bit/s at 30 fps, between which a
// camera looks better at it than at its neighbours. The rungs overlap so that an estimate that
// wanders does not make the picture jump. Between 360 and 720 lines the rates follow libwebrtc's
// (video/config/simulcast.cc) for VP8. Between 180 and 360 they lie around what was measured: from 120 kbit/s
// on, a face at 640x360 is more like the original (SSIM). maxRate is where more bits are no longer seen.
type rung struct{ height, down, up, maxRate int }

var ladder = [layerCount]rung{
	{180, 0, 140_000, 350_000},
	{360, 100_000, 900_000, 1_000_000},
	{720, 650_000, 1 << 30, 2_500_000},
}

// minBitRate is what a picture gets at the least, in bit/s; below it none is worth sending.
const minBitRate = 60_000

// A screen is coded as it is up to this size, in pixels; beyond it is scaled down.
const maxScreenWidth, maxScreenHeight = 2560, 1440

// What members send is no larger than this, in pixels, longer side first; a sender scales down what is.
// A camera's shorter side is that of the highest rung, and the margin is for cameras of other programs.
var (
	MaxCamera = Size{1920, 1080}
	MaxScreen = Size{maxScreenWidth, maxScreenHeight}
)

// admits refuses the keyframe of a picture that is larger than s, before a decoder sets aside memory
// for it: one of 8192x8192 takes 430 MB. Only a keyframe changes the size (RFC 6386 section 9.1).
func (s Size) admits(vp8 []byte) error {
	const header, size = 10, 1<<14 - 1
	if len(vp8) < header || vp8[0]&1 != 0 {
		return nil // the decoder says what is wrong with it
	}
	w, h := int(binary.LittleEndian.Uint16(vp8[6:])&size), int(binary.LittleEndian.Uint16(vp8[8:])&size)
	if max(w, h) > s.W || min(w, h) > s.H {
		return fmt.Errorf("picture of %dx%d: %w", w, h, media.ErrCorrupt)
	}
	return nil
}

// screenBitRate is the most that is spent on a screen, in bit/s.
const screenBitRate = 4_000_000

// topRung is the layer in which a picture whose shorter side is short keeps its size, or the
// largest there is. A portrait camera climbs the same ladder.
func topRung(short int) int {
	for i, r := range ladder {
		if r.height >= short {
			return i
		}
	}
	return layerCount - 1
}

// affordable is the highest rung that rate pays for, coming from rung now; -1 is from nowhere.
func affordable(rate, now int) int {
	if now < 0 {
		now = layerCount - 1
	}
	for now > 0 && rate < ladder[now].down {
		now--
	}
	for now < layerCount-1 && rate >= ladder[now].up {
		now++
	}
	return now
}

// rungAbove is the lowest rung at which a picture shown with its shorter side short pixels long
// is not blown up by more than a quarter.
func rungAbove(short int) int {
	for i, r := range ladder {
		if r.height*5/4 >= short {
			return i
		}
	}
	return layerCount - 1
}

// rungSize is the size of a w by h picture on a rung.
func rungSize(w, h, rung int) Size {
	if short := min(w, h); short > ladder[rung].height {
		w, h = w*ladder[rung].height/short, h*ladder[rung].height/short
	}
	if long := max(w, h); long > MaxCamera.W {
		w, h = w*MaxCamera.W/long, h*MaxCamera.W/long
	}
	return Size{even(w), even(h)}
}

// screenSize is the size at which a w by h screen is coded.
func screenSize(w, h int) Size {
	if w > maxScreenWidth {
		w, h = maxScreenWidth, h*maxScreenWidth/w
	}
	if h > maxScreenHeight {
		w, h = w*maxScreenHeight/h, maxScreenHeight
	}
	return Size{even(w), even(h)}
}

// even rounds down to a whole number of chroma samples, at least one.
func even(n int) int { return max(n&^1, 2) }
