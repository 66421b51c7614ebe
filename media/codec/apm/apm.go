//go:build !noapm

package apm

// #include "apm.h"
import "C"

import (
	"errors"
	"fmt"

	"parley/media"
)

// apm is WebRTC's audio processing: noise suppression, gain, high-pass and voice activity. Its echo
// canceller stays off: docs/decisions/echo.md.
type apm struct {
	c     *C.apm
	voice C.int // of the last block; a field, because as a local variable it would be allocated
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

// cancelEcho turns on the library's echo canceller and nothing else, for comparisons; far takes what is
// played.
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
