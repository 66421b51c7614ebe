package x11

import (
	"slices"

	"github.com/jezek/xgb/xproto"
)

// maxDepth bounds the search through a tree of windows. A window manager puts one or two frames around a window, and
// few dialogs are nested three deep.
const maxDepth = 8

// topLevel is the child of the root that w is in.
func (d *display) topLevel(w xproto.Window) xproto.Window {
	for range maxDepth {
		t, err := xproto.QueryTree(d.Conn, w).Reply()
		if err != nil || t.Parent == d.root || t.Parent == 0 {
			return w
		}
		w = t.Parent
	}
	return w
}

// client is a program's window inside the window manager's frame, or the window itself if it has no frame.
func (d *display) client(w xproto.Window, depth int) xproto.Window {
	if len(d.numbers(w, "WM_STATE")) > 0 {
		return w
	}
	t, err := xproto.QueryTree(d.Conn, w).Reply()
	if err != nil || depth == 0 {
		return 0
	}
	for _, child := range t.Children {
		if c := d.client(child, depth-1); c != 0 {
			return c
		}
	}
	return 0
}

// ownedBy returns the window in a child of the root that belongs to owner: that child, the window inside the frame, or
// 0. A window with WM_TRANSIENT_FOR belongs to the window named there only. Menus seldom have it: they belong to all
// windows of their program.
func (d *display) ownedBy(w, owner xproto.Window, overrideRedirect bool) xproto.Window {
	if !overrideRedirect {
		if c := d.client(w, 3); c != 0 {
			w = c
		}
	}
	if w == owner {
		return 0
	}
	if of := d.numbers(w, "WM_TRANSIENT_FOR"); len(of) > 0 && of[0] != 0 && xproto.Window(of[0]) != d.root {
		if d.transientFor(xproto.Window(of[0]), owner) {
			return w
		}
		return 0
	}
	if (overrideRedirect || d.isPopup(w)) && d.sameProgram(w, owner) {
		return w
	}
	return 0
}

// transientFor follows WM_TRANSIENT_FOR from w to owner.
func (d *display) transientFor(w, owner xproto.Window) bool {
	for range maxDepth {
		if w == owner {
			return true
		}
		of := d.numbers(w, "WM_TRANSIENT_FOR")
		if len(of) == 0 {
			return false
		}
		w = xproto.Window(of[0])
	}
	return false
}

// isPopup decides by a window's type (Extended Window Manager Hints 1.5).
func (d *display) isPopup(w xproto.Window) bool {
	for _, t := range d.numbers(w, "_NET_WM_WINDOW_TYPE") {
		name, err := xproto.GetAtomName(d.Conn, xproto.Atom(t)).Reply()
		if err != nil {
			continue
		}
		switch name.Name {
		case "_NET_WM_WINDOW_TYPE_DIALOG", "_NET_WM_WINDOW_TYPE_MENU", "_NET_WM_WINDOW_TYPE_POPUP_MENU",
			"_NET_WM_WINDOW_TYPE_DROPDOWN_MENU", "_NET_WM_WINDOW_TYPE_TOOLTIP", "_NET_WM_WINDOW_TYPE_COMBO":
			return true
		}
	}
	return false
}

// sameProgram compares the connections that made two windows: the upper bits of their IDs. A program may have several
// connections, so it also compares the windows' process IDs and client leaders.
func (d *display) sameProgram(a, b xproto.Window) bool {
	mask := xproto.Setup(d.Conn).ResourceIdMask
	if uint32(a)&^mask == uint32(b)&^mask {
		return true
	}
	for _, name := range []string{"_NET_WM_PID", "WM_CLIENT_LEADER"} {
		x, y := d.numbers(a, name), d.numbers(b, name)
		if len(x) > 0 && len(y) > 0 && x[0] != 0 && x[0] == y[0] {
			return true
		}
	}
	return false
}

// minimised reports whether the window manager has minimised a window, which it may do without unmapping it.
func (d *display) minimised(w xproto.Window) bool {
	const iconic = 3 // ICCCM 4.1.3.1
	if s := d.numbers(w, "WM_STATE"); len(s) > 0 && s[0] == iconic {
		return true
	}
	a, err := xproto.InternAtom(d.Conn, true, uint16(len("_NET_WM_STATE_HIDDEN")), "_NET_WM_STATE_HIDDEN").Reply()
	return err == nil && a.Atom != 0 && slices.Contains(d.numbers(w, "_NET_WM_STATE"), uint32(a.Atom))
}
