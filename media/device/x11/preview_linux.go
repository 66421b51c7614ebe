package x11

import (
	"fmt"
	"image"
	"slices"

	"github.com/jezek/xgb/composite"
	"github.com/jezek/xgb/xproto"

	"parley/media"
)

// Shareables lists what can be shared, each with a picture of at most the given size. Screens come first, then windows
// from the topmost down.
func (Driver) Shareables(preview image.Point) ([]media.Shareable, error) {
	if wayland() {
		return nil, fmt.Errorf("list screens and windows: %w", errWayland)
	}
	d, err := dial()
	if err != nil {
		return nil, fmt.Errorf("list screens and windows: %w", err)
	}
	defer d.hangUp()
	monitors, err := d.monitors()
	if err != nil {
		return nil, fmt.Errorf("list screens and windows: %w", err)
	}
	p := previewer{d: d, grab: grab{d: d}, size: preview}
	defer p.grab.free()
	p.grab.reserve(monitors[0].area.Dx() * monitors[0].area.Dy())
	var out []media.Shareable
	for _, m := range monitors {
		out = append(out, media.Shareable{
			Device: m.Device, Size: m.area.Size(), Origin: m.area.Min,
			Preview: p.take(xproto.Drawable(d.root), d.screen.RootDepth, m.area),
		})
	}
	windows := d.windows()
	for i, w := range slices.Backward(windows) {
		out = append(out, media.Shareable{
			Device: media.Device{Kind: media.Screen, ID: fmt.Sprintf("%s0x%x", media.WindowPrefix, w.id), Name: d.title(w.id)},
			Window: true, Size: w.area.Size(), Origin: w.area.Min,
			Preview: p.window(w, windows[i+1:], monitors[0].area),
		})
	}
	return out, nil
}

// previewer makes small pictures.
type previewer struct {
	d    *display
	grab grab
	size image.Point // the most
}

// window takes the picture of a window: from its pixmap if a compositor keeps one, otherwise from the screen if nothing
// lies on it. Redirecting the window just for this would make it flicker.
func (p *previewer) window(w topWindow, above []topWindow, screen image.Rectangle) *image.RGBA {
	if p.d.composite {
		id, err := xproto.NewPixmapId(p.d.Conn)
		if err == nil && composite.NameWindowPixmapChecked(p.d.Conn, w.id, id).Check() == nil {
			defer xproto.FreePixmap(p.d.Conn, id)
			return p.take(xproto.Drawable(id), w.depth, image.Rectangle{Max: w.area.Size()})
		}
	}
	for _, o := range above {
		if o.area.Overlaps(w.area) {
			return nil
		}
	}
	return p.take(xproto.Drawable(p.d.root), p.d.screen.RootDepth, w.area.Intersect(screen))
}

// take reads the part r of a drawable and scales it down.
func (p *previewer) take(from xproto.Drawable, depth byte, r image.Rectangle) *image.RGBA {
	if r.Dx() < 1 || r.Dy() < 1 || p.size.X < 1 || p.size.Y < 1 || !p.d.canRead(depth) {
		return nil
	}
	pixels, err := p.grab.read(from, r)
	if err != nil {
		return nil // it has just gone
	}
	return media.Preview(pixels, r.Dx(), r.Dy(), p.size)
}
