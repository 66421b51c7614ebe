package pipe

import "parley/media"

// A rung is a picture height and the bit rates, in bit/s at 30 fps, between which a camera
// looks better at it than at its neighbours. The rungs overlap so that an estimate that
// wanders does not make the picture jump. The rates follow libwebrtc's
// (video/config/simulcast.cc) for VP8.
type rung struct{ height, down, up int }

var ladder = []rung{
	{180, 0, 300_000},
	{360, 200_000, 900_000},
	{720, 650_000, 1 << 30},
}

// maxBitRate is the most that is spent on a camera at the ladder's top, in bit/s.
const maxBitRate = 2_500_000

// minBitRate is what a camera gets at the least; below it no picture is worth sending.
const minBitRate = 60_000

// screenBitRate is the most that is spent on a screen, in bit/s.
const screenBitRate = 4_000_000

// configFor chooses the encoder's settings for a frame: the size by the rate that the
// network gives, starting from what it is now, and never larger than the frame or than
// anybody shows it.
func configFor(t VideoTarget, f *media.Frame, now media.VideoConfig) media.VideoConfig {
	c := media.VideoConfig{
		Codec: media.VP8, Width: f.Width, Height: f.Height,
		BitRate: min(max(t.BitRate, minBitRate), maxBitRate), FrameRate: t.FrameRate,
	}
	if t.Screen {
		c.Screen = true
		c.BitRate = min(max(t.BitRate, minBitRate), screenBitRate)
		c.Width, c.Height = even(f.Width), even(f.Height)
		return c
	}
	height := ladderHeight(c.BitRate, now)
	if t.Max.H > 0 {
		height = min(height, rungAbove(max(t.Max.H, t.Max.W*f.Height/f.Width)))
	}
	short := min(f.Width, f.Height) // a portrait camera climbs the same ladder
	if short > height {
		c.Width, c.Height = f.Width*height/short, f.Height*height/short
	}
	c.Width, c.Height = even(c.Width), even(c.Height)
	// A small picture does not get better above the rate at which the next one starts.
	if short := min(c.Width, c.Height); short <= 180 {
		c.BitRate = min(c.BitRate, 350_000)
	} else if short <= 360 {
		c.BitRate = min(c.BitRate, 1_000_000)
	}
	return c
}

func ladderHeight(rate int, now media.VideoConfig) int {
	current := 0
	for i, r := range ladder {
		if min(now.Width, now.Height) >= r.height {
			current = i
		}
	}
	if now.Width == 0 {
		current = len(ladder) - 1
	}
	for current > 0 && rate < ladder[current].down {
		current--
	}
	for current < len(ladder)-1 && rate >= ladder[current].up {
		current++
	}
	return ladder[current].height
}

// rungAbove is the lowest rung at which a picture shown h pixels high is not blown up by
// more than a quarter.
func rungAbove(h int) int {
	for _, r := range ladder {
		if r.height*5/4 >= h {
			return r.height
		}
	}
	return ladder[len(ladder)-1].height
}

// even rounds down to a whole number of chroma samples, at least one.
func even(n int) int { return max(n&^1, 2) }
