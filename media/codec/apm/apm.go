//go:build !noapm

package apm

// #include "apm.h"
import "C"

import (
	"errors"
	"fmt"

	"parley/media"
)

// apm is WebRTC's audio processing: noise, level, rumble, and whether that is a voice. Its
// echo canceller stays off; ours keeps more of who speaks at the same time.
type apm struct {
	c     *C.apm
	voice C.int // of the last block; here, as a variable of process it would be allocated
}

func newAPM() (*apm, error) {
	c := C.apm_new()
	if c == nil {
		return nil, errors.New("open audio processing: out of memory")
	}
	return &apm{c: c}, nil
}

// configure returns ErrUnsupported for what this build cannot do: nothing.
func (a *apm) configure(cfg media.AudioProcessing) error {
	flags := C.int(C.APM_VOICE)
	for flag, on := range map[C.int]bool{C.APM_NOISE: cfg.Noise, C.APM_GAIN: cfg.Gain, C.APM_HIGH_PASS: cfg.HighPass} {
		if on {
			flags |= flag
		}
	}
	return apmError("configure", C.apm_configure(a.c, flags))
}

// cancelEcho leaves the echo to the library, and all else as it is; far has to be told what is played.
func (a *apm) cancelEcho() error {
	return apmError("configure", C.apm_configure(a.c, C.APM_ECHO))
}

// far takes a block of what is played.
func (a *apm) far(pcm []int16) error {
	return apmError("echo", C.apm_far(a.c, (*C.int16_t)(&pcm[0])))
}

func (a *apm) process(pcm []int16) (media.Voice, error) {
	if err := apmError("process sound", C.apm_process(a.c, (*C.int16_t)(&pcm[0]), &a.voice)); err != nil {
		return media.VoiceUnknown, err
	}
	switch a.voice {
	case 0:
		return media.VoiceAbsent, nil
	case 1:
		return media.VoicePresent, nil
	}
	return media.VoiceUnknown, nil
}

func (a *apm) close() { C.apm_free(a.c) }

func apmError(action string, code C.int) error {
	if code == 0 {
		return nil
	}
	return fmt.Errorf("%s: WebRTC audio processing error %d", action, int(code))
}
