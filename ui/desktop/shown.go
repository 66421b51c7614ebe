package desktop

import (
	"context"
	"fmt"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver"
	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// The toolkit does not report whether its window is minimised or fully covered. X11 does: the window is not mapped
// (ICCCM 4.1.4), hidden by the window manager (EWMH, _NET_WM_STATE_HIDDEN), or, without a compositor, fully
// obscured.

// NativeID is the window's ID on the X server, 0 elsewhere. The window must have been opened;
// call it on the UI goroutine.
func NativeID(w fyne.Window) (id xproto.Window) {
	if n, ok := w.(driver.NativeWindow); ok {
		n.RunNative(func(c any) {
			if x, ok := c.(driver.X11WindowContext); ok {
				id = xproto.Window(x.WindowHandle)
			}
		})
	}
	return id
}

// WatchShown calls report whenever the window becomes visible or invisible, until ctx ends.
func WatchShown(ctx context.Context, id xproto.Window, report func(shown bool)) error {
	x, err := xgb.NewConn()
	if err != nil {
		return fmt.Errorf("watch the window: %w", err)
	}
	stop := context.AfterFunc(ctx, x.Close)
	defer func() {
		if stop() {
			x.Close()
		}
	}()
	const events = xproto.EventMaskStructureNotify | xproto.EventMaskVisibilityChange | xproto.EventMaskPropertyChange
	if err := xproto.ChangeWindowAttributesChecked(x, id, xproto.CwEventMask, []uint32{events}).Check(); err != nil {
		return fmt.Errorf("watch the window: %w", err)
	}
	state, hidden := atom(x, "_NET_WM_STATE"), atom(x, "_NET_WM_STATE_HIDDEN")
	mapped, covered, minimised := true, false, false
	was := true
	for {
		ev, failed := x.WaitForEvent()
		switch ev := ev.(type) {
		case nil:
			if failed == nil || ctx.Err() != nil {
				return nil // the connection is closed
			}
		case xproto.MapNotifyEvent:
			mapped = true
		case xproto.UnmapNotifyEvent:
			mapped = false
		case xproto.VisibilityNotifyEvent:
			covered = ev.State == xproto.VisibilityFullyObscured
		case xproto.PropertyNotifyEvent:
			if ev.Atom == state {
				minimised = slices.Contains(atoms(x, id, state), hidden)
			}
		}
		if shown := mapped && !covered && !minimised; shown != was {
			was = shown
			report(shown)
		}
	}
}

// atom is the server's number for a name, 0 if it has none.
func atom(x *xgb.Conn, name string) xproto.Atom {
	r, err := xproto.InternAtom(x, true, uint16(len(name)), name).Reply()
	if err != nil {
		return 0
	}
	return r.Atom
}

// atoms is a window's property that is a list of atoms.
func atoms(x *xgb.Conn, id xproto.Window, property xproto.Atom) []xproto.Atom {
	r, err := xproto.GetProperty(x, false, id, property, xproto.AtomAtom, 0, 64).Reply()
	if err != nil {
		return nil
	}
	var list []xproto.Atom
	for b := r.Value; len(b) >= 4; b = b[4:] {
		list = append(list, xproto.Atom(xgb.Get32(b)))
	}
	return list
}
