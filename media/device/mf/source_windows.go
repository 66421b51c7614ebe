package mf

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"parley/media"
)

const (
	patience  = 5 * time.Second // for a picture; some cameras take 2 s to start
	maxModes  = 1000            // some drivers never end a list
	hang      = 2 * time.Second // how long a read may go on once the camera is shut down
	maxFaulty = 100             // pictures in a row: some cameras start with damaged ones

	firstVideo, allStreams = 0xFFFFFFFC, 0xFFFFFFFE // of a reader (mfreadwrite.h)
	readerFailed, atEnd    = 1, 2                   // flags of a sample
)

// formats are the pixel formats that we convert, by the first field of Media Foundation's names for them: the FOURCC. The
// other fields are the same for all.
var formats = map[uint32]media.PixelFormat{
	'N' | 'V'<<8 | '1'<<16 | '2'<<24: media.FormatNV12,
	'Y' | 'U'<<8 | 'Y'<<16 | '2'<<24: media.FormatYUY2,
	'U' | 'Y'<<8 | 'V'<<16 | 'Y'<<24: media.FormatUYVY,
	'I' | '4'<<8 | '2'<<16 | '0'<<24: media.FormatI420,
	'I' | 'Y'<<8 | 'U'<<16 | 'V'<<24: media.FormatI420,
	'M' | 'J'<<8 | 'P'<<16 | 'G'<<24: media.FormatMJPEG,
}

var formatFamily = windows.GUID{Data3: 0x0010, Data4: [8]byte{0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71}}

// source is an opened camera.
type source struct {
	convert media.PixelConverter
	info    media.VideoInfo
	format  media.PixelFormat

	device *object // IMFMediaSource
	reader *object // IMFSourceReader

	ended context.Context // of the source
	end   context.CancelFunc

	reading sync.Mutex // held by a read, and by closing
	closed  bool
	hung    bool // a read did not end: what it uses is never released
}

// Info implements media.VideoSource.
func (s *source) Info() media.VideoInfo { return s.info }

// open starts a camera in the best of its modes, and waits for the first picture: a camera that another program has fails
// only then.
func (s *source) open(l library, activate *object) (err error) {
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := activate.call(activateObject, uintptr(unsafe.Pointer(&mediaSource)), uintptr(unsafe.Pointer(&s.device))).err(); err != nil {
		return err
	}
	options, err := l.attributes()
	if err != nil {
		return err
	}
	defer options.release()
	if err := options.call(setUINT32, uintptr(unsafe.Pointer(&disableConverters)), 1).err(); err != nil {
		return err
	}
	r, _, _ := l.createReader.Call(uintptr(unsafe.Pointer(s.device)), uintptr(unsafe.Pointer(options)), uintptr(unsafe.Pointer(&s.reader)))
	if err := hresult(r).err(); err != nil {
		return err
	}
	if err := s.choose(); err != nil {
		return err
	}
	f, err := s.read()
	if err != nil {
		return err
	}
	f.Release()
	return nil
}

// choose sets the best mode.
func (s *source) choose() error {
	var types []*object
	var modes []media.CameraMode
	defer func() {
		for _, t := range types {
			t.release()
		}
	}()
	for i := range uintptr(maxModes) {
		var t *object
		if s.reader.call(getNativeMediaType, firstVideo, i, uintptr(unsafe.Pointer(&t))) < 0 {
			break // the list has ended
		}
		types, modes = append(types, t), append(modes, mode(t))
	}
	best := media.BestMode(modes)
	if best < 0 {
		return fmt.Errorf("none of its pixel formats is known: %w", media.ErrFormat)
	}
	m := modes[best]
	s.info.Width, s.info.Height, s.info.FrameRate, s.format = m.Width, m.Height, m.Rate, m.Format
	s.reader.call(setStreamSelection, allStreams, 0)
	s.reader.call(setStreamSelection, firstVideo, 1)
	return s.reader.call(setCurrentMediaType, firstVideo, 0, uintptr(unsafe.Pointer(types[best]))).err()
}

// mode reads what a media type says. One that we cannot use has no size.
func mode(t *object) (m media.CameraMode) {
	var name windows.GUID
	if t.call(getGUID, uintptr(unsafe.Pointer(&subtype)), uintptr(unsafe.Pointer(&name))) < 0 {
		return m
	}
	format, ok := formats[name.Data1]
	if name.Data1 = 0; !ok || name != formatFamily {
		return m
	}
	w, h := t.pair(&frameSize)
	m = media.CameraMode{Width: int(w), Height: int(h), Format: format}
	if num, den := t.pair(&frameRate); den > 0 {
		m.Rate = float64(num) / float64(den)
	}
	return m
}

// Run implements media.VideoSource.
func (s *source) Run(ctx context.Context, emit func(*media.Frame)) error {
	defer context.AfterFunc(ctx, s.end)()
	defer s.Close()
	for {
		f, err := s.read()
		if s.ended.Err() != nil {
			if err == nil {
				f.Release()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("camera %q: %w", s.info.Device.Name, err)
		}
		emit(f)
		f.Release()
	}
}

// Close implements media.VideoSource.
func (s *source) Close() error {
	s.end()
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.closed || s.hung {
		return nil
	}
	s.closed = true
	if s.device != nil {
		s.device.call(shutdownSource)
	}
	s.reader.release()
	s.device.release()
	return nil
}

// read waits for the next undamaged picture.
func (s *source) read() (*media.Frame, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	for range maxFaulty {
		if s.closed || s.hung || s.ended.Err() != nil {
			return nil, media.ErrLost
		}
		got, err := s.next()
		switch {
		case err != nil:
			return nil, err
		case got.result < 0:
			return nil, got.result.err()
		case got.flags&(readerFailed|atEnd) != 0:
			got.sample.release()
			return nil, media.ErrLost
		case got.sample == nil: // a gap
			continue
		}
		f, err := s.picture(got.sample)
		got.sample.release()
		if errors.Is(err, media.ErrCorrupt) {
			continue
		}
		return f, err
	}
	return nil, fmt.Errorf("only damaged pictures: %w", media.ErrCorrupt)
}

// sampled is what a read returns.
type sampled struct {
	result hresult
	flags  uint32
	sample *object // nil: none
}

// next waits for the next sample. A camera that has none for a while is taken for unplugged. A read cannot be interrupted
// but by shutting the camera down; some drivers hang even then.
func (s *source) next() (sampled, error) {
	ready := make(chan sampled, 1)
	go func() {
		var at uint32
		var when int64
		var got sampled
		got.result = s.reader.call(readSample, firstVideo, 0, uintptr(unsafe.Pointer(&at)), uintptr(unsafe.Pointer(&got.flags)),
			uintptr(unsafe.Pointer(&when)), uintptr(unsafe.Pointer(&got.sample)))
		ready <- got
	}()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	err := media.ErrLost
	select {
	case got := <-ready:
		return got, nil
	case <-s.ended.Done():
	case <-limit.C:
		err = fmt.Errorf("no picture for %v: %w", patience, media.ErrLost)
	}
	s.device.call(shutdownSource)
	limit.Reset(hang)
	select {
	case got := <-ready:
		got.sample.release()
	case <-limit.C:
		s.hung = true
	}
	return sampled{}, err
}

// picture converts what is in a sample.
func (s *source) picture(sample *object) (*media.Frame, error) {
	now := time.Now()
	var buffer *object
	if err := sample.call(convertToContiguousBuffer, uintptr(unsafe.Pointer(&buffer))).err(); err != nil {
		return nil, err
	}
	defer buffer.release()
	var start *byte
	var room, used uint32
	if err := buffer.call(lock, uintptr(unsafe.Pointer(&start)), uintptr(unsafe.Pointer(&room)), uintptr(unsafe.Pointer(&used))).err(); err != nil {
		return nil, err
	}
	defer buffer.call(unlock)
	data := unsafe.Slice(start, min(used, room))
	w, h := s.info.Width, s.info.Height
	if s.format == media.FormatMJPEG { // the JPEG's own size counts
		var err error
		if w, h, err = media.JPEGSize(data); err != nil {
			return nil, err
		}
	}
	f := media.NewFrame(w, h)
	f.Captured = now
	if err := s.convert.Convert(f, s.format, data, stride(s.format, len(data), h)); err != nil {
		f.Release()
		return nil, err
	}
	return f, nil
}

// stride is how far rows are apart: some cameras pad them, and so the size of the picture tells. 0 stands for no gap.
func stride(format media.PixelFormat, size, height int) int {
	rows := 0
	switch format {
	case media.FormatNV12, media.FormatI420:
		rows = height + height/2
	case media.FormatYUY2, media.FormatUYVY:
		rows = height
	}
	if rows == 0 || size%rows != 0 {
		return 0
	}
	return size / rows
}
