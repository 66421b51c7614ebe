package x11

import (
	"image"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/composite"
	"github.com/jezek/xgb/damage"
	"github.com/jezek/xgb/xproto"
)

// popups are the menus, tooltips and dialogs that lie over a shared window. To the server they are windows of their
// own. It also knows whether the shared window is hidden.
type popups struct {
	d      *display
	owner  xproto.Window
	grab   grab
	layers []*layer // lowest first
	hidden bool     // the shared window is minimised, or not on the screen for another reason
	stale  bool     // windows may have opened, closed or moved

	owned map[xproto.Window]xproto.Window // child of the root on the screen -> the window in it that belongs to owner, or 0
}

// layer is one window over the picture.
type layer struct {
	window xproto.Window
	pixmap xproto.Pixmap
	depth  byte
	area   image.Rectangle // within the picture
	damage damage.Damage   // 0 if the server cannot report damage
	dirty  bool            // it was drawn to
}

func newPopups(d *display, owner xproto.Window) *popups {
	return &popups{
		d: d, owner: owner, grab: grab{d: d}, stale: true,
		owned: make(map[xproto.Window]xproto.Window),
	}
}

// begin subscribes to events about the windows on the screen.
func (p *popups) begin() error {
	return xproto.ChangeWindowAttributesChecked(p.d.Conn, p.d.root, xproto.CwEventMask,
		[]uint32{xproto.EventMaskSubstructureNotify}).Check()
}

// handle processes an event of the server.
func (p *popups) handle(ev xgb.Event) {
	switch ev := ev.(type) {
	case xproto.MapNotifyEvent, xproto.UnmapNotifyEvent, xproto.ConfigureNotifyEvent, xproto.CirculateNotifyEvent:
		p.stale = true
	case xproto.PropertyNotifyEvent: // of the owner: the window manager says that it is minimised
		p.stale = true
	case xproto.DestroyNotifyEvent: // numbers are used again
		delete(p.owned, ev.Window)
		p.stale = true
	case xproto.ReparentNotifyEvent:
		clear(p.owned)
		p.stale = true
	}
}

// damaged notes that a drawable was drawn to. It returns false if the drawable is not one of the layers.
func (p *popups) damaged(w xproto.Drawable) bool {
	for _, l := range p.layers {
		if xproto.Drawable(l.window) == w {
			l.dirty = true
			return true
		}
	}
	return false
}

// busy reports whether update has something to do.
func (p *popups) busy() bool {
	if p.stale {
		return true
	}
	for _, l := range p.layers {
		if l.dirty || l.damage == 0 {
			return true
		}
	}
	return false
}

// update brings the layers up to date and returns the parts of the picture that change.
func (p *popups) update() []image.Rectangle {
	var dirty []image.Rectangle
	if p.stale {
		p.stale = false
		dirty = p.scan()
	}
	for _, l := range p.layers {
		if l.dirty || l.damage == 0 {
			if l.damage != 0 {
				damage.Subtract(p.d.Conn, l.damage, 0, 0)
			}
			l.dirty = false
			dirty = append(dirty, l.area)
		}
	}
	return dirty
}

// scan finds the layers again.
func (p *popups) scan() []image.Rectangle {
	a, err := xproto.GetWindowAttributes(p.d.Conn, p.owner).Reply()
	if err != nil {
		return nil // the window has gone: another event says so
	}
	p.hidden = a.MapState != xproto.MapStateViewable || p.d.minimised(p.owner)
	before := p.layers
	p.layers = nil
	if !p.hidden && p.d.composite {
		p.layers = p.find(before)
	}
	var dirty []image.Rectangle
	kept := make(map[*layer]bool)
	for _, l := range p.layers {
		kept[l] = true
	}
	for _, l := range before {
		if !kept[l] {
			dirty = append(dirty, l.area)
			p.drop(l)
		}
	}
	return dirty // new layers are in it already
}

// find returns the present layers. It reuses those that have not changed.
func (p *popups) find(before []*layer) []*layer {
	at, err := xproto.TranslateCoordinates(p.d.Conn, p.owner, p.d.root, 0, 0).Reply()
	if err != nil {
		return nil
	}
	corner := image.Pt(int(at.DstX), int(at.DstY))
	var out []*layer
	for _, w := range p.above() {
		g, err := xproto.GetGeometry(p.d.Conn, xproto.Drawable(w)).Reply()
		if err != nil || !p.d.canRead(g.Depth) {
			continue
		}
		at, err := xproto.TranslateCoordinates(p.d.Conn, w, p.d.root, 0, 0).Reply()
		if err != nil {
			continue
		}
		border := int(g.BorderWidth)
		size := image.Pt(int(g.Width)+2*border, int(g.Height)+2*border)
		min := image.Pt(int(at.DstX)-border, int(at.DstY)-border).Sub(corner)
		l := &layer{window: w, depth: g.Depth, area: image.Rectangle{Min: min, Max: min.Add(size)}, dirty: true}
		if same := unchanged(before, l); same != nil {
			out = append(out, same)
		} else if p.take(l) {
			out = append(out, l)
		}
	}
	return out
}

func unchanged(before []*layer, l *layer) *layer {
	for _, b := range before {
		if b.window == l.window && b.area == l.area {
			return b
		}
	}
	return nil
}

// take makes the server keep the layer's pixels and report when they change.
func (p *popups) take(l *layer) bool {
	composite.RedirectWindow(p.d.Conn, l.window, composite.RedirectAutomatic)
	pixmap, err := xproto.NewPixmapId(p.d.Conn)
	if err != nil || composite.NameWindowPixmapChecked(p.d.Conn, l.window, pixmap).Check() != nil {
		return false // it has just gone
	}
	l.pixmap = pixmap
	if !p.d.damage {
		return true
	}
	if id, err := damage.NewDamageId(p.d.Conn); err == nil &&
		damage.CreateChecked(p.d.Conn, id, xproto.Drawable(l.window), damage.ReportLevelNonEmpty).Check() == nil {
		l.damage = id
	}
	return true
}

func (p *popups) drop(l *layer) {
	xproto.FreePixmap(p.d.Conn, l.pixmap)
	if l.damage != 0 {
		damage.Destroy(p.d.Conn, l.damage) // an error where its window has gone, and it with it
	}
}

// above lists the windows that belong to the owner and lie above it, lowest first.
func (p *popups) above() []xproto.Window {
	top := p.d.topLevel(p.owner)
	t, err := xproto.QueryTree(p.d.Conn, p.d.root).Reply()
	if err != nil {
		return nil
	}
	var cookies []xproto.GetWindowAttributesCookie
	for _, w := range t.Children {
		cookies = append(cookies, xproto.GetWindowAttributes(p.d.Conn, w))
	}
	var out []xproto.Window
	reached := false
	for i, w := range t.Children {
		a, err := cookies[i].Reply()
		if err != nil || a.MapState != xproto.MapStateViewable || a.Class != xproto.WindowClassInputOutput {
			delete(p.owned, w) // it may belong to another window when it is mapped again
			continue
		}
		if w == top {
			reached = true
			continue
		}
		if !reached {
			continue
		}
		belongs, ok := p.owned[w]
		if !ok {
			belongs = p.d.ownedBy(w, p.owner, a.OverrideRedirect)
			p.owned[w] = belongs
		}
		if belongs != 0 {
			out = append(out, belongs)
		}
	}
	return out
}

// draw lays the layers over the pixels of the part r of the picture.
func (p *popups) draw(pixels []byte, r image.Rectangle) {
	for _, l := range p.layers {
		part := l.area.Intersect(r)
		if part.Empty() {
			continue
		}
		over, err := p.grab.read(xproto.Drawable(l.pixmap), part.Sub(l.area.Min))
		if err != nil {
			continue // it has just gone: an event will say so
		}
		for y := range part.Dy() {
			to := pixels[4*((part.Min.Y-r.Min.Y+y)*r.Dx()+part.Min.X-r.Min.X):][:4*part.Dx()]
			from := over[4*y*part.Dx():][:4*part.Dx()]
			if l.depth == 32 {
				overlay(to, from)
			} else {
				copy(to, from)
			}
		}
	}
}

// overlay blends premultiplied pixels over others.
func overlay(to, from []byte) {
	for i := 0; i < len(to); i += 4 {
		rest := 255 - uint32(from[i+3])
		for n := range 3 {
			to[i+n] = byte(min(uint32(from[i+n])+uint32(to[i+n])*rest/255, 255))
		}
	}
}

func (p *popups) free() { p.grab.free() }
