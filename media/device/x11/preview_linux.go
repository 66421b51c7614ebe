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
	return shrink(pixels, r.Dx(), r.Dy(), p.size)
}

// shrink scales a picture of bytes B, G, R and one unused down to fit into the given size. Each pixel is the mean of
// those that it covers.
func shrink(pixels []byte, w, h int, fit image.Point) *image.RGBA {
	size := image.Pt(w, h)
	if w > fit.X || h > fit.Y {
		size = media.Contain(w, h, fit.X, fit.Y)
	}
	out := image.NewRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		top, bottom := y*h/size.Y, max((y+1)*h/size.Y, y*h/size.Y+1)
		for x := range size.X {
			left, right := x*w/size.X, max((x+1)*w/size.X, x*w/size.X+1)
			var b, g, r, n uint32
			for row := top; row < bottom; row++ {
				for p := pixels[4*(row*w+left) : 4*(row*w+right)]; len(p) >= 4; p = p[4:] {
					b, g, r, n = b+uint32(p[0]), g+uint32(p[1]), r+uint32(p[2]), n+1
				}
			}
			o := out.Pix[out.PixOffset(x, y):][:4]
			o[0], o[1], o[2], o[3] = byte(r/n), byte(g/n), byte(b/n), 255
		}
	}
	return out
}
