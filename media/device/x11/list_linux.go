package x11

import (
	"fmt"
	"image"
	"os"
	"strings"

	"github.com/jezek/xgb/randr"
	"github.com/jezek/xgb/xproto"

	"parley/media"
)

// monitorInfo is a part of the root window that can be shared as a screen.
type monitorInfo struct {
	media.Device
	name string // of the monitor; "" is all of them
	area image.Rectangle
}

// monitors lists the whole screen and, if there are several, the monitors.
func (d *display) monitors() ([]monitorInfo, error) {
	g, err := xproto.GetGeometry(d.Conn, xproto.Drawable(d.root)).Reply()
	if err != nil {
		return nil, fmt.Errorf("ask for the screen's size: %w", err)
	}
	out := []monitorInfo{{
		Device: media.Device{Kind: media.Screen, ID: media.WholeScreen, Name: "Entire screen", Default: true},
		area:   image.Rect(0, 0, int(g.Width), int(g.Height)),
	}}
	if !d.randr {
		return out, nil
	}
	m, err := randr.GetMonitors(d.Conn, d.root, true).Reply()
	if err != nil || len(m.Monitors) < 2 {
		return out, nil
	}
	out[0].Name = "All screens"
	for _, monitor := range m.Monitors {
		name, err := xproto.GetAtomName(d.Conn, monitor.Name).Reply()
		if err != nil {
			continue
		}
		at := image.Pt(int(monitor.X), int(monitor.Y))
		out = append(out, monitorInfo{
			Device: media.Device{Kind: media.Screen, ID: media.ScreenPrefix + name.Name, Name: "Screen " + name.Name},
			name:   name.Name,
			area:   image.Rectangle{Min: at, Max: at.Add(image.Pt(int(monitor.Width), int(monitor.Height)))},
		})
	}
	return out, nil
}

// describe names an opened screen, window or region.
func (d *display) describe(s media.ScreenSpec) media.Device {
	out := media.Device{Kind: media.Screen, ID: s.ID, Name: "Entire screen", Default: s.ID == media.WholeScreen}
	switch {
	case s.Window != 0:
		out.Name = d.title(xproto.Window(s.Window))
	case s.Monitor != "":
		out.Name = "Screen " + s.Monitor
	case !s.Region.Empty():
		out.Name = "Part of the screen"
	}
	return out
}

// title returns a window's title. It may be the name of a document, so it must be shown to the user only.
func (d *display) title(w xproto.Window) string {
	for _, name := range []string{"_NET_WM_NAME", "WM_NAME"} {
		if t := d.text(w, name); t != "" {
			return t
		}
	}
	// WM_CLASS is two strings, an instance and a class, that end with zeros.
	if _, class, ok := strings.Cut(d.text(w, "WM_CLASS"), "\x00"); ok && strings.Trim(class, "\x00") != "" {
		return strings.Trim(class, "\x00")
	}
	return "Window without a title"
}

// maxProperty is how much of a property is read, in units of four bytes.
const maxProperty = 1024

func (d *display) property(w xproto.Window, name string) []byte {
	a, err := xproto.InternAtom(d.Conn, true, uint16(len(name)), name).Reply()
	if err != nil || a.Atom == 0 {
		return nil
	}
	p, err := xproto.GetProperty(d.Conn, false, w, a.Atom, xproto.GetPropertyTypeAny, 0, maxProperty).Reply()
	if err != nil {
		return nil
	}
	return p.Value
}

func (d *display) text(w xproto.Window, name string) string {
	t := strings.ToValidUTF8(string(d.property(w, name)), "�")
	return strings.TrimSpace(t)
}

func (d *display) numbers(w xproto.Window, name string) []uint32 {
	b := d.property(w, name)
	var out []uint32
	for ; len(b) >= 4; b = b[4:] {
		out = append(out, uint32(b[0])|uint32(b[1])<<8|uint32(b[2])<<16|uint32(b[3])<<24)
	}
	return out
}

// windows lists the windows that can be shared, lowest first: the window manager's list or, without a window manager,
// the children of the root window.
func (d *display) windows() []topWindow {
	var ids []xproto.Window
	for _, n := range d.numbers(d.root, "_NET_CLIENT_LIST_STACKING") {
		ids = append(ids, xproto.Window(n))
	}
	if len(ids) == 0 {
		for _, n := range d.numbers(d.root, "_NET_CLIENT_LIST") {
			ids = append(ids, xproto.Window(n))
		}
	}
	if len(ids) == 0 {
		if t, err := xproto.QueryTree(d.Conn, d.root).Reply(); err == nil {
			ids = t.Children
		}
	}
	var out []topWindow
	for _, id := range ids {
		if s, ok := d.see(id); ok {
			out = append(out, s)
		}
	}
	return out
}

// topWindow is a window on the screen.
type topWindow struct {
	id    xproto.Window
	depth byte
	area  image.Rectangle // within the root window
}

// minWindow is the smallest width and height of a window that is offered for sharing.
const minWindow = 48

// see returns where a window is, and whether to offer it for sharing. It must be on the screen and large enough, and
// must not be a panel, a menu, or this program's own.
func (d *display) see(id xproto.Window) (s topWindow, ok bool) {
	a, err := xproto.GetWindowAttributes(d.Conn, id).Reply()
	if err != nil || a.MapState != xproto.MapStateViewable || a.OverrideRedirect || a.Class != xproto.WindowClassInputOutput {
		return s, false
	}
	g, err := xproto.GetGeometry(d.Conn, xproto.Drawable(id)).Reply()
	if err != nil || g.Width < minWindow || g.Height < minWindow || !d.canRead(g.Depth) {
		return s, false
	}
	if pid := d.numbers(id, "_NET_WM_PID"); len(pid) > 0 && int(pid[0]) == os.Getpid() {
		return s, false // sharing our own window would nest its picture in itself
	}
	if !d.normal(id) {
		return s, false
	}
	t, err := xproto.TranslateCoordinates(d.Conn, id, d.root, 0, 0).Reply()
	if err != nil {
		return s, false
	}
	at := image.Pt(int(t.DstX), int(t.DstY))
	return topWindow{id, g.Depth, image.Rectangle{Min: at, Max: at.Add(image.Pt(int(g.Width), int(g.Height)))}}, true
}

// normal reports whether a window is a normal one or a dialog by its type (Extended Window Manager Hints 1.5). A window
// without a type is normal.
func (d *display) normal(id xproto.Window) bool {
	types := d.numbers(id, "_NET_WM_WINDOW_TYPE")
	for _, t := range types {
		name, err := xproto.GetAtomName(d.Conn, xproto.Atom(t)).Reply()
		if err != nil {
			continue
		}
		switch name.Name {
		case "_NET_WM_WINDOW_TYPE_NORMAL", "_NET_WM_WINDOW_TYPE_DIALOG", "_NET_WM_WINDOW_TYPE_UTILITY":
			return true
		}
	}
	return len(types) == 0
}
