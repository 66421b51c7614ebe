package device

import (
	"fmt"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/shm"
	"github.com/jezek/xgb/xfixes"
	"github.com/jezek/xgb/xproto"
	"golang.org/x/sys/unix"

	"parley/media"
)

// x11Grab reads the pixels of a display, through shared memory (MIT-SHM) where the server
// is on the same machine. It speaks the X11 protocol itself: Xlib ends the whole program
// when its server goes.
type x11Grab struct {
	conn   *xgb.Conn
	root   xproto.Drawable
	cursor bool // the server tells how the pointer looks (XFIXES)
	canShm bool

	seg    shm.Seg // 0 without shared memory
	memory []byte
}

func newX11Grab() (*x11Grab, error) {
	c, err := dialX11()
	if err != nil {
		return nil, err
	}
	g := &x11Grab{conn: c}
	setup := xproto.Setup(c)
	screen := setup.DefaultScreen(c)
	g.root = xproto.Drawable(screen.Root)
	bits := 0
	for _, f := range setup.PixmapFormats {
		if f.Depth == screen.RootDepth {
			bits = int(f.BitsPerPixel)
		}
	}
	if bits != 32 || setup.ImageByteOrder != xproto.ImageOrderLSBFirst {
		hangUp(c)
		return nil, fmt.Errorf("screen with %d bits a pixel: %w", bits, media.ErrFormat)
	}
	if xfixes.Init(c) == nil {
		_, err := xfixes.QueryVersion(c, 4, 0).Reply()
		g.cursor = err == nil
	}
	g.canShm = shm.Init(c) == nil
	return g, nil
}

func (g *x11Grab) close() {
	g.free()
	hangUp(g.conn)
}

// free gives the shared memory back.
func (g *x11Grab) free() {
	if g.seg != 0 {
		shm.Detach(g.conn, g.seg)
		_ = unix.SysvShmDetach(g.memory)
	}
	g.seg, g.memory = 0, nil
}

// resize makes room for pictures of w by h pixels.
func (g *x11Grab) resize(w, h int) error {
	g.free()
	if w < 2 || h < 2 || w > media.MaxDimension || h > media.MaxDimension {
		return fmt.Errorf("screen of %dx%d: %w", w, h, media.ErrFormat)
	}
	if !g.canShm {
		return nil
	}
	id, err := unix.SysvShmGet(unix.IPC_PRIVATE, 4*w*h, unix.IPC_CREAT|0o600)
	if err != nil {
		return nil // pixels come through the socket
	}
	// Once both sides are attached the memory goes with the last of them.
	defer unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	memory, err := unix.SysvShmAttach(id, 0, 0)
	if err != nil {
		return nil
	}
	seg, err := shm.NewSegId(g.conn)
	if err == nil {
		err = shm.AttachChecked(g.conn, seg, uint32(id), false).Check()
	}
	if err != nil { // a server on another machine
		_ = unix.SysvShmDetach(memory)
		return nil
	}
	g.seg, g.memory = seg, memory
	return nil
}

// read returns the pixels of a as bytes B, G, R and one unused, valid until the next call.
func (g *x11Grab) read(a x11Area) ([]byte, error) {
	const allPlanes = 0xFFFFFFFF
	x, y, w, h := int16(a.x), int16(a.y), uint16(a.w), uint16(a.h)
	var pixels []byte
	if g.seg != 0 {
		_, err := shm.GetImage(g.conn, g.root, x, y, w, h, allPlanes, xproto.ImageFormatZPixmap, g.seg, 0).Reply()
		if err != nil {
			return nil, fmt.Errorf("read the screen: %w", err)
		}
		pixels = g.memory
	} else {
		r, err := xproto.GetImage(g.conn, xproto.ImageFormatZPixmap, g.root, x, y, w, h, allPlanes).Reply()
		if err != nil {
			return nil, fmt.Errorf("read the screen: %w", err)
		}
		pixels = r.Data
	}
	if len(pixels) < 4*a.w*a.h {
		return nil, fmt.Errorf("read the screen: %d bytes: %w", len(pixels), media.ErrCorrupt)
	}
	if g.cursor {
		if c, err := xfixes.GetCursorImage(g.conn).Reply(); err == nil {
			drawCursor(pixels, a, c)
		}
	}
	return pixels, nil
}

// drawCursor draws the pointer, which is not part of what the screen shows. Its pixels are
// ARGB with the colours multiplied by alpha already.
func drawCursor(pixels []byte, a x11Area, c *xfixes.GetCursorImageReply) {
	w, h := int(c.Width), int(c.Height)
	left, top := int(c.X)-int(c.Xhot)-a.x, int(c.Y)-int(c.Yhot)-a.y
	for row := max(0, -top); row < min(h, a.h-top); row++ {
		for col := max(0, -left); col < min(w, a.w-left); col++ {
			i := row*w + col
			if i >= len(c.CursorImage) {
				return
			}
			v := c.CursorImage[i]
			rest := 255 - v>>24
			p := pixels[4*((top+row)*a.w+left+col):][:3]
			for n := range p {
				p[n] = byte(min(v>>(8*n)&0xFF+uint32(p[n])*rest/255, 255))
			}
		}
	}
}
