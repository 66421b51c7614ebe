package call

import (
	"errors"
	"fmt"

	"parley/media"
)

// Sound is what the user wants done to the microphone's sound.
type Sound struct {
	Noise    bool // steady noise is taken out
	Original bool // music: nothing is done to it, and it is coded finely; Noise waits
}

// SetSound changes that, at once.
type SetSound struct{ Sound }

func (SetSound) command() {}

// effect of it.
type setSound struct{ sound Sound }

// original is how original sound is coded: transparent mono (RFC 6716 section 2.1.1 gives 48 to
// 64 kbit/s) with a margin, and no DTX, for what fades out is sound too.
var original = media.AudioConfig{Channels: 1, BitRate: 96_000, Music: true}

// coding is how to code s for a part of packets lost that FEC is to prepare for.
func (s Sound) coding(loss float64) media.AudioConfig {
	cfg := voice
	if s.Original {
		cfg = original
	}
	cfg.Loss = loss
	return cfg
}

// processing is what an AudioProcessor does for s. Gain control is what makes a held note
// breathe, and an echo canceller takes music that both sides play for echo.
func (s Sound) processing() media.AudioProcessing {
	if s.Original {
		return media.AudioProcessing{}
	}
	return media.AudioProcessing{Echo: true, Noise: s.Noise, Gain: true, HighPass: true}
}

// openProcessor puts the processor between microphone and encoder. Without one, as on a
// system that lacks the library, the sound is as it comes.
func (c *Call) openProcessor() error {
	p, err := c.cfg.Codecs.AudioProcessor(c.state.Sound.processing())
	if err != nil {
		return fmt.Errorf("set up audio processor: %w", err)
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

// played tells the processor what the speaker plays: silence is what it plays while it is
// off.
func (c *Call) played(pcm []int16) {
	if c.silent.Load() {
		clear(pcm)
	}
	_ = c.processor.Played(pcm) // speakers ask for whole blocks
}

func (x *executor) setSound(s Sound) {
	x.audio.Configure(s.coding(x.loss))
	if err := x.processor.Configure(s.processing()); errors.Is(err, media.ErrUnsupported) {
		x.cfg.Log.Info("sound processing", "err", err)
	} else if err != nil {
		x.cfg.Log.Warn("sound processing", "err", err)
	}
}
