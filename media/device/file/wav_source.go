package file

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"parley/media"
)

// wavSource plays a .wav file as a microphone, over and over. It reads a few milliseconds
// at a time.
type wavSource struct {
	path   string
	file   *os.File
	header wavHeader
}

func openWAVSource(path string) (*wavSource, error) {
	f, err := openMedia(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	s := &wavSource{path: path, file: f}
	if err == nil {
		s.header, err = parseWAV(f, st.Size())
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	return s, nil
}

func (s *wavSource) Info() media.AudioInfo {
	return media.AudioInfo{Device: media.Device{Kind: media.Microphone, ID: s.path, Name: filepath.Base(s.path)}}
}

// Run implements media.AudioSource.
func (s *wavSource) Run(ctx context.Context, emit func(media.Audio)) error {
	defer s.Close()
	r := newResampler(s.header.Rate, media.SampleRate)
	raw := make([]byte, 1024*s.header.frame())
	var off int64
	more := func(in []float32) ([]float32, error) {
		n := min(int64(len(raw)), s.header.Size-off)
		if _, err := s.file.ReadAt(raw[:n], s.header.Start+off); err != nil {
			return nil, fmt.Errorf("read %q: %w", s.path, err)
		}
		off = (off + n) % s.header.Size
		return s.header.mono(in, raw[:n]), nil
	}
	out := make([]float32, media.BlockSamples)
	return paceAudio(ctx, emit, func(pcm []int16) error {
		if err := r.read(out, more); err != nil {
			return err
		}
		for i, v := range out {
			pcm[i] = toInt16(v)
		}
		return nil
	})
}

func (s *wavSource) Close() error { return s.file.Close() }
