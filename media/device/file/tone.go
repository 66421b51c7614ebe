package file

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"parley/media"
)

// tone is microphone `tone`: a sine whose media.Level is -20 dBFS.
type tone struct{ hz float64 }

const (
	toneHz    = 440.0
	toneLevel = -20.0
)

func openTone(spec string) (*tone, error) {
	_, arg, ok := strings.Cut(spec, ":")
	if !ok {
		return &tone{hz: toneHz}, nil
	}
	hz, err := strconv.ParseFloat(arg, 64)
	if err != nil || !(hz >= 20 && hz <= 20000) {
		return nil, fmt.Errorf("open microphone %q: write tone, or tone:HZ with 20 to 20000: %w", spec, media.ErrFormat)
	}
	return &tone{hz: hz}, nil
}

func (t *tone) Info() media.AudioInfo {
	return media.AudioInfo{Device: media.Device{Kind: media.Microphone, ID: media.SpecTone, Name: "Tone"}}
}

// Run implements media.AudioSource.
func (t *tone) Run(ctx context.Context, emit func(media.Audio)) error {
	amplitude := 32767 * math.Sqrt2 * math.Pow(10, toneLevel/20)
	step := 2 * math.Pi * t.hz / media.SampleRate
	var phase float64
	return paceAudio(ctx, emit, func(pcm []int16) error {
		for i := range pcm {
			pcm[i] = int16(math.Round(amplitude * math.Sin(phase)))
			if phase += step; phase > 2*math.Pi {
				phase -= 2 * math.Pi
			}
		}
		return nil
	})
}

func (t *tone) Close() error { return nil }
