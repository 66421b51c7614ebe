package codec

// #cgo CFLAGS: -O3
// #cgo LDFLAGS: -lm
// #include "echo.h"
import "C"

import (
	"errors"

	"parley/media"
)

// echo is the echo canceller of echo.c.
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

func (e *echo) far(pcm []int16, heard bool) {
	if heard {
		C.echo_far(e.c, (*C.int16_t)(&pcm[0]))
	} else {
		C.echo_far(e.c, nil)
	}
}

func (e *echo) stats(s *media.AudioProcessorStats) {
	s.Delay = float64(C.echo_delay(e.c)) * 10
	s.Enhanced = float64(C.echo_enhanced(e.c))
}
