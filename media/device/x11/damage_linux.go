package x11

import (
	"hash/maphash"
	"image"

	"github.com/jezek/xgb/damage"
	"github.com/jezek/xgb/xfixes"
	"github.com/jezek/xgb/xproto"
)

// damageTracker collects the parts of a window that were drawn to.
type damageTracker struct {
	d      *display
	id     damage.Damage
	region xfixes.Region
	dirty  bool // the server has reported damage since the last collect
}

// begin watches w. The server sends one event for the first damage, and accumulates the rest until
// collect.
func (m *damageTracker) begin(w xproto.Window) error {
	id, err := damage.NewDamageId(m.d.Conn)
	if err != nil {
		return err
	}
	region, err := xfixes.NewRegionId(m.d.Conn)
	if err != nil {
		return err
	}
	xfixes.CreateRegion(m.d.Conn, region, nil)
	m.id, m.region, m.dirty = id, region, true
	return damage.CreateChecked(m.d.Conn, id, xproto.Drawable(w), damage.ReportLevelNonEmpty).Check()
}

// collect returns the damage since the last call, in the window's pixels. Pixels must be read after it:
// whatever is drawn from now on is reported again.
func (m *damageTracker) collect() ([]image.Rectangle, error) {
	if !m.dirty {
		return nil, nil
	}
	m.dirty = false
	damage.Subtract(m.d.Conn, m.id, 0, m.region)
	r, err := xfixes.FetchRegion(m.d.Conn, m.region).Reply()
	if err != nil {
		return nil, err
	}
	var out []image.Rectangle
	for _, r := range r.Rectangles {
		out = append(out, image.Rect(0, 0, int(r.Width), int(r.Height)).Add(image.Pt(int(r.X), int(r.Y))))
	}
	return out, nil
}

// bandHeight is the height in pixels of the strips that are compared.
const bandHeight = 32

// bandHashes replaces damage events on servers without the extension: it hashes each strip of the
// picture.
type bandHashes struct {
	seed  maphash.Seed
	bands []uint64
}

// changed returns the strips whose pixels differ from those of the last call.
func (c *bandHashes) changed(pixels []byte, size image.Point) []image.Rectangle {
	n := (size.Y + bandHeight - 1) / bandHeight
	if len(c.bands) != n {
		c.seed, c.bands = maphash.MakeSeed(), make([]uint64, n)
	}
	var out []image.Rectangle
	for i := range c.bands {
		r := image.Rect(0, i*bandHeight, size.X, min((i+1)*bandHeight, size.Y))
		h := maphash.Bytes(c.seed, pixels[4*size.X*r.Min.Y:4*size.X*r.Max.Y])
		if h != c.bands[i] {
			c.bands[i] = h
			out = append(out, r)
		}
	}
	return out
}
