package file

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"

	"parley/media"
)

// wavSink is a speaker that writes to a .wav file: 48 kHz, stereo, 16 bit. The header is updated every
// second, so that the file is valid even if the process is killed.
type wavSink struct {
	path string
	file *os.File
	size int64 // bytes of sound

	once sync.Once
	err  error
}

const (
	wavHeaderSize = 44
	wavMaxData    = math.MaxUint32 - wavHeaderSize // about 6 hours; RIFF has 32 bit sizes
	// wavFlush is the number of blocks that are written together.
	wavFlush = 10
)

func createWAVSink(path string) (*wavSink, error) {
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		return nil, fmt.Errorf("write %q: not a regular file: %w", path, media.ErrFormat)
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	s := &wavSink{path: path, file: f}
	if err := s.writeHeader(); err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

func (s *wavSink) Info() media.AudioInfo {
	return media.AudioInfo{Device: media.Device{Kind: media.Speaker, ID: s.path, Name: filepath.Base(s.path)}}
}

// writeHeader says how much sound is in the file now.
func (s *wavSink) writeHeader() error {
	const frame = media.SpeakerChannels * 2
	b := make([]byte, 0, wavHeaderSize)
	b = append(b, "RIFF"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(wavHeaderSize-8+s.size))
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, wavPCM)
	b = binary.LittleEndian.AppendUint16(b, media.SpeakerChannels)
	b = binary.LittleEndian.AppendUint32(b, media.SampleRate)
	b = binary.LittleEndian.AppendUint32(b, media.SampleRate*frame)
	b = binary.LittleEndian.AppendUint16(b, frame)
	b = binary.LittleEndian.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(s.size))
	_, err := s.file.WriteAt(b, 0)
	return err
}

// write appends sound; the header follows later, so it never claims what is not there.
func (s *wavSink) write(b []byte) error {
	if s.size+int64(len(b)) > wavMaxData {
		return fmt.Errorf("write %q: a .wav file cannot hold more than 4 GiB", s.path)
	}
	_, err := s.file.WriteAt(b, wavHeaderSize+s.size)
	if err == nil {
		s.size += int64(len(b))
	}
	return err
}

// Run implements media.AudioSink.
func (s *wavSink) Run(ctx context.Context, fill func(pcm []int16)) (err error) {
	defer func() {
		if closeErr := s.Close(); err == nil {
			err = closeErr
		}
	}()
	pcm := make([]int16, media.BlockSamples*media.SpeakerChannels)
	var pending []byte
	p := newPacer(blockRate, 1)
	defer p.stop()
	for {
		p.rebase(audioPause)
		if !p.wait(ctx) {
			return s.write(pending)
		}
		fill(pcm)
		for _, v := range pcm {
			pending = binary.LittleEndian.AppendUint16(pending, uint16(v))
		}
		if p.n%wavFlush == 0 {
			if err := s.write(pending); err != nil {
				return err
			}
			pending = pending[:0]
		}
		if p.n%blockRate == 0 {
			if err := s.writeHeader(); err != nil {
				return err
			}
		}
	}
}

// Close makes the header final.
func (s *wavSink) Close() error {
	s.once.Do(func() {
		s.err = s.writeHeader()
		if err := s.file.Close(); s.err == nil {
			s.err = err
		}
	})
	return s.err
}
