//go:build linux

package v4l2

import (
	"context"
	"fmt"
	"image"
	"io"
	"sync"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/io/video"

	"parley/media"
)

// readFrames is a driver's reader over a function. A frame is an image.Image, so it passes through the
// framework as it is.
func readFrames(read func() (*media.Frame, error)) video.Reader {
	return video.ReaderFunc(func() (image.Image, func(), error) {
		f, err := read()
		if err != nil {
			return nil, func() {}, err
		}
		return f, f.Release, nil
	})
}

// source is an opened driver as a media.VideoSource.
type source struct {
	info   media.VideoInfo
	driver driver.Driver
	reader video.Reader

	once   sync.Once
	closed func() // tells the registry
}

func (s *source) Info() media.VideoInfo { return s.info }

// Run implements media.VideoSource.
func (s *source) Run(ctx context.Context, emit func(*media.Frame)) error {
	// Closing ends a read. The AfterFunc must have ended when Run returns.
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		s.Close()
	})
	defer func() {
		if !stop() {
			<-done
		}
		s.Close()
	}()
	for {
		img, release, err := s.reader.Read()
		// A closed reader returns io.EOF itself. An error that wraps io.EOF has another cause.
		if ctx.Err() != nil || err == io.EOF {
			if err == nil {
				release()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s %q: %w", s.info.Device.Kind, s.info.Device.Name, err)
		}
		if f, ok := img.(*media.Frame); ok {
			emit(f)
		}
		release()
	}
}

// Close implements media.VideoSource.
func (s *source) Close() error {
	var err error
	s.once.Do(func() {
		err = s.driver.Close()
		s.closed()
	})
	return err
}
