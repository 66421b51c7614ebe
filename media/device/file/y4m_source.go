package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"parley/media"
)

// y4mSource plays a .y4m file as a camera, over and over. It reads one picture at a time.
type y4mSource struct {
	path   string
	file   *os.File
	header y4mHeader
}

// openMedia opens a file to play; a directory or pipe, which cannot be looped, is refused.
func openMedia(path string) (*os.File, error) {
	// os.Open of a pipe would wait for its other end.
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		return nil, fmt.Errorf("open %q: not a regular file: %w", path, media.ErrFormat)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err // *fs.PathError says "open" and the path
	}
	return f, nil
}

func openY4M(path string) (*y4mSource, error) {
	f, err := openMedia(path)
	if err != nil {
		return nil, err
	}
	s := &y4mSource{path: path, file: f}
	if s.header, err = parseY4M(f); err == nil {
		err = s.checkFirst()
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	return s, nil
}

// checkFirst finds out whether there is a whole first picture, before memory for one is
// taken: a header can claim any size.
func (s *y4mSource) checkFirst() error {
	st, err := s.file.Stat()
	if err != nil {
		return err
	}
	if st.Size() < s.header.Size+int64(len("FRAME\n"))+s.header.frameSize() {
		return fmt.Errorf("no whole picture of %dx%d: %w", s.header.Width, s.header.Height, media.ErrFormat)
	}
	f := media.NewFrame(s.header.Width, s.header.Height)
	defer f.Release()
	_, err = readY4M(s.file, s.header, s.header.Size, f)
	return err
}

func (s *y4mSource) Info() media.VideoInfo {
	return media.VideoInfo{
		Device: media.Device{Kind: media.Camera, ID: s.path, Name: filepath.Base(s.path)},
		Width:  s.header.Width, Height: s.header.Height,
		FrameRate: float64(s.header.RateNum) / float64(s.header.RateDen),
	}
}

// Run implements media.VideoSource. A picture whose time has passed is skipped.
func (s *y4mSource) Run(ctx context.Context, emit func(*media.Frame)) error {
	defer s.Close()
	p := newPacer(s.header.RateNum, s.header.RateDen)
	defer p.stop()
	off := s.header.Size
	for {
		for range p.late() {
			if err := s.skip(&off); err != nil {
				return err
			}
		}
		f := media.NewFrame(s.header.Width, s.header.Height)
		if err := s.next(&off, f); err != nil {
			return err
		}
		if !p.wait(ctx) {
			f.Release()
			return nil
		}
		f.Captured = time.Now()
		emit(f)
		f.Release()
	}
}

// next reads the picture at off, or the first again at the end of the file.
func (s *y4mSource) next(off *int64, f *media.Frame) error {
	next, err := readY4M(s.file, s.header, *off, f)
	if (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) && *off > s.header.Size {
		next, err = readY4M(s.file, s.header, s.header.Size, f)
	}
	if err != nil {
		return fmt.Errorf("read %q: %w", s.path, err)
	}
	*off = next
	return nil
}

// skip moves past a picture without reading it.
func (s *y4mSource) skip(off *int64) error {
	line, err := y4mLine(s.file, *off)
	if err != nil {
		*off = s.header.Size
		if line, err = y4mLine(s.file, *off); err != nil {
			return fmt.Errorf("read %q: %w", s.path, err)
		}
	}
	*off += int64(len(line)) + 1 + s.header.frameSize()
	return nil
}

func (s *y4mSource) Close() error { return s.file.Close() }
