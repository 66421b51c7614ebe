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

	convert media.PixelConverter
	raw     []byte // a picture as the file has it; nil where frames are read as they are
	w, h    int    // of the frames
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

func openY4M(path string, convert media.PixelConverter) (*y4mSource, error) {
	f, err := openMedia(path)
	if err != nil {
		return nil, err
	}
	s := &y4mSource{path: path, file: f, convert: convert}
	if s.header, err = parseY4M(f); err == nil {
		s.w, s.h = s.header.shown()
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
	if !s.header.plain() {
		if s.convert == nil {
			return fmt.Errorf("pictures that need converting: %w", media.ErrFormat)
		}
		s.raw = make([]byte, s.header.frameSize())
	}
	f := media.NewFrame(s.w, s.h)
	defer f.Release()
	_, err = s.read(s.header.Size, f)
	return err
}

// read reads the picture at off into f and returns where the next one starts.
func (s *y4mSource) read(off int64, f *media.Frame) (next int64, err error) {
	if s.raw == nil {
		return readY4M(s.file, off, f.Y, f.U, f.V)
	}
	if next, err = readY4M(s.file, off, s.raw); err != nil {
		return 0, err
	}
	return next, s.convert.ConvertPlanar(f, s.header.Planar, s.raw)
}

func (s *y4mSource) Info() media.VideoInfo {
	return media.VideoInfo{
		Device: media.Device{Kind: media.Camera, ID: s.path, Name: filepath.Base(s.path)},
		Width:  s.w, Height: s.h,
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
		f := media.NewFrame(s.w, s.h)
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
	next, err := s.read(*off, f)
	if (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) && *off > s.header.Size {
		next, err = s.read(s.header.Size, f)
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
