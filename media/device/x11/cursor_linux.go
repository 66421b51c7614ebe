package x11

import (
	"image"

	"github.com/jezek/xgb/xfixes"
	"github.com/jezek/xgb/xproto"
)

// cursor is the mouse pointer. The server does not draw it into the pixels that it returns.
type cursor struct {
	d     *display
	shape *xfixes.GetCursorImageReply
	stale bool        // the server's shape has changed
	at    image.Point // of its hot spot within the picture
	shown image.Rectangle
}

// begin subscribes to changes of the shape.
func (c *cursor) begin() {
	c.stale = true
	xfixes.SelectCursorInput(c.d.Conn, c.d.root, xfixes.CursorNotifyMaskDisplayCursor)
}

// update polls the pointer. If it has moved or changed its shape, update returns where it was and where
// it is, as parts of the picture.
func (c *cursor) update(s scene) []image.Rectangle {
	p, err := xproto.QueryPointer(c.d.Conn, s.window).Reply()
	if err != nil {
		return nil
	}
	changed := c.stale
	if c.stale {
		if shape, err := xfixes.GetCursorImage(c.d.Conn).Reply(); err == nil {
			c.shape, c.stale = shape, false
		}
	}
	if c.shape == nil {
		return nil
	}
	c.at = image.Pt(int(p.WinX), int(p.WinY)).Sub(s.offset)
	// A pointer whose hot spot is outside the picture is not drawn, even if its edge reaches in.
	now := image.Rectangle{}
	if p.SameScreen && c.at.In(image.Rectangle{Max: s.size}) {
		now = image.Rect(0, 0, int(c.shape.Width), int(c.shape.Height)).Add(c.corner())
	}
	before := c.shown
	if c.shown = now; now == before && !changed {
		return nil
	}
	return []image.Rectangle{before, now}
}

// corner is where the top left of the shape is within the picture.
func (c *cursor) corner() image.Point {
	return c.at.Sub(image.Pt(int(c.shape.Xhot), int(c.shape.Yhot)))
}

// draw blends the pointer into the pixels of the part r of the picture.
func (c *cursor) draw(pixels []byte, r image.Rectangle) {
	if c.shown.Intersect(r).Empty() {
		return
	}
	blend(pixels, r.Dx(), r.Dy(), c.shape.CursorImage, int(c.shape.Width), c.corner().Sub(r.Min))
}

// blend draws an ARGB picture with premultiplied alpha, as XFIXES has it, over w by h pixels of B, G, R
// and one unused byte.
func blend(pixels []byte, w, h int, over []uint32, overW int, at image.Point) {
	for i, v := range over {
		x, y := at.X+i%overW, at.Y+i/overW
		if v>>24 == 0 || x < 0 || y < 0 || x >= w || y >= h {
			continue
		}
		rest := 255 - v>>24
		p := pixels[4*(y*w+x):][:3]
		for n := range p {
			p[n] = byte(min(v>>(8*n)&0xFF+uint32(p[n])*rest/255, 255))
		}
	}
}
