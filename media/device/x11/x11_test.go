//go:build linux

package x11_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/randr"
	"github.com/jezek/xgb/xproto"

	"parley/media"
	"parley/media/codec"
	"parley/media/device/x11"
)

// The colours of the tests, as a pixel and as BT.601 has them.
const (
	red, green, blue, white, black = 0xff0000, 0x00ff00, 0x0000ff, 0xffffff, 0x000000
)

func yOf(colour uint32) byte {
	return map[uint32]byte{red: 82, green: 144, blue: 41, white: 235, black: 16}[colour]
}

// program is another program with windows on the display.
type program struct {
	t  testing.TB
	c  *xgb.Conn
	gc xproto.Gcontext
}

func startProgram(t testing.TB) *program {
	t.Helper()
	c, err := xgb.NewConn()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		for {
			if ev, err := c.WaitForEvent(); ev == nil && err == nil {
				return
			}
		}
	})
	p := &program{t: t, c: c}
	p.gc, err = xproto.NewGcontextId(c)
	if err != nil {
		t.Fatal(err)
	}
	p.must(xproto.CreateGCChecked(c, p.gc, xproto.Drawable(p.root()), 0, nil))
	return p
}

func (p *program) root() xproto.Window { return xproto.Setup(p.c).DefaultScreen(p.c).Root }

func (p *program) must(cookie interface{ Check() error }) {
	p.t.Helper()
	if err := cookie.Check(); err != nil {
		p.t.Fatal(err)
	}
}

// window opens a window of one colour and lays it on top of the others.
func (p *program) window(r image.Rectangle, colour uint32, title string) xproto.Window {
	p.t.Helper()
	w, err := xproto.NewWindowId(p.c)
	if err != nil {
		p.t.Fatal(err)
	}
	p.must(xproto.CreateWindowChecked(p.c, xproto.WindowClassCopyFromParent, w, p.root(), int16(r.Min.X), int16(r.Min.Y),
		uint16(r.Dx()), uint16(r.Dy()), 3, xproto.WindowClassInputOutput, 0, xproto.CwBackPixel|xproto.CwBorderPixel, []uint32{colour, black}))
	p.must(xproto.ChangePropertyChecked(p.c, xproto.PropModeReplace, w, xproto.AtomWmName, xproto.AtomString, 8, uint32(len(title)), []byte(title)))
	p.must(xproto.MapWindowChecked(p.c, w))
	return w
}

func (p *program) atom(name string) xproto.Atom {
	p.t.Helper()
	a, err := xproto.InternAtom(p.c, false, uint16(len(name)), name).Reply()
	if err != nil {
		p.t.Fatal(err)
	}
	return a.Atom
}

// numbers sets a property of a window.
func (p *program) numbers(w xproto.Window, name string, kind xproto.Atom, v uint32) {
	p.t.Helper()
	p.must(xproto.ChangePropertyChecked(p.c, xproto.PropModeReplace, w, p.atom(name), kind, 32, 1, binary.LittleEndian.AppendUint32(nil, v)))
}

func (p *program) fill(w xproto.Window, r image.Rectangle, colour uint32) {
	p.t.Helper()
	p.must(xproto.ChangeGCChecked(p.c, p.gc, xproto.GcForeground, []uint32{colour}))
	p.must(xproto.PolyFillRectangleChecked(p.c, xproto.Drawable(w), p.gc, []xproto.Rectangle{
		{X: int16(r.Min.X), Y: int16(r.Min.Y), Width: uint16(r.Dx()), Height: uint16(r.Dy())},
	}))
}

func (p *program) place(w xproto.Window, r image.Rectangle) {
	p.t.Helper()
	p.must(xproto.ConfigureWindowChecked(p.c, w, xproto.ConfigWindowX|xproto.ConfigWindowY|xproto.ConfigWindowWidth|xproto.ConfigWindowHeight,
		[]uint32{uint32(r.Min.X), uint32(r.Min.Y), uint32(r.Dx()), uint32(r.Dy())}))
}

func (p *program) point(x, y int) {
	p.t.Helper()
	p.must(xproto.WarpPointerChecked(p.c, 0, p.root(), 0, 0, 0, 0, int16(x), int16(y)))
}

// resize gives the screen another size, as xrandr does: with the monitor off meanwhile.
func (p *program) resize(w, h uint16) {
	p.t.Helper()
	res, err := randr.GetScreenResourcesCurrent(p.c, p.root()).Reply()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, crtc := range res.Crtcs {
		if _, err := randr.SetCrtcConfig(p.c, crtc, 0, res.ConfigTimestamp, 0, 0, 0, randr.RotationRotate0, nil).Reply(); err != nil {
			p.t.Fatal(err)
		}
	}
	p.must(randr.SetScreenSizeChecked(p.c, p.root(), w, h, 160, 120))
}

func windowID(w xproto.Window) string { return fmt.Sprintf("window:0x%x", w) }

// looks opens a screen for single pictures until the test ends.
func looks(t *testing.T, id string, o media.ScreenOptions) x11.ScreenLook {
	t.Helper()
	l, err := x11.LookAt(id, o, codec.New())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// clock is the time of the test's pictures.
var clock = time.Unix(1e9, 0)

func look(t *testing.T, l x11.ScreenLook) *media.Frame {
	t.Helper()
	clock = clock.Add(time.Second)
	f, err := l.Look(clock)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// picture takes a picture, and fails if there is none.
func picture(t *testing.T, l x11.ScreenLook) *media.Frame {
	t.Helper()
	f := look(t, l)
	if f == nil {
		t.Fatal("there is no new picture")
	}
	return f
}

// shows checks the colour at a place.
func shows(t *testing.T, f *media.Frame, x, y int, colour uint32) {
	t.Helper()
	if got, want := f.Y[y*f.YStride+x], yOf(colour); max(got, want)-min(got, want) > 3 {
		t.Errorf("luma at %d,%d is %d, want %d for #%06x", x, y, got, want, colour)
	}
}

var quiet = slog.New(slog.DiscardHandler)

// servers are X servers with and without the extensions that make capturing cheap.
var servers = map[string][]string{
	"everything":       nil,
	"no DAMAGE":        {"-extension", "DAMAGE"},
	"no Composite":     {"-extension", "Composite"},
	"no shared memory": {"-extension", "MIT-SHM"},
	"no RANDR":         {"-extension", "RANDR"},
}

func TestScreenPartsThatChange(t *testing.T) {
	for name, args := range servers {
		t.Run(name, func(t *testing.T) {
			startX(t, "640x480x24", args...)
			p := startProgram(t)
			w := p.window(image.Rect(100, 100, 400, 300), red, "one")
			l := looks(t, "screen:0", media.ScreenOptions{})
			f := picture(t, l)
			if f.Width != 640 || f.Height != 480 {
				t.Fatalf("picture of %dx%d", f.Width, f.Height)
			}
			shows(t, f, 200, 200, red)
			shows(t, f, 10, 10, black)
			for range 20 {
				if f := look(t, l); f != nil {
					t.Fatal("nothing has changed, and there is a new picture")
				}
			}
			if idle := l.Idle(); idle != (name != "no DAMAGE") {
				t.Errorf("idle: %v", idle)
			}
			p.fill(w, image.Rect(11, 11, 31, 21), blue)
			p.fill(w, image.Rect(201, 151, 261, 191), green)
			f = picture(t, l)
			shows(t, f, 100+3+11, 100+3+11, blue)
			shows(t, f, 100+3+30, 100+3+20, blue)
			shows(t, f, 100+3+31, 100+3+20, red)
			shows(t, f, 100+3+230, 100+3+170, green)
			shows(t, f, 200, 200, red)
		})
	}
}

func TestWindowIsShared(t *testing.T) {
	for name, args := range servers {
		t.Run(name, func(t *testing.T) {
			startX(t, "640x480x24", args...)
			whole := name != "no Composite" // without it, what is covered is not seen
			p := startProgram(t)
			w := p.window(image.Rect(100, 100, 301, 251), red, "Secret plans")
			l := looks(t, windowID(w), media.ScreenOptions{})
			f := picture(t, l)
			if f.Width != 200 || f.Height != 150 {
				t.Fatalf("picture of %dx%d, want 200x150", f.Width, f.Height)
			}
			shows(t, f, 0, 0, red)
			shows(t, f, 199, 149, red)
			// It is drawn to while another window covers it.
			p.window(image.Rect(50, 50, 350, 350), white, "cover")
			p.fill(w, image.Rect(0, 0, 100, 100), green)
			if f := look(t, l); whole {
				shows(t, f, 50, 50, green)
				shows(t, f, 150, 120, red)
			} else {
				shows(t, f, 50, 50, white)
			}
			// Moved beyond the screen's edge, then larger.
			p.place(w, image.Rect(-50, 400, 151, 551))
			if f := look(t, l); !whole {
				shows(t, f, 100, 50, red)
			}
			p.place(w, image.Rect(0, 360, 320, 480))
			p.fill(w, image.Rect(0, 0, 320, 120), blue)
			f = picture(t, l)
			if want := image.Pt(320, 120); whole && f.Bounds().Size() != want {
				t.Fatalf("picture of %v, want %v", f.Bounds().Size(), want)
			}
			shows(t, f, 200, 60, blue)
			// Minimised and back: the picture before stays.
			p.must(xproto.UnmapWindowChecked(p.c, w))
			if f := look(t, l); f != nil && whole {
				t.Error("a picture of a window that is not there")
			}
			p.must(xproto.MapWindowChecked(p.c, w))
			p.fill(w, image.Rect(0, 0, 320, 120), green)
			shows(t, picture(t, l), 200, 60, green)
			p.must(xproto.DestroyWindowChecked(p.c, w))
			if _, err := l.Look(clock); !errors.Is(err, media.ErrLost) {
				t.Errorf("the window was closed: %v, want ErrLost", err)
			}
			if _, err := x11.LookAt(windowID(w), media.ScreenOptions{}, codec.New()); !errors.Is(err, media.ErrNoDevice) {
				t.Errorf("open a closed window: %v, want ErrNoDevice", err)
			}
		})
	}
}

func TestPointer(t *testing.T) {
	startX(t, "640x480x24")
	p := startProgram(t)
	w := p.window(image.Rect(0, 0, 640, 480), blue, "one")
	p.point(321, 201)
	with, without := looks(t, "screen:0", media.ScreenOptions{Pointer: true}), looks(t, "screen:0", media.ScreenOptions{})
	window := looks(t, windowID(w), media.ScreenOptions{Pointer: true})
	marks := func(f *media.Frame, at image.Point) int {
		n := 0
		for y := max(at.Y-24, 0); y < min(at.Y+24, f.Height); y++ {
			for x := max(at.X-24, 0); x < min(at.X+24, f.Width); x++ {
				if v := f.Y[y*f.YStride+x]; max(v, yOf(blue))-min(v, yOf(blue)) > 5 {
					n++
				}
			}
		}
		return n
	}
	at := image.Pt(321, 201)
	if n := marks(picture(t, with), at); n < 20 {
		t.Errorf("%d pixels of a pointer", n)
	}
	if n := marks(picture(t, without), at); n != 0 {
		t.Errorf("%d pixels of a pointer where none is wanted", n)
	}
	if n := marks(picture(t, window), at.Sub(image.Pt(3, 3))); n < 20 {
		t.Errorf("%d pixels of a pointer in a window", n)
	}
	to := image.Pt(101, 401)
	p.point(to.X, to.Y)
	f := picture(t, with)
	if before, now := marks(f, at), marks(f, to); before != 0 || now < 20 {
		t.Errorf("moved: %d pixels where it was, %d where it is", before, now)
	}
	if f := look(t, without); f != nil {
		t.Error("a new picture for a pointer that is not in it")
	}
	if f := look(t, with); f != nil {
		t.Error("a new picture for a pointer that stands still")
	}
}

func TestRegions(t *testing.T) {
	startX(t, "640x480x24")
	p := startProgram(t)
	p.window(image.Rect(100, 100, 400, 300), red, "one")
	l := looks(t, "region:107,109,33x21", media.ScreenOptions{})
	f := picture(t, l)
	if f.Width != 32 || f.Height != 20 {
		t.Errorf("region of 33x21 is a picture of %dx%d", f.Width, f.Height)
	}
	shows(t, f, 0, 0, red)
	shows(t, f, 31, 19, red)
	// Partly outside, it is what there is of it.
	l = looks(t, "region:600,-20,200x100", media.ScreenOptions{})
	if f := picture(t, l); f.Width != 40 || f.Height != 80 {
		t.Errorf("at the edge: %dx%d, want 40x80", f.Width, f.Height)
	}
	m := x11.New(codec.New())
	t.Cleanup(func() { m.Close() })
	for id, want := range map[string]error{
		"region:0,0,1x1":          media.ErrFormat,
		"region:700,0,100x100":    media.ErrNoDevice,
		"region:0,0,0x0":          media.ErrNoDevice,
		"region:0,0,-5x5":         media.ErrNoDevice,
		"region:0,0":              media.ErrNoDevice,
		"region:a,b,cxd":          media.ErrNoDevice,
		"region:0,0,99999999x100": media.ErrNoDevice,
		"window:0xdead":           media.ErrNoDevice,
		"window:":                 media.ErrNoDevice,
		"window:0":                media.ErrNoDevice,
		"window:one":              media.ErrNoDevice,
		"screen:HDMI-9":           media.ErrNoDevice,
		"screen:":                 media.ErrNoDevice,
		"nonsense":                media.ErrNoDevice,
	} {
		if s, err := m.OpenScreen(id, media.ScreenOptions{}); !errors.Is(err, want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("OpenScreen(%q): %v, %v; want %v", id, s, err, want)
		}
	}
}

func TestScreenChangesItsSize(t *testing.T) {
	startX(t, "1280x720x24")
	p := startProgram(t)
	p.window(image.Rect(0, 0, 1280, 720), red, "one")
	// The library's tables are written before anybody reads them.
	if err := randr.Init(p.c); err != nil {
		t.Fatal(err)
	}
	l, edge := looks(t, "screen:0", media.ScreenOptions{}), looks(t, "region:1000,500,200x200", media.ScreenOptions{})
	picture(t, l)
	picture(t, edge)
	p.resize(640, 480)
	f := picture(t, l)
	if f.Width != 640 || f.Height != 480 {
		t.Errorf("picture of %dx%d, want 640x480", f.Width, f.Height)
	}
	shows(t, f, 600, 400, red)
	clock = clock.Add(time.Second)
	if _, err := edge.Look(clock); !errors.Is(err, media.ErrLost) {
		t.Errorf("a region that is outside now: %v, want ErrLost", err)
	}
}

func TestShareables(t *testing.T) {
	startX(t, "640x480x24")
	p := startProgram(t)
	below := p.window(image.Rect(0, 0, 300, 200), red, "Below")
	top := p.window(image.Rect(200, 100, 500, 400), green, "On top")
	p.window(image.Rect(600, 400, 620, 420), blue, "Tiny")
	own := p.window(image.Rect(520, 0, 620, 100), blue, "Ours")
	p.numbers(own, "_NET_WM_PID", xproto.AtomCardinal, uint32(os.Getpid()))
	dock := p.window(image.Rect(0, 410, 200, 470), blue, "Dock")
	p.numbers(dock, "_NET_WM_WINDOW_TYPE", xproto.AtomAtom, uint32(p.atom("_NET_WM_WINDOW_TYPE_DOCK")))
	m := x11.New(codec.New())
	t.Cleanup(func() { m.Close() })
	list, err := m.Shareables(image.Pt(100, 75))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range list {
		got = append(got, s.ID+" "+s.Name)
	}
	want := []string{"screen:0 Entire screen", windowID(top) + " On top", windowID(below) + " Below"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("shareables %q, want %q", got, want)
	}
	if s := list[0]; s.Window || s.Size != image.Pt(640, 480) || s.Preview.Bounds().Size() != image.Pt(100, 75) {
		t.Errorf("screen: %+v", s)
	}
	if c := list[0].Preview.RGBAAt(50, 40); c.G < 250 || c.R > 5 {
		t.Errorf("the preview shows %v where the window on top is", c)
	}
	if s := list[1]; !s.Window || s.Size != image.Pt(300, 300) || s.Preview == nil || s.Preview.RGBAAt(30, 30).G < 250 {
		t.Errorf("window on top: %+v", s)
	}
	// No other window is shown in its place.
	if list[2].Preview != nil {
		t.Error("a preview of a window that is covered")
	}
	t.Setenv("XDG_SESSION_TYPE", "wayland")
	if _, err := m.Shareables(image.Pt(100, 75)); !errors.Is(err, media.ErrUnsupported) {
		t.Errorf("Wayland: %v, want ErrUnsupported", err)
	}
	t.Setenv("XDG_SESSION_TYPE", "x11")
	t.Setenv("DISPLAY", "")
	if _, err := m.Shareables(image.Pt(100, 75)); !errors.Is(err, media.ErrNoDevice) {
		t.Errorf("no display: %v, want ErrNoDevice", err)
	}
}

// TestWindowTitleIsSecret runs the real loop until the window closes.
func TestWindowTitleIsSecret(t *testing.T) {
	startX(t, "640x480x24")
	p := startProgram(t)
	w := p.window(image.Rect(0, 0, 300, 200), red, "Secret plans")
	m := x11.New(codec.New())
	t.Cleanup(func() { m.Close() })
	s, err := m.OpenScreen(windowID(w), media.ScreenOptions{Motion: true})
	if err != nil {
		t.Fatal(err)
	}
	if i := s.Info(); i.Device.Name != "Secret plans" || i.FrameRate != 30 || i.Width != 300 {
		t.Errorf("Info says %+v", i)
	}
	done := make(chan error, 1)
	var seen watched
	go func() { done <- s.Run(context.Background(), seen.emit) }()
	eventually(t, "red", func() bool { return seen.shows(82, 90, 240) })
	p.must(xproto.DestroyWindowChecked(p.c, w))
	if err := <-done; !errors.Is(err, media.ErrLost) || strings.Contains(err.Error(), "Secret") {
		t.Errorf("the window was closed: %v", err)
	}
}
