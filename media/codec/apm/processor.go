// Package apm takes echo, noise and uneven levels out of a microphone's sound.
package apm

import (
	"errors"
	"fmt"
	"sync"

	"parley/media"
)

// processor implements media.AudioProcessor: our echo canceller, then WebRTC's processing.
type processor struct {
	far playback

	mu     sync.Mutex // guards what follows; Played does not wait for it
	cfg    media.AudioProcessing
	echo   *echo
	apm    *apm
	played [maxPlayed]int16
	closed bool
}

var errProcessorClosed = errors.New("audio processor is closed")

// New makes a processor. What this build cannot do is left out without an error; Configure reports it.
func New(cfg media.AudioProcessing) (media.AudioProcessor, error) {
	e, err := newEcho()
	if err != nil {
		return nil, err
	}
	a, err := newAPM()
	if err != nil {
		e.close()
		return nil, err
	}
	p := &processor{echo: e, apm: a}
	if err := p.Configure(cfg); err != nil && !errors.Is(err, media.ErrUnsupported) {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *processor) Configure(cfg media.AudioProcessing) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return fmt.Errorf("configure: %w", errProcessorClosed)
	}
	if cfg.Echo && !p.cfg.Echo {
		p.echo.reset()
	}
	p.cfg = cfg
	return p.apm.configure(cfg)
}

func (p *processor) Played(pcm []int16) error {
	if len(pcm) != media.BlockSamples*media.SpeakerChannels {
		return fmt.Errorf("sound played: %d samples, not %d: %w", len(pcm), media.BlockSamples*media.SpeakerChannels, media.ErrFormat)
	}
	p.far.put(pcm)
	return nil
}

func (p *processor) Process(pcm []int16) (media.Voice, error) {
	if len(pcm) != media.BlockSamples {
		return media.VoiceUnknown, fmt.Errorf("process sound: %d samples, not %d: %w", len(pcm), media.BlockSamples, media.ErrFormat)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return media.VoiceUnknown, fmt.Errorf("process sound: %w", errProcessorClosed)
	}
	p.follow()
	if p.cfg.Echo {
		p.echo.near(pcm)
	}
	if p.cfg == (media.AudioProcessing{}) {
		return media.VoiceUnknown, nil
	}
	return p.apm.process(pcm)
}

// follow feeds the canceller with what was played.
func (p *processor) follow() {
	if !p.cfg.Echo {
		p.far.take(p.played[:media.BlockSamples])
		return
	}
	played := p.played[:p.echo.wants()]
	shift, heard := p.far.take(played)
	if shift != 0 {
		p.echo.shift(shift)
	}
	p.echo.far(played, heard)
}

func (p *processor) Skip() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return fmt.Errorf("skip sound: %w", errProcessorClosed)
	}
	p.follow()
	return nil
}

func (p *processor) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.far.reset()
	p.echo.reset()
}

func (p *processor) Stats() media.AudioProcessorStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	var s media.AudioProcessorStats
	if !p.closed && p.cfg.Echo {
		p.echo.stats(&s)
	}
	p.far.mu.Lock()
	defer p.far.mu.Unlock()
	s.Late, s.Dropped = p.far.late, p.far.dropped
	return s
}

func (p *processor) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		p.echo.close()
		p.apm.close()
	}
	return nil
}
