package apm

// #cgo CFLAGS: -O3
// #cgo LDFLAGS: -lm
// #include "echo.h"
import "C"

import (
	"errors"

	"parley/media"
)

// maxPlayed bounds what far takes, in samples.
const maxPlayed = C.ECHO_FAR

// echo is the echo canceller of echo.h.
type echo struct{ c *C.echo }

func newEcho() (*echo, error) {
	c := C.echo_new()
	if c == nil {
		return nil, errors.New("open echo canceller: out of memory")
	}
	return &echo{c}, nil
}

func (e *echo) reset()           { C.echo_reset(e.c) }
func (e *echo) shift(blocks int) { C.echo_shift(e.c, C.int(blocks)) }
func (e *echo) near(pcm []int16) { C.echo_near(e.c, (*C.int16_t)(&pcm[0])) }
func (e *echo) close()           { C.echo_free(e.c) }

// wants is how many samples far takes.
func (e *echo) wants() int { return min(int(C.echo_wants(e.c)), maxPlayed) }

func (e *echo) far(pcm []int16, heard bool) {
	if heard && len(pcm) > 0 {
		C.echo_far(e.c, (*C.int16_t)(&pcm[0]), C.int(len(pcm)))
	} else {
		C.echo_far(e.c, nil, C.int(len(pcm)))
	}
}

func (e *echo) stats(s *media.AudioProcessorStats) {
	s.Delay = float64(C.echo_delay(e.c)) * 10
	s.Drift = float64(C.echo_drift(e.c)) * 1e6
	s.Enhanced = float64(C.echo_enhanced(e.c))
}
