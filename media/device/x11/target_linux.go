package x11

import (
	"fmt"
	"image"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/composite"
	"github.com/jezek/xgb/randr"
	"github.com/jezek/xgb/xproto"

	"parley/media"
)

// scene is where the picture is now.
type scene struct {
	from   xproto.Drawable // pixels are read from it; 0 while nothing is visible
	origin image.Point     // of the picture within from
	size   image.Point     // of the picture, even
	window xproto.Window   // whose damage and pointer position we get
	offset image.Point     // of the picture within window
}

// target is what is shared: an area of the root window, or a window.
type target interface {
	// begin subscribes to the events that changed needs.
	begin(d *display) error
	// locate returns where it is now. When it has gone, the error is ErrNoDevice.
	locate(d *display) (scene, error)
	// changed reports whether ev makes it necessary to locate the target again. gone means that it no longer exists.
	changed(ev xgb.Event) (moved, gone bool)
}

func newTarget(s media.ScreenSpec) target {
	if s.Window != 0 {
		return &sharedWindow{id: xproto.Window(s.Window)}
	}
	return &screenArea{monitor: s.Monitor, region: s.Region}
}

// screenArea is the whole root window, a monitor or a region.
type screenArea struct {
	monitor string
	region  image.Rectangle
	root    xproto.Window
}

func (a *screenArea) begin(d *display) error {
	a.root = d.root
	if d.randr {
		randr.SelectInput(d.Conn, d.root, randr.NotifyMaskScreenChange|randr.NotifyMaskCrtcChange)
	}
	return selectStructure(d, d.root)
}

func selectStructure(d *display, w xproto.Window) error {
	return xproto.ChangeWindowAttributesChecked(d.Conn, w, xproto.CwEventMask, []uint32{xproto.EventMaskStructureNotify}).Check()
}

func (a *screenArea) locate(d *display) (scene, error) {
	monitors, err := d.monitors()
	if err != nil {
		return scene{}, err
	}
	r := monitors[0].area
	switch {
	case a.monitor != "":
		r = image.Rectangle{}
		for _, m := range monitors[1:] {
			if m.name == a.monitor {
				r = m.area
			}
		}
		if r.Empty() {
			return scene{}, fmt.Errorf("monitor %q: %w", a.monitor, media.ErrNoDevice)
		}
	case !a.region.Empty():
		r = a.region.Intersect(r)
	}
	size := media.EvenSize(r.Dx(), r.Dy())
	if size.X < media.MinScreen || size.Y < media.MinScreen {
		return scene{}, fmt.Errorf("region outside of the screen: %w", media.ErrNoDevice)
	}
	return scene{from: xproto.Drawable(d.root), origin: r.Min, size: size, window: d.root, offset: r.Min}, nil
}

func (a *screenArea) changed(ev xgb.Event) (moved, gone bool) {
	switch ev := ev.(type) {
	case xproto.ConfigureNotifyEvent:
		return ev.Window == a.root, false
	case randr.ScreenChangeNotifyEvent, randr.NotifyEvent:
		return true, false
	}
	return false, false
}

// sharedWindow is one window. With the Composite extension the server keeps all of it in a pixmap, even the parts that
// other windows cover. Without it, the part of the screen is shared, with everything on it.
type sharedWindow struct {
	id     xproto.Window
	pixmap xproto.Pixmap // of the window's newest size; 0 before it is seen
	border int
	last   image.Point // the size that the server reported last
	named  bool        // the server keeps a pixmap
}

func (w *sharedWindow) begin(d *display) error {
	events := []uint32{xproto.EventMaskStructureNotify | xproto.EventMaskPropertyChange}
	if err := xproto.ChangeWindowAttributesChecked(d.Conn, w.id, xproto.CwEventMask, events).Check(); err != nil {
		return fmt.Errorf("window: %w (%w)", media.ErrNoDevice, err)
	}
	w.named = d.composite && composite.RedirectWindowChecked(d.Conn, w.id, composite.RedirectAutomatic).Check() == nil
	return nil
}

func (w *sharedWindow) locate(d *display) (scene, error) {
	g, err := xproto.GetGeometry(d.Conn, xproto.Drawable(w.id)).Reply()
	if err != nil {
		return scene{}, fmt.Errorf("window: %w (%w)", media.ErrNoDevice, err)
	}
	a, err := xproto.GetWindowAttributes(d.Conn, w.id).Reply()
	if err != nil {
		return scene{}, fmt.Errorf("window: %w (%w)", media.ErrNoDevice, err)
	}
	if !d.canRead(g.Depth) {
		return scene{}, fmt.Errorf("window with %d bits of colour: %w", g.Depth, media.ErrFormat)
	}
	w.border, w.last = int(g.BorderWidth), image.Pt(int(g.Width), int(g.Height))
	viewable := a.MapState == xproto.MapStateViewable
	s := scene{window: w.id, size: media.EvenSize(int(g.Width), int(g.Height))}
	switch {
	case w.named:
		if viewable {
			w.name(d)
		}
		if w.pixmap == 0 {
			return s, nil
		}
		// The pixmap has the size that the window had when it got its name.
		p, err := xproto.GetGeometry(d.Conn, xproto.Drawable(w.pixmap)).Reply()
		if err != nil {
			return s, nil
		}
		s.from, s.origin = xproto.Drawable(w.pixmap), image.Pt(w.border, w.border)
		s.size = media.EvenSize(int(p.Width)-2*w.border, int(p.Height)-2*w.border)
	default:
		s.window = d.root // what covers the window is part of the picture
		if !viewable {
			return s, nil
		}
		if err := w.visible(d, &s); err != nil {
			return s, err
		}
	}
	if s.size.X < 2 || s.size.Y < 2 {
		s.from = 0
	}
	return s, nil
}

// name replaces the pixmap by the window's present one.
func (w *sharedWindow) name(d *display) {
	id, err := xproto.NewPixmapId(d.Conn)
	if err != nil {
		return
	}
	if composite.NameWindowPixmapChecked(d.Conn, w.id, id).Check() != nil {
		return // it was unmapped in the meantime; its last picture stays
	}
	if w.pixmap != 0 {
		xproto.FreePixmap(d.Conn, w.pixmap)
	}
	w.pixmap = id
}

// visible finds the part of the window that lies on the screen.
func (w *sharedWindow) visible(d *display, s *scene) error {
	t, err := xproto.TranslateCoordinates(d.Conn, w.id, d.root, 0, 0).Reply()
	if err != nil {
		return fmt.Errorf("window: %w (%w)", media.ErrNoDevice, err)
	}
	at := image.Pt(int(t.DstX), int(t.DstY))
	screen := image.Rect(0, 0, int(d.screen.WidthInPixels), int(d.screen.HeightInPixels))
	r := image.Rectangle{Min: at, Max: at.Add(w.last)}.Intersect(screen)
	s.from, s.origin, s.offset, s.size = xproto.Drawable(d.root), r.Min, r.Min, media.EvenSize(r.Dx(), r.Dy())
	return nil
}

func (w *sharedWindow) changed(ev xgb.Event) (moved, gone bool) {
	switch ev := ev.(type) {
	case xproto.ConfigureNotifyEvent:
		return ev.Window == w.id && (!w.named || w.last != image.Pt(int(ev.Width), int(ev.Height))), false
	case xproto.MapNotifyEvent:
		return ev.Window == w.id, false
	case xproto.UnmapNotifyEvent:
		return ev.Window == w.id && !w.named, false
	case xproto.DestroyNotifyEvent:
		return false, ev.Window == w.id
	}
	return false, false
}
