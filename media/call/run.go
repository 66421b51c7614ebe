package call

import (
	"context"
	"errors"
	"time"

	"parley/media"
)

// runDevice opens a device, reports that, and connects it with its sender or with the mixer.
func (x *executor) runDevice(ctx context.Context, e openDevice) error {
	report := func(d media.Device, f Format) {
		x.put(deviceOpened{e.kind, e.generation, d, f})
	}
	switch e.kind {
	case media.Camera, media.Screen:
		open, sender := x.cfg.Devices.OpenCamera, x.camera
		if e.kind == media.Screen {
			open, sender = x.openScreen(e.capture), x.screen
		}
		src, err := open(e.spec)
		if err != nil {
			return err
		}
		i := src.Info()
		if h, ok := src.(media.Hideable); ok {
			h.OnHidden(func(hidden bool) { x.put(screenHidden{e.generation, hidden}) })
		}
		report(i.Device, Format{i.Width, i.Height, i.FrameRate})
		if e.sound {
			return x.runWithSound(ctx, e.generation, func(ctx context.Context) error { return sender.Run(ctx, src) })
		}
		return sender.Run(ctx, src)
	case media.Microphone:
		src, err := x.cfg.Devices.OpenMicrophone(e.spec)
		if err != nil {
			return err
		}
		report(src.Info().Device, Format{})
		x.generated.Store(src.Info().Device.ID == media.SpecTone)
		x.processor.Reset()
		defer x.audio.Stopped()
		// A tone or a file may be silent on purpose.
		if id := src.Info().Device.ID; id == media.SpecTone || isFile(id) {
			return src.Run(ctx, x.audio.Write)
		}
		ctx, stop := context.WithCancel(ctx)
		watched := make(chan struct{})
		x.group.Go(func() error {
			defer close(watched)
			x.watchSilence(ctx, e.generation)
			return nil
		})
		err = src.Run(ctx, x.audio.Write)
		stop()
		<-watched
		return err
	}
	if e.spec == media.SpecOff {
		drain(ctx, x.mixer.Fill)
		return nil
	}
	sink, err := x.cfg.Devices.OpenSpeaker(e.spec)
	if err != nil {
		return err
	}
	report(sink.Info().Device, Format{})
	x.processor.Reset()
	return sink.Run(ctx, func(pcm []int16) {
		x.mixer.Fill(pcm)
		if x.chime.mix(pcm) {
			x.own.Put(chimeEnded{})
		}
		x.played(pcm)
	})
}

// runWithSound sends the system's sound for as long as picture runs. If the sound fails, the picture
// goes on alone.
func (x *executor) runWithSound(ctx context.Context, generation int, picture func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	x.group.Go(func() error {
		defer close(done)
		src, err := x.cfg.Devices.OpenSystemSound()
		if err == nil {
			defer x.sound.Stopped()
			if err = src.Run(ctx, x.sound.Write); err == nil {
				err = errors.New("system sound stopped by itself")
			}
		}
		if ctx.Err() == nil {
			x.cfg.Log.Warn("system sound", "err", err)
			x.put(soundFailed{generation, err})
		}
		return nil
	})
	err := picture(ctx)
	cancel()
	<-done // the hardware is free before the next source opens
	return err
}

// drain stands in for a missing speaker, so that sound does not pile up and we know who speaks.
func drain(ctx context.Context, fill func([]int16)) {
	tick := time.NewTicker(media.BlockDuration)
	defer tick.Stop()
	pcm := make([]int16, media.BlockSamples*media.SpeakerChannels)
	for start, blocks := time.Now(), 0; ; {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			due := int(now.Sub(start) / media.BlockDuration)
			if due-blocks > 100 {
				blocks = due - 1 // the machine was asleep; do not catch up
			}
			for ; blocks < due; blocks++ {
				fill(pcm)
			}
		}
	}
}
