package v4l2

/*
#include "v4l2_linux.h"
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
	"golang.org/x/sys/unix"

	"parley/media"
)

// v4l2Patience is how long to wait for a picture. Some cameras take 2 s to start.
const v4l2Patience = 5 * time.Second

// v4l2Limit bounds the entries of a list: some drivers never end one.
const v4l2Limit = 256

// v4l2Camera is a driver of mediadevices' framework for a Video4Linux2 camera. Its pictures
// are converted by media.PixelConverter, where mediadevices' own driver decodes in Go.
type v4l2Camera struct {
	path    string
	convert media.PixelConverter

	mu      sync.Mutex // held by a read, so that closing waits for it
	fd      C.int      // -1 while closed
	buffers [C.parley_buffers]C.parley_buffer
	mapped  C.uint32_t

	wakeR, wakeW *os.File
}

var (
	_ driver.Adapter       = (*v4l2Camera)(nil)
	_ driver.VideoRecorder = (*v4l2Camera)(nil)
)

func newV4L2Camera(path string, convert media.PixelConverter) *v4l2Camera {
	return &v4l2Camera{path: path, convert: convert, fd: -1}
}

// v4l2Error maps the kernel's errors to those of package media. For a camera that has gone the errno
// depends on the moment: ENODEV and ENXIO, or EIO within a stream.
func v4l2Error(r C.int) error {
	errno := syscall.Errno(-r)
	switch errno {
	case syscall.EBUSY:
		return fmt.Errorf("%w (%w)", media.ErrBusy, errno)
	case syscall.ENODEV, syscall.ENXIO, syscall.ENOENT:
		return fmt.Errorf("%w (%w)", media.ErrNoDevice, errno)
	case syscall.EACCES, syscall.EPERM:
		return fmt.Errorf("%w; add yourself to the group video and log in again", fs.ErrPermission)
	}
	return errno
}

func openV4L2(path string) (C.int, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	fd := C.parley_v4l2_open(name)
	if fd < 0 {
		return -1, v4l2Error(fd)
	}
	return fd, nil
}

// queryV4L2 reads a node's name, and whether it is a camera: other nodes carry, for example, a camera's
// metadata.
func queryV4L2(path string) (name string, camera bool, err error) {
	fd, err := openV4L2(path)
	if err != nil {
		return "", false, err
	}
	defer C.close(fd)
	var card [33]C.char
	var caps C.uint32_t
	if r := C.parley_v4l2_query(fd, &card[0], &caps); r < 0 {
		return "", false, v4l2Error(r)
	}
	const need = C.V4L2_CAP_VIDEO_CAPTURE | C.V4L2_CAP_STREAMING
	return C.GoString(&card[0]), caps&need == need, nil
}

// Open implements driver.Adapter.
func (c *v4l2Camera) Open() error {
	fd, err := openV4L2(c.path)
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		C.close(fd)
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fd, c.wakeR, c.wakeW = fd, r, w
	return nil
}

// Close implements driver.Adapter. It ends a read that is waiting.
func (c *v4l2Camera) Close() error {
	c.wakeW.Close() // the other end becomes readable
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fd < 0 {
		return nil
	}
	if c.mapped > 0 {
		C.parley_v4l2_unmap(c.fd, &c.buffers[0], c.mapped)
		c.mapped = 0
	}
	C.close(c.fd)
	c.fd = -1
	return c.wakeR.Close()
}

// v4l2Formats maps the framework's names of pixel formats to V4L2's.
var v4l2Formats = map[media.PixelFormat]frame.Format{
	media.FormatMJPEG: frame.FormatMJPEG,
	media.FormatYUY2:  frame.FormatYUY2,
	media.FormatUYVY:  frame.FormatUYVY,
	media.FormatNV12:  frame.FormatNV12,
	media.FormatI420:  frame.FormatI420,
}

// Properties implements driver.Adapter: every format, size and rate of the camera.
func (c *v4l2Camera) Properties() []prop.Media {
	var out []prop.Media
	for i := range C.uint32_t(v4l2Limit) {
		var code C.uint32_t
		if C.parley_v4l2_format_at(c.fd, i, &code) < 0 {
			break
		}
		format, ok := v4l2Formats[media.PixelFormat(code)]
		if !ok {
			continue
		}
		for j := range C.uint32_t(v4l2Limit) {
			var s C.parley_size
			if C.parley_v4l2_size_at(c.fd, code, j, &s) < 0 {
				break
			}
			for _, size := range (sizeRange{
				int(s.min_w), int(s.max_w), int(s.step_w), int(s.min_h), int(s.max_h), int(s.step_h),
			}).sizes() {
				for _, rate := range c.rates(code, size.X, size.Y) {
					out = append(out, prop.Media{Video: prop.Video{
						Width: size.X, Height: size.Y, FrameRate: float32(rate), FrameFormat: format,
					}})
				}
			}
		}
	}
	return out
}

// rates lists the frame rates at a size; 0 stands for unknown.
func (c *v4l2Camera) rates(code C.uint32_t, w, h int) []float64 {
	var out []float64
	for i := range C.uint32_t(v4l2Limit) {
		var num, den C.uint32_t
		if C.parley_v4l2_rate_at(c.fd, code, C.uint32_t(w), C.uint32_t(h), i, &num, &den) < 0 {
			break
		}
		if num > 0 && den > 0 {
			out = append(out, float64(num)/float64(den))
		}
	}
	if len(out) == 0 {
		return []float64{0}
	}
	return out
}

// VideoRecord implements driver.VideoRecorder. Its images are of type *media.Frame.
func (c *v4l2Camera) VideoRecord(p prop.Media) (video.Reader, error) {
	var format media.PixelFormat
	for f, name := range v4l2Formats {
		if name == p.FrameFormat {
			format = f
		}
	}
	num, den := rateFraction(float64(p.FrameRate))
	set := C.parley_format{
		width: C.uint32_t(p.Width), height: C.uint32_t(p.Height), rate_num: C.uint32_t(num), rate_den: C.uint32_t(den),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := C.parley_v4l2_set(c.fd, C.uint32_t(format), &set); r < 0 {
		return nil, v4l2Error(r)
	}
	w, h := int(set.width), int(set.height)
	if w < 2 || h < 2 || w > media.MaxDimension || h > media.MaxDimension {
		return nil, fmt.Errorf("picture of %dx%d: %w", w, h, media.ErrFormat)
	}
	if r := C.parley_v4l2_start(c.fd, &c.buffers[0], &c.mapped); r < 0 {
		c.mapped = 0
		return nil, v4l2Error(r)
	}
	return readFrames(func() (*media.Frame, error) {
		return c.read(format, w, h, int(set.stride))
	}), nil
}

// read waits for the next undamaged picture.
func (c *v4l2Camera) read(format media.PixelFormat, w, h, stride int) (*media.Frame, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range 100 { // some cameras start with a few damaged pictures
		if c.fd < 0 {
			return nil, io.EOF
		}
		switch r := C.parley_v4l2_wait(c.fd, C.int(c.wakeR.Fd()), C.int(v4l2Patience.Milliseconds())); {
		case r == -C.ECANCELED:
			return nil, io.EOF
		case r == -C.ENODEV:
			return nil, media.ErrLost
		case r < 0:
			return nil, v4l2Error(r)
		case r == 0:
			return nil, fmt.Errorf("no picture for %v: %w", v4l2Patience, media.ErrLost)
		}
		var f C.parley_frame
		if r := C.parley_v4l2_dequeue(c.fd, &f); r == -C.EAGAIN {
			continue
		} else if r < 0 { // ENODEV or EIO: it has gone
			return nil, fmt.Errorf("%w (%w)", media.ErrLost, syscall.Errno(-r))
		}
		pic, err := c.picture(&f, format, w, h, stride)
		if r := C.parley_v4l2_queue(c.fd, f.index); r < 0 && err == nil {
			pic.Release()
			return nil, fmt.Errorf("%w (%w)", media.ErrLost, syscall.Errno(-r))
		}
		if errors.Is(err, media.ErrCorrupt) {
			continue
		}
		return pic, err
	}
	return nil, fmt.Errorf("only damaged pictures: %w", media.ErrCorrupt)
}

// picture converts the picture in a buffer.
func (c *v4l2Camera) picture(f *C.parley_frame, format media.PixelFormat, w, h, stride int) (*media.Frame, error) {
	if f.index >= c.mapped || f.flags&C.V4L2_BUF_FLAG_ERROR != 0 {
		return nil, media.ErrCorrupt
	}
	b := c.buffers[f.index]
	data := unsafe.Slice((*byte)(b.start), min(int(f.used), int(b.length)))
	if format == media.FormatMJPEG {
		// The JPEG's own size counts: a driver may report another.
		jw, jh, err := media.JPEGSize(data)
		if err != nil {
			return nil, err
		}
		w, h, stride = jw, jh, 0
	}
	out := media.NewFrame(w, h)
	if err := c.convert.Convert(out, format, data, stride); err != nil {
		out.Release()
		return nil, err
	}
	out.Captured = v4l2Time(f)
	return out, nil
}

// v4l2Time is when the picture was taken. Drivers that know it use the monotonic clock.
func v4l2Time(f *C.parley_frame) time.Time {
	now := time.Now()
	if f.flags&C.V4L2_BUF_FLAG_TIMESTAMP_MASK != C.V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC {
		return now
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return now
	}
	age := time.Duration(ts.Nano()) - time.Duration(f.sec)*time.Second - time.Duration(f.usec)*time.Microsecond
	if age < 0 || age > time.Second {
		return now
	}
	return now.Add(-age)
}
