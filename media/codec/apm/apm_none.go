//go:build noapm

package apm

import (
	"fmt"

	"parley/media"
)

// apm replaces WebRTC's audio processing in builds without it: sound passes unchanged.
type apm struct{}

func newAPM() (*apm, error) { return &apm{}, nil }

func (*apm) configure(cfg media.AudioProcessing) error {
	if cfg.Noise || cfg.Gain || cfg.HighPass {
		return fmt.Errorf("noise suppression, gain control and high-pass filter: %w", media.ErrUnsupported)
	}
	return nil
}

func (*apm) process([]int16) (media.Voice, error) { return media.VoiceUnknown, nil }
func (*apm) close()                               {}
