package pulse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/gen2brain/malgo"

	"parley/media"
)

// Supervision of an open device. miniaudio does not report that a PulseAudio stream has lost its device, so we check.
const (
	audioCheck = 300 * time.Millisecond // how often
	audioStall = 5 * time.Second        // without a block, the device is dead; a Bluetooth one may take 3 s to start
	audioGrace = 3 * time.Second        // how long a default device may be missing (the server restarts)
)

// audioStream is an open microphone or speaker. With the spec default it follows the system's default
// device.
type audioStream struct {
	sys  *Driver
	kind media.Kind
	spec string
	log  *slog.Logger

	calls atomic.Int64 // of the device's callback

	dataMu sync.Mutex // held by a callback: each device has a thread of its own
	data   func(out, in []int16)

	mu     sync.Mutex // guards open and closed
	open   *audioOpen // nil while the device is changed and after Close
	closed bool
	about  media.Device
}

func (a *Driver) openStream(kind media.Kind, spec string) (*audioStream, error) {
	s := &audioStream{sys: a, kind: kind, spec: spec, log: a.log}
	if err := s.reopen(); err != nil {
		return nil, err
	}
	return s, nil
}

// callback runs on the device's thread.
func (s *audioStream) callback(out, in []byte, _ uint32) {
	s.calls.Add(1)
	s.dataMu.Lock()
	defer s.dataMu.Unlock()
	s.data(samples(out), samples(in))
}

// samples views b as 16-bit samples in native byte order, as miniaudio delivers them.
func samples(b []byte) []int16 {
	if len(b) < 2 {
		return nil
	}
	return unsafe.Slice((*int16)(unsafe.Pointer(&b[0])), len(b)/2)
}

func (s *audioStream) reopen() error {
	o, err := s.sys.open(s.kind, s.spec, malgo.DataProc(s.callback))
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.sys.closeDevice(o)
		return fmt.Errorf("open %s: closed", s.kind)
	}
	s.open, s.about = o, o.about
	return nil
}

// drop closes the device and keeps the stream.
func (s *audioStream) drop() {
	s.mu.Lock()
	o := s.open
	s.open = nil
	s.mu.Unlock()
	if o != nil {
		s.sys.closeDevice(o)
	}
}

// Close implements media.AudioSource and media.AudioSink.
func (s *audioStream) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.drop()
	return nil
}

// Info implements media.AudioSource and media.AudioSink.
func (s *audioStream) Info() media.AudioInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return media.AudioInfo{Device: s.about}
}

func (s *audioStream) following() bool { return s.spec == media.SpecDefault || s.spec == "" }

// run plays or captures through data until ctx ends or the device is lost.
func (s *audioStream) run(ctx context.Context, data func(out, in []int16)) error {
	defer s.Close()
	s.dataMu.Lock()
	s.data = data
	s.dataMu.Unlock()
	for {
		err := s.runDevice(ctx)
		s.drop()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !s.following() {
			return err
		}
		s.log.Info("sound device changes", "kind", s.kind.String(), "cause", err)
		if err := s.recover(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// recover opens the present default device. If there is none, it waits for one.
func (s *audioStream) recover(ctx context.Context) error {
	deadline := time.Now().Add(audioGrace)
	tick := time.NewTicker(audioCheck)
	defer tick.Stop()
	for {
		err := s.reopen()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("reopen %s: %w: %w", s.kind, media.ErrLost, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// runDevice starts the open device. It returns nil when ctx ends or another device has become the default, and ErrLost
// when the device has gone.
func (s *audioStream) runDevice(ctx context.Context) error {
	s.mu.Lock()
	o := s.open
	s.mu.Unlock()
	if o == nil {
		return fmt.Errorf("run %s: closed", s.kind)
	}
	if err := o.device.Start(); err != nil {
		return fmt.Errorf("start %s %q: %w: %w", s.kind, o.about.Name, media.ErrLost, err)
	}
	tick := time.NewTicker(audioCheck)
	defer tick.Stop()
	calls, alive := s.calls.Load(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		want, err := s.sys.choose(s.kind, s.spec)
		if err == nil && want.ID != o.about.ID {
			return nil
		}
		if err != nil && errors.Is(err, media.ErrNoDevice) || s.sys.stale(o) {
			return fmt.Errorf("%s %q: %w", s.kind, o.about.Name, media.ErrLost)
		}
		now := time.Now()
		if n := s.calls.Load(); n != calls {
			calls, alive = n, now
		} else if now.Sub(alive) > audioStall {
			return fmt.Errorf("%s %q delivers nothing: %w", s.kind, o.about.Name, media.ErrLost)
		}
	}
}

// microphone cuts a device's samples into blocks.
type microphone struct{ *audioStream }

// OpenMicrophone opens the microphone that spec means.
func (a *Driver) OpenMicrophone(spec string) (media.AudioSource, error) {
	s, err := a.openStream(media.Microphone, spec)
	if err != nil {
		return nil, err
	}
	return microphone{s}, nil
}

// Run implements media.AudioSource. emit runs on the device's thread.
func (m microphone) Run(ctx context.Context, emit func(media.Audio)) error {
	var clock audioClock
	block := make([]int16, 0, media.BlockSamples)
	return m.run(ctx, func(_, in []int16) {
		now := time.Now()
		for len(in) > 0 {
			n := copy(block[len(block):cap(block)], in)
			block, in = block[:len(block)+n], in[n:]
			if len(block) < cap(block) {
				return
			}
			// The samples in the block, and those that follow it in the callback, were captured before now.
			ago := time.Duration(len(block)+len(in)) * time.Second / media.SampleRate
			emit(media.Audio{PCM: block, Channels: 1, Captured: clock.block(now.Add(-ago))})
			block = block[:0]
		}
	})
}

// audioClock removes the callbacks' jitter from the times of blocks. A callback is never early. So blocks
// are 10 ms apart; an earlier measurement is taken at once, and a later one is followed slowly, which is
// enough for the drift between two clocks.
type audioClock struct{ next time.Time }

const (
	clockPull = 200                    // 1/clockPull of a lateness is followed with each block
	clockJump = 300 * time.Millisecond // a larger lateness is a gap, not jitter
)

func (c *audioClock) block(measured time.Time) time.Time {
	t := measured
	if late := measured.Sub(c.next); late > 0 && late < clockJump {
		t = c.next.Add(late / clockPull)
	}
	c.next = t.Add(media.BlockDuration)
	return t
}

// speaker plays blocks on a device.
type speaker struct{ *audioStream }

// OpenSpeaker opens the speaker that spec means.
func (a *Driver) OpenSpeaker(spec string) (media.AudioSink, error) {
	s, err := a.openStream(media.Speaker, spec)
	if err != nil {
		return nil, err
	}
	return speaker{s}, nil
}

// Run implements media.AudioSink. fill runs on the device's thread.
func (p speaker) Run(ctx context.Context, fill func(pcm []int16)) error {
	block := make([]int16, media.BlockSamples*media.SpeakerChannels)
	var rest []int16 // of block, not played yet
	return p.run(ctx, func(out, _ []int16) {
		for len(out) > 0 {
			if len(rest) == 0 {
				fill(block)
				rest = block
			}
			n := copy(out, rest)
			out, rest = out[n:], rest[n:]
		}
	})
}
