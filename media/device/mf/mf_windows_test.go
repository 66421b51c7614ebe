package mf

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/windows"

	"parley/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// grey converts pictures as far as the test looks at them: the luma of YUY2.
type grey struct{ t *testing.T }

func (g grey) Convert(dst *media.Frame, format media.PixelFormat, data []byte, stride int) error {
	if format != media.FormatYUY2 || stride != 144 || len(data) != 144*dst.Height {
		if len(data) < 144 {
			return media.ErrCorrupt
		}
		g.t.Errorf("%v, %d bytes, %d in a row, for %dx%d", format, len(data), stride, dst.Width, dst.Height)
	}
	for y := range dst.Height {
		for x := range dst.Width {
			dst.Y[y*dst.YStride+x] = data[y*stride+2*x]
		}
	}
	return nil
}

func (grey) ConvertPlanar(*media.Frame, media.Planar, []byte) error { return media.ErrFormat }

// behaviours of the camera in test/windows/testdata/camera.c.
const (
	honest = iota
	unpluggedSoon
	silentSoon
	busy
	forbidden
	absent
	failing
)

// wooden is a driver for that camera, which stands in for those of Windows: Wine has none.
func wooden(t *testing.T, behaviour uintptr) (d *Driver, held func() int) {
	t.Helper()
	path := os.Getenv("PARLEY_TEST_CAMERA")
	if path == "" {
		t.Fatal("PARLEY_TEST_CAMERA is to name the library of test/windows/testdata/camera.c: make windows-test")
	}
	dll := windows.NewLazyDLL(path)
	if _, _, err := dll.NewProc("behave").Call(behaviour); err != nil && !errors.Is(err, windows.Errno(0)) {
		t.Fatal(err)
	}
	d = New(grey{t})
	d.library.enumerate = dll.NewProc("MFEnumDeviceSources")
	return d, func() int {
		n, _, _ := dll.NewProc("held").Call()
		return int(n)
	}
}

// TestNoCamera: this Windows has no camera, and says so.
func TestNoCamera(t *testing.T) {
	d := New(grey{t})
	for range 2 {
		if all, err := d.List(media.Camera); err != nil || len(all) != 0 {
			t.Errorf("%v, %v", all, err)
		}
	}
	_, err := d.OpenCamera(media.SpecDefault)
	if !errors.Is(err, media.ErrNoDevice) {
		t.Errorf("opened: %v", err)
	}
	d, _ = wooden(t, absent)
	if all, err := d.List(media.Camera); err != nil || len(all) != 0 {
		t.Errorf("from an empty list: %v, %v", all, err)
	}
}

// TestWithoutMediaFoundation: some editions of Windows lack it.
func TestWithoutMediaFoundation(t *testing.T) {
	d := New(grey{t})
	d.library.createReader = windows.NewLazySystemDLL("missing-on-this-system.dll").NewProc("Nothing")
	if all, err := d.List(media.Camera); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}

// TestCamera lists the camera, opens it in its best mode, and takes pictures until ctx ends. Everything is released then.
func TestCamera(t *testing.T) {
	d, held := wooden(t, honest)
	before := held()
	want := media.Device{Kind: media.Camera, ID: `\\?\usb#wood`, Name: "Wooden camera", Default: true}
	if all, err := d.List(media.Camera); err != nil || len(all) != 1 || all[0] != want {
		t.Fatalf("%+v, %v", all, err)
	}
	for _, spec := range []string{media.SpecDefault, want.Name, want.ID} {
		s, err := d.OpenCamera(spec)
		if err != nil {
			t.Fatal(err)
		}
		if i := s.Info(); i.Width != 64 || i.Height != 48 || i.FrameRate != 30 || i.Device != want {
			t.Errorf("%+v", i)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var levels []byte
		err = s.Run(ctx, func(f *media.Frame) {
			if levels = append(levels, f.Y[0]); len(levels) == 5 {
				cancel()
			}
		})
		if err != nil || len(levels) != 5 || levels[4] != levels[0]+4 {
			t.Errorf("pictures of brightness %v: %v", levels, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	s, err := d.OpenCamera(want.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if n := held(); n != before {
		t.Errorf("%d objects are held, %d before", n, before)
	}
	if _, err := d.OpenCamera("another"); !errors.Is(err, media.ErrNoDevice) {
		t.Errorf("opened a camera that there is not: %v", err)
	}
}

// TestCameraFails: what can go wrong is told in the words of package media, and nothing hangs.
func TestCameraFails(t *testing.T) {
	for name, c := range map[string]struct {
		behaviour uintptr
		want      error
	}{
		"another program has it": {busy, media.ErrBusy},
		"forbidden by settings":  {forbidden, fs.ErrPermission},
		"unplugged":              {unpluggedSoon, media.ErrLost},
		"silent":                 {silentSoon, media.ErrLost},
		"broken pictures":        {failing, media.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			d, held := wooden(t, c.behaviour)
			before := held()
			s, err := d.OpenCamera(media.SpecDefault)
			if err == nil {
				ctx, cancel := context.WithTimeout(t.Context(), 2*(patience+hang))
				defer cancel()
				err = s.Run(ctx, func(*media.Frame) {})
			}
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if n := held(); n != before {
				t.Errorf("%d objects are held, %d before", n, before)
			}
		})
	}
}

// TestSilentCameraCloses: who turns a camera off does not wait for a picture.
func TestSilentCameraCloses(t *testing.T) {
	d, _ := wooden(t, silentSoon)
	s, err := d.OpenCamera(media.SpecDefault)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	begun := time.Now()
	err = s.Run(ctx, func(*media.Frame) {
		if n++; n == 2 { // the third does not come
			time.AfterFunc(100*time.Millisecond, cancel)
		}
	})
	if took := time.Since(begun); err != nil || took > patience {
		t.Errorf("%v after %v", err, took)
	}
}
