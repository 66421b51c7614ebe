package gdi

import (
	"errors"
	"image"
	"runtime"
	"testing"
	"unsafe"

	"go.uber.org/goleak"
	"golang.org/x/sys/windows"

	"parley/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	createWindow    = user32.NewProc("CreateWindowExW")
	destroyWindow   = user32.NewProc("DestroyWindow")
	setWindowLong   = user32.NewProc("SetWindowLongW")
	invalidateRect  = user32.NewProc("InvalidateRect")
	showWindow      = user32.NewProc("ShowWindow")
	updateWindow    = user32.NewProc("UpdateWindow")
	peekMessage     = user32.NewProc("PeekMessageW")
	dispatchMessage = user32.NewProc("DispatchMessageW")
)

// Styles of a window (winuser.h). A static control can be one rectangle in the colour of frames, which is dark, or white.
const (
	popup, shown            = 0x80000000, 0x10000000
	frameRect, whiteRect    = 4, 6
	minimise, restore       = 6, 9
	boardX, boardY          = 100, 80
	boardWidth, boardHeight = 200, 120
)

// open makes a window in one colour and lets it paint. It belongs to the test's thread.
func open(t *testing.T, name string, style uintptr, r image.Rectangle) uintptr {
	t.Helper()
	class, _ := windows.UTF16PtrFromString("STATIC")
	text, _ := windows.UTF16PtrFromString(name)
	h, _, err := createWindow.Call(0, uintptr(unsafe.Pointer(class)), uintptr(unsafe.Pointer(text)), style|shown,
		signed(r.Min.X), signed(r.Min.Y), signed(r.Dx()), signed(r.Dy()), 0, 0, 0, 0)
	if h == 0 {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _, _ = destroyWindow.Call(h) })
	paint(h)
	return h
}

// paint lets a window handle what it has to.
func paint(h uintptr) {
	_, _, _ = updateWindow.Call(h)
	var message [64]byte
	for {
		if more, _, _ := peekMessage.Call(uintptr(unsafe.Pointer(&message)), 0, 0, 0, 1); more == 0 {
			return
		}
		_, _, _ = dispatchMessage.Call(uintptr(unsafe.Pointer(&message)))
	}
}

// restyle gives a window another colour.
func restyle(h, style uintptr) {
	const styles = -16 // GWL_STYLE
	_, _, _ = setWindowLong.Call(h, signed(styles), style)
	_, _, _ = invalidateRect.Call(h, 0, 1)
	paint(h)
}

// green keeps the green of each pixel as its luma.
type green struct{ media.PixelConverter }

func (green) Convert(dst *media.Frame, format media.PixelFormat, data []byte, stride int) error {
	if format != media.FormatBGRA {
		return media.ErrFormat
	}
	for y := range dst.Height {
		for x := range dst.Width {
			dst.Y[y*dst.YStride+x] = data[y*stride+4*x+1]
		}
	}
	return nil
}

// TestCapture: a window and the part of the screen where it is have its pixels, a picture comes only when something
// has changed, and a minimised window is reported as hidden.
func TestCapture(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	board := image.Rect(boardX, boardY, boardX+boardWidth, boardY+boardHeight)
	h := open(t, "Whiteboard", popup|whiteRect, board)

	d := New(green{})
	all, err := d.Shareables(image.Pt(100, 100))
	if err != nil {
		t.Fatal(err)
	}
	id := ""
	for i, s := range all {
		if s.Preview == nil {
			t.Errorf("%q has no picture", s.ID)
		}
		if i == 0 && (s.ID != media.WholeScreen || s.Size.X < 640) {
			t.Errorf("the first is %q of %v, want the screen", s.ID, s.Size)
		}
		if s.Window && s.Name == "Whiteboard" {
			id = s.ID
			if s.Size != board.Size() || s.Origin != board.Min {
				t.Errorf("the window is %v at %v, want %v", s.Size, s.Origin, board)
			}
		}
	}
	if id == "" {
		t.Fatalf("the window is not among %d that can be shared", len(all))
	}

	for _, id := range []string{id, "region:100,80,200x120"} {
		s, err := d.OpenScreen(id, media.ScreenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if i := s.Info(); i.Width != boardWidth || i.Height != boardHeight {
			t.Errorf("%s: %dx%d, want %dx%d", id, i.Width, i.Height, boardWidth, boardHeight)
		}
		g, err := newGrab()
		if err != nil {
			t.Fatal(err)
		}
		defer g.free()
		look := func() *media.Frame {
			t.Helper()
			f, err := s.(*source).look(g)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		if f := look(); f == nil || f.Y[20*f.YStride+20] != 255 || f.Y[100*f.YStride+190] != 255 {
			t.Fatalf("%s: no white picture of the window", id)
		}
		if look() != nil {
			t.Errorf("%s: a picture came though nothing had changed", id)
		}
		restyle(h, popup|shown|frameRect)
		if f := look(); f == nil || f.Y[20*f.YStride+20] > 200 {
			t.Errorf("%s: no dark picture of the window", id)
		}
		restyle(h, popup|shown|whiteRect)
	}

	s, err := d.OpenScreen(id, media.ScreenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGrab()
	if err != nil {
		t.Fatal(err)
	}
	defer g.free()
	var told []bool
	s.(media.Hideable).OnHidden(func(hidden bool) { told = append(told, hidden) })
	for _, how := range []uintptr{minimise, restore} {
		_, _, _ = showWindow.Call(h, how)
		paint(h)
		if _, err := s.(*source).look(g); err != nil {
			t.Fatal(err)
		}
	}
	if len(told) != 2 || !told[0] || told[1] {
		t.Errorf("told %v, want that it is hidden and then shown", told)
	}
	_, _, _ = destroyWindow.Call(h)
	if _, err := s.(*source).look(g); !errors.Is(err, media.ErrNoDevice) {
		t.Errorf("a closed window: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	d := New(green{})
	for id, want := range map[string]error{
		"window:0x7ffffff0":      media.ErrNoDevice,
		"screen:DISPLAY99":       media.ErrNoDevice,
		"region:30000,0,100x100": media.ErrNoDevice,
		"region:0,0,4x4":         media.ErrFormat,
		"something":              media.ErrNoDevice,
	} {
		if _, err := d.OpenScreen(id, media.ScreenOptions{}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", id, err, want)
		}
	}
}
