package file

import (
	"context"
	"time"

	"parley/media"
)

// blockRate is the number of blocks a second.
const blockRate = int64(time.Second / media.BlockDuration)

// audioPause is the longest delay that is made up for. A longer one means that the machine slept.
const audioPause = 500 * time.Millisecond

// paceAudio emits a mono block every 10 ms, filled by next, until ctx ends.
func paceAudio(ctx context.Context, emit func(media.Audio), next func(pcm []int16) error) error {
	pcm := make([]int16, media.BlockSamples)
	p := newPacer(blockRate, 1)
	defer p.stop()
	p.n = 1 // the first block is complete after 10 ms
	for {
		if err := next(pcm); err != nil {
			return err
		}
		p.rebase(audioPause)
		heard := p.at(p.n - 1)
		if !p.wait(ctx) {
			return nil
		}
		emit(media.Audio{PCM: pcm, Channels: 1, Captured: heard})
	}
}
