package call

import (
	"errors"
	"fmt"

	"parley/media"
	"parley/media/transport"
	"parley/signal"
)

// Sound is how the user wants the microphone processed.
type Sound struct {
	Noise    bool // remove steady noise
	Original bool // music: no processing, and a higher bit rate; Noise has no effect
}

// SetSound changes Sound at once.
type SetSound struct{ Sound }

func (SetSound) command() {}

// setSound is its effect.
type setSound struct{ sound Sound }

// original is the encoding of original sound: transparent mono (RFC 6716 section 2.1.1 recommends 48 to
// 64 kbit/s) with a margin, and without DTX, which would cut a fading note.
var original = media.AudioConfig{Channels: 1, BitRate: 96_000, Music: true}

// coding is the encoding of s over paths that ask for this.
func (s Sound) coding(p soundPaths) media.AudioConfig {
	cfg := voice
	if p.lean {
		cfg.BitRate = leanVoice
	}
	if s.Original {
		cfg = original
	}
	cfg.Loss = p.loss
	return cfg
}

// soundPaths is what the members' paths ask of the encoding of sound, which is one for all of them.
type soundPaths struct {
	loss float64 // that in-band FEC has to cover: the worst among members without RED
	lean bool    // a path is narrow
}

// unmeasured is assumed before anything is measured.
var unmeasured = soundPaths{loss: voice.Loss}

// next is what paths as measured ask for, after p.
func (p soundPaths) next(measured map[signal.ID]transport.Stats) soundPaths {
	limit, n := leanBelow, soundPaths{}
	if p.lean {
		limit = leanUntil
	}
	for _, s := range measured {
		n.lean = n.lean || s.Pace.Limited && s.Estimate < limit
		if !s.Repeats {
			n.loss = max(n.loss, s.Loss, voice.Loss)
		}
	}
	return n
}

// processing is what the AudioProcessor does for s. For music it does nothing: gain control makes a held
// note pump, and an echo canceller removes music that both sides play.
func (s Sound) processing() media.AudioProcessing {
	if s.Original {
		return media.AudioProcessing{}
	}
	return media.AudioProcessing{Echo: true, Noise: s.Noise, Gain: true, HighPass: true}
}

// openProcessor puts the processor between microphone and encoder, and notes whether it can remove noise. What this build
// cannot do is left out.
func (c *Call) openProcessor() error {
	p, err := c.cfg.Codecs.AudioProcessor(media.AudioProcessing{})
	if err != nil {
		return fmt.Errorf("set up audio processor: %w", err)
	}
	c.state.NoiseStays = errors.Is(p.Configure(media.AudioProcessing{Noise: true}), media.ErrUnsupported)
	if err := p.Configure(c.state.Sound.processing()); err != nil && !errors.Is(err, media.ErrUnsupported) {
		return errors.Join(fmt.Errorf("set up audio processor: %w", err), p.Close())
	}
	c.processor = p
	c.closers = append(c.closers, p)
	c.audio.Process = func(pcm []int16) media.Voice {
		if c.generated.Load() {
			return media.VoiceUnknown
		}
		v, err := p.Process(pcm)
		if err != nil {
			c.refused.Warn(c.cfg.Log, "sound not processed", "err", err)
		}
		return v
	}
	c.audio.Skip = func() { _ = p.Skip() } // fails once closed, when nobody writes any more
	return nil
}

// played tells the processor what the speaker plays. While the speaker is off, that is silence.
func (c *Call) played(pcm []int16) {
	if c.silent.Load() {
		clear(pcm)
	}
	_ = c.processor.Played(pcm) // speakers ask for whole blocks
}

func (x *executor) setSound(s Sound) {
	x.audio.Configure(s.coding(x.paths))
	if err := x.processor.Configure(s.processing()); errors.Is(err, media.ErrUnsupported) {
		x.cfg.Log.Info("sound processing", "err", err)
	} else if err != nil {
		x.cfg.Log.Warn("sound processing", "err", err)
	}
}
