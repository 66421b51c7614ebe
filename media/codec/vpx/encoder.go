// Package vpx codes and decodes VP8 and VP9 with libvpx.
package vpx

// #cgo pkg-config: vpx
// #cgo CFLAGS: -O3
// #include "vpx.h"
import "C"

import (
	"fmt"
	"time"
	"unsafe"

	"parley/media"
	"parley/media/codec/yuv"
)

// The bit rates of an encoder are clamped to this range, in bit/s.
const (
	MinBitRate = 10_000
	maxBitRate = 500_000_000
)

const (
	// maxGap bounds the distance between two frames, in nominal intervals.
	maxGap = 4
	// clockInertia is how many frames the mean frame interval takes to follow a new rate.
	clockInertia = 8
)

type encoder struct {
	c      *C.vpxenc
	cfg    media.VideoConfig
	set    C.vpxenc_settings // what c was last told
	scaled *media.Frame      // scratch of the coded size
	key    bool              // a keyframe is owed
	upper  bool              // the next frame belongs to the upper temporal layer

	last     time.Time     // Captured of the frame before
	interval time.Duration // mean time between frames
	pts      time.Duration // the clock that libvpx sees
	buffer   time.Duration // rate control's, at most fullBuffer
	filled   time.Duration // pts at which the buffer last grew
}

// NewEncoder makes an encoder for cfg. Width and height run from 1 to media.MaxDimension
// pixels; the bit rate is at least MinBitRate. Anything else is media.ErrFormat.
func NewEncoder(cfg media.VideoConfig) (media.VideoEncoder, error) {
	e := &encoder{}
	if err := e.Configure(cfg); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *encoder) Configure(cfg media.VideoConfig) error {
	if err := e.check(cfg); err != nil {
		return fmt.Errorf("configure %s encoder: %w", cfg.Codec, err)
	}
	set := settings(cfg)
	if interval := nominalInterval(cfg.FrameRate); e.c == nil || interval != nominalInterval(e.cfg.FrameRate) {
		e.interval = interval
	}
	e.debt(int(e.set.kbps), int(set.kbps))
	set.buffer_ms = C.uint(e.buffer.Milliseconds())
	// libvpx cannot grow past its first size, starts its threads only once, and has had memory errors
	// when the size changed (CVE-2023-44488). So these changes need a new encoder.
	if e.c != nil && set.width == e.set.width && set.height == e.set.height && set.threads == e.set.threads {
		if err := e.apply(set); err != nil {
			return fmt.Errorf("configure %s encoder: %w", cfg.Codec, err)
		}
		e.cfg = cfg
		return nil
	}
	var c *C.vpxenc
	if rc := C.vpxenc_new(&c, &set); rc != C.VPX_CODEC_OK {
		return fmt.Errorf("open %s encoder of %dx%d: %w", cfg.Codec, cfg.Width, cfg.Height, vpxError(rc))
	}
	e.Close()
	e.c, e.cfg, e.set, e.key = c, cfg, set, true
	return nil
}

// apply passes changed settings on to the running libvpx.
func (e *encoder) apply(set C.vpxenc_settings) error {
	if set == e.set {
		return nil
	}
	if set.kbps < e.set.kbps {
		// Bits saved at the higher rate would be spent at once, at several times the lower rate.
		trim := set
		trim.trim = 1
		if rc := C.vpxenc_configure(e.c, &trim); rc != C.VPX_CODEC_OK {
			return vpxError(rc)
		}
	}
	if rc := C.vpxenc_configure(e.c, &set); rc != C.VPX_CODEC_OK {
		return vpxError(rc)
	}
	e.set = set
	return nil
}

func (e *encoder) check(cfg media.VideoConfig) error {
	switch {
	case cfg.Codec != media.VP8 && cfg.Codec != media.VP9:
		return fmt.Errorf("codec %q: %w", cfg.Codec, media.ErrFormat)
	case e.cfg.Codec != "" && cfg.Codec != e.cfg.Codec:
		return fmt.Errorf("codec was %s before: %w", e.cfg.Codec, media.ErrFormat)
	case cfg.Width < 1 || cfg.Height < 1 || cfg.Width > media.MaxDimension || cfg.Height > media.MaxDimension:
		return fmt.Errorf("size %dx%d: %w", cfg.Width, cfg.Height, media.ErrFormat)
	}
	return nil
}

// settings turns cfg into libvpx's terms.
func settings(cfg media.VideoConfig) C.vpxenc_settings {
	threads := cfg.Threads
	if threads <= 0 {
		threads = defaultThreads(cfg.Codec, cfg.Width*cfg.Height)
	}
	threads = min(threads, 16)
	set := C.vpxenc_settings{
		width: C.uint(cfg.Width), height: C.uint(cfg.Height),
		kbps:          C.uint((min(max(cfg.BitRate, MinBitRate), maxBitRate) + 500) / 1000),
		threads:       C.uint(threads),
		max_intra_pct: C.uint(maxIntra(cfg.FrameRate)),
	}
	if cfg.Screen {
		set.screen = 1
	}
	set.max_quantizer = defaultMaxQuantizer
	if cfg.MaxQuantizer > 0 {
		set.max_quantizer = C.uint(min(cfg.MaxQuantizer, 63))
	}
	if cfg.Temporal && cfg.Codec == media.VP8 {
		set.temporal = 1
	}
	if cfg.Codec == media.VP9 {
		set.vp9 = 1
		set.speed = C.int(min(max(cfg.Speed, 0), 9))
		if cfg.Speed <= 0 {
			set.speed = vp9Speed
		}
		// A tile column is at least 256 pixels wide (VP9 specification, MIN_TILE_WIDTH_B64).
		for 1<<(set.tile_columns+1) <= threads && cfg.Width>>(set.tile_columns+1) >= 256 {
			set.tile_columns++
		}
		return set
	}
	// For VP8 a negative cpu-used is a fixed speed; a positive one would follow the
	// clock, and give other pictures on a busy machine.
	set.speed = -C.int(min(cfg.Speed, 16))
	if cfg.Speed <= 0 {
		set.speed = -vp8Speed
	}
	return set
}

// defaultMaxQuantizer is WebRTC's: coarser is not worth looking at.
const defaultMaxQuantizer = 56

// The realtime defaults of cpu-used: for VP8 what WebRTC takes, for VP9 the speed whose
// pictures measure the same as at 8, for a quarter less time.
const (
	vp8Speed = 6
	vp9Speed = 9
)

// defaultThreads is one, but for large VP9 pictures. VP8's threads wait for each other
// spinning: on two busy cores a frame of 5 ms took 30 to 190 ms with a second thread.
func defaultThreads(codec media.Codec, pixels int) int {
	if codec == media.VP9 && pixels > 1280*720 {
		return 2
	}
	return 1
}

// maxIntra bounds a keyframe, in percent of the mean frame, to half of the optimal buffer
// (600 ms), as WebRTC does; but never below three mean frames.
func maxIntra(frameRate float64) int {
	const optimalBuffer = 0.6
	return max(int(optimalBuffer*0.5*min(frameRate, 240)*100), 300)
}

func (e *encoder) Encode(f *media.Frame, key bool) (*media.Packet, error) {
	if e.c == nil {
		return nil, fmt.Errorf("encode %s: encoder is closed", e.cfg.Codec)
	}
	if err := f.Check(); err != nil {
		return nil, fmt.Errorf("encode %s: %w", e.cfg.Codec, err)
	}
	src := f
	if f.Width != e.cfg.Width || f.Height != e.cfg.Height {
		if e.scaled == nil || e.scaled.Width != e.cfg.Width || e.scaled.Height != e.cfg.Height {
			e.scaled = media.NewFrame(e.cfg.Width, e.cfg.Height)
		}
		if err := yuv.Scale(e.scaled, f); err != nil {
			return nil, fmt.Errorf("encode %s: %w", e.cfg.Codec, err)
		}
		src = e.scaled
	}
	step := e.tick(f.Captured)
	if err := e.refill(); err != nil {
		return nil, fmt.Errorf("encode %s: %w", e.cfg.Codec, err)
	}
	e.key = e.key || key
	forced := C.int(0)
	if e.key {
		forced = 1
	}
	upper := e.upper && e.set.temporal == 1 && !e.key
	temporal := C.int(0)
	if upper {
		temporal = 1
	}
	rc := C.vpxenc_encode(e.c, planePtr(src.Y), planePtr(src.U), planePtr(src.V), C.int(src.YStride), C.int(src.UVStride),
		C.int64_t(e.pts.Microseconds()), C.uint64_t(step.Microseconds()), forced, temporal)
	if rc != C.VPX_CODEC_OK {
		return nil, fmt.Errorf("encode %s: %w", e.cfg.Codec, vpxError(rc))
	}
	e.upper = !upper
	p := e.packet(f.Captured)
	if p != nil {
		p.Droppable = upper && !p.Key
	}
	return p, nil
}

// packet collects libvpx's output for the last frame: nil when rate control dropped it.
func (e *encoder) packet(captured time.Time) *media.Packet {
	p := &media.Packet{Codec: e.cfg.Codec, Width: e.cfg.Width, Height: e.cfg.Height, Captured: captured}
	for {
		var size C.size_t
		var key C.int
		data := C.vpxenc_next(e.c, &size, &key)
		if data == nil {
			break
		}
		p.Data = append(p.Data, unsafe.Slice((*byte)(unsafe.Pointer(data)), int(size))...)
		p.Key = p.Key || key != 0
	}
	if len(p.Data) == 0 {
		return nil
	}
	if p.Key {
		e.key = false
	}
	return p
}

// Rate control keeps a leaky bucket and likes it to hold fullBuffer's worth of bits, as in
// WebRTC. libvpx counts in bits: after a step up it finds the bucket nearly empty and
// fills it first, which starves the picture for seconds, by half at a step of seven. So the
// bucket shrinks with the step, down to minBuffer, and grows back by refillRate.
const (
	fullBuffer = 600 * time.Millisecond
	minBuffer  = 80 * time.Millisecond
	refillRate = 0.03 // of the bit rate
	refillStep = 10 * time.Millisecond
)

// debt shrinks the buffer for a bit rate that steps from old to kbps.
func (e *encoder) debt(old, kbps int) {
	switch {
	case old == 0:
		e.buffer = fullBuffer
	case kbps > old:
		e.buffer = max(e.buffer*time.Duration(old)/time.Duration(kbps), minBuffer)
	}
}

// refill grows the buffer back, a step at a time.
func (e *encoder) refill() error {
	if e.buffer >= fullBuffer {
		e.filled = e.pts
		return nil
	}
	if float64(e.pts-e.filled)*refillRate < float64(refillStep) {
		return nil
	}
	e.filled = e.pts
	e.buffer = min(e.buffer+refillStep, fullBuffer)
	set := e.set
	set.buffer_ms = C.uint(e.buffer.Milliseconds())
	return e.apply(set)
}

// tick moves the encoder's clock on to a frame captured at t and returns by how much.
//
// libvpx derives the frame rate from the distance of the last two time stamps alone: a frame that
// is 130 ms late gets thirty times the bits of its neighbours. So its clock runs at the mean distance
// of the last frames, which starts at the configured one. This follows a camera that slows down in
// the dark, and ignores jitter and pauses.
func (e *encoder) tick(t time.Time) time.Duration {
	if !t.IsZero() {
		if !e.last.IsZero() {
			gap := min(max(t.Sub(e.last), 0), maxGap*nominalInterval(e.cfg.FrameRate))
			e.interval = max(e.interval+(gap-e.interval)/clockInertia, time.Millisecond)
		}
		e.last = t
	}
	e.pts += e.interval
	return e.interval
}

// nominalInterval is the time between frames at frameRate, 30 if it is not given.
func nominalInterval(frameRate float64) time.Duration {
	if frameRate <= 0 {
		frameRate = 30
	}
	return time.Duration(float64(time.Second) / min(max(frameRate, 0.1), 240))
}

// Close is idempotent.
func (e *encoder) Close() error {
	if e.c != nil {
		C.vpxenc_free(e.c)
		e.c = nil
		trim()
	}
	return nil
}

func planePtr(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))) }

// vpxError names a libvpx status.
func vpxError(rc C.vpx_codec_err_t) error {
	switch rc {
	case C.VPX_CODEC_CORRUPT_FRAME, C.VPX_CODEC_UNSUP_BITSTREAM:
		return fmt.Errorf("libvpx: %s: %w", C.GoString(C.vpx_codec_err_to_string(rc)), media.ErrCorrupt)
	case C.VPX_CODEC_UNSUP_FEATURE, C.VPX_CODEC_INVALID_PARAM:
		return fmt.Errorf("libvpx: %s: %w", C.GoString(C.vpx_codec_err_to_string(rc)), media.ErrFormat)
	}
	return fmt.Errorf("libvpx: %s", C.GoString(C.vpx_codec_err_to_string(rc)))
}
