// Package opus codes and decodes sound with libopus.
package opus

// #cgo pkg-config: opus
// #include "opusctl.h"
import "C"

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"parley/media"
)

const (
	// maxOpusPacket bounds a packet of one frame, in bytes (RFC 6716 section 3.4).
	maxOpusPacket = 1275
	// opusComplexity, 0 to 10, trades CPU for quality. 9 takes nearly twice the time of 5
	// and measures no better.
	opusComplexity = 5
	// Opus takes 500 to 512000 bit/s; below 6000 nothing is intelligible
	// (RFC 6716 section 2.1.1).
	minOpusRate, maxOpusRate = 6_000, 510_000
)

type encoder struct {
	c   *C.OpusEncoder
	cfg media.AudioConfig
}

// NewEncoder makes an Opus encoder. Another number of channels than 1 or 2 is
// media.ErrFormat; the bit rate is held to 6 to 510 kbit/s.
func NewEncoder(cfg media.AudioConfig) (media.AudioEncoder, error) {
	if cfg.Channels != 1 && cfg.Channels != 2 {
		return nil, fmt.Errorf("open Opus encoder for %d channels: %w", cfg.Channels, media.ErrFormat)
	}
	application := C.int(C.OPUS_APPLICATION_VOIP)
	if cfg.Music {
		application = C.OPUS_APPLICATION_AUDIO
	}
	var rc C.int
	e := &encoder{c: C.opus_encoder_create(media.SampleRate, C.int(cfg.Channels), application, &rc), cfg: cfg}
	if rc != C.OPUS_OK {
		return nil, fmt.Errorf("open Opus encoder: %w", opusError(rc))
	}
	if err := e.Configure(cfg); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

func (e *encoder) Configure(cfg media.AudioConfig) error {
	if e.c == nil {
		return errors.New("configure Opus encoder: it is closed")
	}
	if cfg.Channels != e.cfg.Channels {
		return fmt.Errorf("configure Opus encoder: %d channels, not %d: %w", cfg.Channels, e.cfg.Channels, media.ErrFormat)
	}
	if cfg.Music != e.cfg.Music {
		if rc := C.opusenc_application(e.c, flag(cfg.Music)); rc != C.OPUS_OK {
			return fmt.Errorf("configure Opus encoder: %w", opusError(rc))
		}
	}
	loss := int(math.Ceil(min(max(cfg.Loss, 0), 1) * 100))
	rate := min(max(cfg.BitRate, minOpusRate), maxOpusRate)
	if rc := C.opusenc_configure(e.c, C.int(rate), C.int(loss), flag(cfg.DTX), flag(cfg.Music), opusComplexity); rc != C.OPUS_OK {
		return fmt.Errorf("configure Opus encoder: %w", opusError(rc))
	}
	e.cfg = cfg
	return nil
}

func (e *encoder) Encode(dst []byte, pcm []int16) ([]byte, error) {
	if e.c == nil {
		return dst, errors.New("encode Opus: encoder is closed")
	}
	if len(pcm) != media.PacketSamples*e.cfg.Channels {
		return dst, fmt.Errorf("encode Opus: %d samples, not %d: %w", len(pcm), media.PacketSamples*e.cfg.Channels, media.ErrFormat)
	}
	dst = slices.Grow(dst, maxOpusPacket)
	out := dst[len(dst) : len(dst)+maxOpusPacket]
	n := C.opus_encode(e.c, samples(pcm), media.PacketSamples, (*C.uchar)(unsafe.SliceData(out)), maxOpusPacket)
	if n < 0 {
		return dst, fmt.Errorf("encode Opus: %w", opusError(C.int(n)))
	}
	return dst[:len(dst)+int(n)], nil
}

// Close is idempotent.
func (e *encoder) Close() error {
	if e.c != nil {
		C.opus_encoder_destroy(e.c)
		e.c = nil
	}
	return nil
}

type decoder struct {
	c        *C.OpusDecoder
	channels int
}

// NewDecoder makes an Opus decoder; another number of channels than 1 or 2 is
// media.ErrFormat. A stream of one channel decodes to two alike, and of two to their mean.
func NewDecoder(channels int) (media.AudioDecoder, error) {
	if channels != 1 && channels != 2 {
		return nil, fmt.Errorf("open Opus decoder for %d channels: %w", channels, media.ErrFormat)
	}
	var rc C.int
	d := &decoder{c: C.opus_decoder_create(media.SampleRate, C.int(channels), &rc), channels: channels}
	if rc != C.OPUS_OK {
		return nil, fmt.Errorf("open Opus decoder: %w", opusError(rc))
	}
	return d, nil
}

// Decode refuses packets of another duration than media.PacketDuration as ErrCorrupt.
func (d *decoder) Decode(pcm []int16, data []byte) error {
	if err := d.check(data); err != nil {
		return fmt.Errorf("decode Opus: %w", err)
	}
	return d.decode(pcm, data, false)
}

// Recover conceals when data carries no FEC.
func (d *decoder) Recover(pcm []int16, data []byte) error {
	if err := d.check(data); err != nil {
		return fmt.Errorf("recover Opus: %w", err)
	}
	return d.decode(pcm, data, true)
}

func (d *decoder) Conceal(pcm []int16) error { return d.decode(pcm, nil, false) }

func (d *decoder) check(data []byte) error {
	if len(data) == 0 {
		return fmt.Errorf("no data: %w", media.ErrCorrupt)
	}
	n := C.opus_packet_get_nb_samples((*C.uchar)(unsafe.SliceData(data)), C.opus_int32(len(data)), media.SampleRate)
	if n < 0 {
		return opusError(n)
	}
	if n != media.PacketSamples {
		return fmt.Errorf("packet of %d samples: %w", int(n), media.ErrCorrupt)
	}
	return nil
}

func (d *decoder) decode(pcm []int16, data []byte, fec bool) error {
	if d.c == nil {
		return errors.New("decode Opus: decoder is closed")
	}
	if len(pcm) < media.PacketSamples*d.channels {
		return fmt.Errorf("decode Opus: room for %d samples, not %d: %w", len(pcm), media.PacketSamples*d.channels, media.ErrFormat)
	}
	n := C.opus_decode(d.c, (*C.uchar)(unsafe.SliceData(data)), C.opus_int32(len(data)), samples(pcm), media.PacketSamples, flag(fec))
	if n < 0 {
		return fmt.Errorf("decode Opus: %w", opusError(n))
	}
	return nil
}

// Close is idempotent.
func (d *decoder) Close() error {
	if d.c != nil {
		C.opus_decoder_destroy(d.c)
		d.c = nil
	}
	return nil
}

func samples(pcm []int16) *C.opus_int16 {
	return (*C.opus_int16)(unsafe.Pointer(unsafe.SliceData(pcm)))
}

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

func opusError(rc C.int) error {
	text := C.GoString(C.opus_strerror(rc))
	switch rc {
	case C.OPUS_INVALID_PACKET:
		return fmt.Errorf("libopus: %s: %w", text, media.ErrCorrupt)
	case C.OPUS_BAD_ARG:
		return fmt.Errorf("libopus: %s: %w", text, media.ErrFormat)
	}
	return fmt.Errorf("libopus: %s", text)
}
