package x11

import (
	"image"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/composite"
	"github.com/jezek/xgb/damage"
	"github.com/jezek/xgb/xproto"
)

// popups are the menus, tooltips and dialogs of a shared window that lie over it: to the server they are
// windows of their own. It also knows whether the window itself is hidden.
type popups struct {
	d      *display
	owner  xproto.Window
	grab   grab
	layers []*layer // lowest first
	hidden bool     // the owner is minimised, or on no screen for another reason
	stale  bool     // windows may have come, gone or moved

	owned map[xproto.Window]xproto.Window // child of the root on the screen -> what of it belongs to owner, or 0
}

// layer is one window over the picture.
type layer struct {
	window xproto.Window
	pixmap xproto.Pixmap
	depth  byte
	area   image.Rectangle // within the picture
	damage damage.Damage   // 0 where the server tells of none
	told   bool            // it was drawn to
}

func newPopups(d *display, owner xproto.Window) *popups {
	return &popups{
		d: d, owner: owner, grab: grab{d: d}, stale: true,
		owned: make(map[xproto.Window]xproto.Window),
	}
}

// begin asks to be told of the windows on the screen.
func (p *popups) begin() error {
	return xproto.ChangeWindowAttributesChecked(p.d.Conn, p.d.root, xproto.CwEventMask,
		[]uint32{xproto.EventMaskSubstructureNotify}).Check()
}

// handle takes in an event of the server.
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

// damaged notes that a drawable was drawn to; false if it is none of the layers.
func (p *popups) damaged(w xproto.Drawable) bool {
	for _, l := range p.layers {
		if xproto.Drawable(l.window) == w {
			l.told = true
			return true
		}
	}
	return false
}

// busy says whether update has something to do.
func (p *popups) busy() bool {
	if p.stale {
		return true
	}
	for _, l := range p.layers {
		if l.told || l.damage == 0 {
			return true
		}
	}
	return false
}

// update brings the layers up to date and returns the parts of the picture that change by it.
func (p *popups) update() []image.Rectangle {
	var dirty []image.Rectangle
	if p.stale {
		p.stale = false
		dirty = p.scan()
	}
	for _, l := range p.layers {
		if l.told || l.damage == 0 {
			if l.damage != 0 {
				damage.Subtract(p.d.Conn, l.damage, 0, 0)
			}
			l.told = false
			dirty = append(dirty, l.area)
		}
	}
	return dirty
}

// scan finds the layers anew.
func (p *popups) scan() []image.Rectangle {
	a, err := xproto.GetWindowAttributes(p.d.Conn, p.owner).Reply()
	if err != nil {
		return nil // it has gone, of which there is another event
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
	return dirty // new layers are told of already
}

// find returns the layers there are now, those of before among them where nothing has changed.
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
		l := &layer{window: w, depth: g.Depth, area: image.Rectangle{Min: min, Max: min.Add(size)}, told: true}
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

// take has the server keep the layer's pixels, and tell when they change.
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
			delete(p.owned, w) // when it comes back it may be of use for something else
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
			continue // it has just gone, of which there is an event
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

// overlay lays pixels whose colours are multiplied by their alpha already over others.
func overlay(to, from []byte) {
	for i := 0; i < len(to); i += 4 {
		rest := 255 - uint32(from[i+3])
		for n := range 3 {
			to[i+n] = byte(min(uint32(from[i+n])+uint32(to[i+n])*rest/255, 255))
		}
	}
}

func (p *popups) free() { p.grab.free() }
