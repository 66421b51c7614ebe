package x11

import (
	"fmt"
	"image"

	"github.com/jezek/xgb/shm"
	"github.com/jezek/xgb/xproto"
	"golang.org/x/sys/unix"

	"parley/media"
)

// grab reads pixels of drawables, through shared memory (MIT-SHM) if the server is on the same machine.
type grab struct {
	d      *display
	seg    shm.Seg // 0 without shared memory
	memory []byte
}

// free releases the shared memory.
func (g *grab) free() {
	if g.seg != 0 {
		shm.Detach(g.d.Conn, g.seg)
		_ = unix.SysvShmDetach(g.memory)
	}
	g.seg, g.memory = 0, nil
}

// reserve makes room for pictures of up to the given number of pixels. Without shared memory, pixels come through the
// socket.
func (g *grab) reserve(pixels int) {
	if !g.d.shm || len(g.memory) >= 4*pixels {
		return
	}
	g.free()
	id, err := unix.SysvShmGet(unix.IPC_PRIVATE, 4*pixels, unix.IPC_CREAT|0o600)
	if err != nil {
		return
	}
	// Once both sides are attached, the kernel frees the memory when the last of them detaches.
	defer unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	memory, err := unix.SysvShmAttach(id, 0, 0)
	if err != nil {
		return
	}
	seg, err := shm.NewSegId(g.d.Conn)
	if err == nil {
		err = shm.AttachChecked(g.d.Conn, seg, uint32(id), false).Check()
	}
	if err != nil { // a server on another machine
		_ = unix.SysvShmDetach(memory)
		g.d.shm = false
		return
	}
	g.seg, g.memory = seg, memory
}

// read returns the pixels of r in a drawable as bytes B, G, R and one unused, without padding between rows. They are
// valid until the next call.
func (g *grab) read(from xproto.Drawable, r image.Rectangle) ([]byte, error) {
	const allPlanes = 0xFFFFFFFF
	x, y, w, h := int16(r.Min.X), int16(r.Min.Y), uint16(r.Dx()), uint16(r.Dy())
	size := 4 * r.Dx() * r.Dy()
	if g.seg != 0 && size <= len(g.memory) {
		if _, err := shm.GetImage(g.d.Conn, from, x, y, w, h, allPlanes, xproto.ImageFormatZPixmap, g.seg, 0).Reply(); err != nil {
			return nil, fmt.Errorf("read the screen: %w", err)
		}
		return g.memory[:size], nil
	}
	i, err := xproto.GetImage(g.d.Conn, xproto.ImageFormatZPixmap, from, x, y, w, h, allPlanes).Reply()
	if err != nil {
		return nil, fmt.Errorf("read the screen: %w", err)
	}
	if len(i.Data) < size {
		return nil, fmt.Errorf("read the screen: %d of %d bytes: %w", len(i.Data), size, media.ErrCorrupt)
	}
	return i.Data[:size], nil
}
