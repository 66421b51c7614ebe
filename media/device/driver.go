package device

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

// picture carries a frame through mediadevices' driver framework, which knows images.
type picture struct {
	image.YCbCr
	frame *media.Frame
}

func newPicture(f *media.Frame) *picture { return &picture{YCbCr: *f.YCbCr(), frame: f} }

// readPictures is a driver's reader over a function.
func readPictures(read func() (*picture, error)) video.Reader {
	return video.ReaderFunc(func() (image.Image, func(), error) {
		p, err := read()
		if err != nil {
			return nil, func() {}, err
		}
		return p, p.frame.Release, nil
	})
}

// driverSource is an opened driver as a media.VideoSource.
type driverSource struct {
	info   media.VideoInfo
	driver driver.Driver
	reader video.Reader

	once   sync.Once
	closed func() // tells the registry
}

func (s *driverSource) Info() media.VideoInfo { return s.info }

// Run implements media.VideoSource.
func (s *driverSource) Run(ctx context.Context, emit func(*media.Frame)) error {
	// Closing is what ends a read; and the AfterFunc has to be over when Run returns.
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
		// A reader that was closed says io.EOF itself; within an error it has another cause.
		if ctx.Err() != nil || err == io.EOF {
			if err == nil {
				release()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s %q: %w", s.info.Device.Kind, s.info.Device.Name, err)
		}
		if p, ok := img.(*picture); ok {
			emit(p.frame)
		}
		release()
	}
}

// Close implements media.VideoSource.
func (s *driverSource) Close() error {
	var err error
	s.once.Do(func() {
		err = s.driver.Close()
		s.closed()
	})
	return err
}
