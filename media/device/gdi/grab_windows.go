package gdi

import (
	"bytes"
	"fmt"
	"image"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	user32 = windows.NewLazySystemDLL("user32.dll")
	gdi32  = windows.NewLazySystemDLL("gdi32.dll")

	setProcessDPIAware = user32.NewProc("SetProcessDPIAware")
	getDC              = user32.NewProc("GetDC")
	releaseDC          = user32.NewProc("ReleaseDC")
	printWindow        = user32.NewProc("PrintWindow")
	getCursorInfo      = user32.NewProc("GetCursorInfo")
	getIconInfo        = user32.NewProc("GetIconInfo")
	drawIconEx         = user32.NewProc("DrawIconEx")
	createCompatibleDC = gdi32.NewProc("CreateCompatibleDC")
	createDIBSection   = gdi32.NewProc("CreateDIBSection")
	selectObject       = gdi32.NewProc("SelectObject")
	deleteObject       = gdi32.NewProc("DeleteObject")
	deleteDC           = gdi32.NewProc("DeleteDC")
	bitBlt             = gdi32.NewProc("BitBlt")
	gdiFlush           = gdi32.NewProc("GdiFlush")
)

// grab copies pixels of the desktop or a window into memory. It belongs to one thread.
type grab struct {
	desktop, memory uintptr // device contexts
	bitmap, before  uintptr // the memory's bitmap, and the one it had at first
	size            image.Point
	pixels          []byte // of the bitmap: B, G, R and one unused, without padding between rows
	last            []byte // as changed saw them last
}

func newGrab() (*grab, error) {
	dc, _, _ := getDC.Call(0)
	if dc == 0 {
		return nil, fmt.Errorf("read the screen: no desktop")
	}
	memory, _, err := createCompatibleDC.Call(dc)
	if memory == 0 {
		_, _, _ = releaseDC.Call(0, dc)
		return nil, fmt.Errorf("read the screen: %w", err)
	}
	return &grab{desktop: dc, memory: memory}, nil
}

func (g *grab) free() {
	g.drop()
	_, _, _ = deleteDC.Call(g.memory)
	_, _, _ = releaseDC.Call(0, g.desktop)
}

// drop frees the bitmap.
func (g *grab) drop() {
	if g.bitmap != 0 {
		_, _, _ = selectObject.Call(g.memory, g.before)
		_, _, _ = deleteObject.Call(g.bitmap)
	}
	g.bitmap, g.pixels, g.last, g.size = 0, nil, nil, image.Point{}
}

// bitmapInfo is BITMAPINFOHEADER (wingdi.h).
type bitmapInfo struct {
	size             uint32
	width, height    int32
	planes, bitCount uint16
	_                [6]uint32
}

// reserve makes a bitmap of a size.
func (g *grab) reserve(size image.Point) error {
	if g.size == size {
		return nil
	}
	g.drop()
	info := bitmapInfo{width: int32(size.X), height: int32(-size.Y), planes: 1, bitCount: 32} // the first row on top
	info.size = uint32(unsafe.Sizeof(info))
	var bits unsafe.Pointer
	bitmap, _, err := createDIBSection.Call(g.memory, uintptr(unsafe.Pointer(&info)), 0, uintptr(unsafe.Pointer(&bits)), 0, 0)
	if bitmap == 0 || bits == nil {
		return fmt.Errorf("read the screen: %w", err)
	}
	g.before, _, _ = selectObject.Call(g.memory, bitmap)
	g.bitmap, g.size, g.pixels = bitmap, size, unsafe.Slice((*byte)(bits), 4*size.X*size.Y)
	return nil
}

// read returns the pixels of a scene. They are valid until the next call.
func (g *grab) read(s scene, pointer bool) ([]byte, error) {
	const (
		copyLayered   = 0x00CC0020 | 0x40000000 // SRCCOPY | CAPTUREBLT
		renderContent = 2                       // PW_RENDERFULLCONTENT
	)
	if err := g.reserve(s.area.Size()); err != nil {
		return nil, err
	}
	printed := uintptr(0)
	if s.window != 0 {
		printed, _, _ = printWindow.Call(s.window, g.memory, renderContent)
	}
	if printed == 0 {
		ok, _, err := bitBlt.Call(g.memory, 0, 0, uintptr(g.size.X), uintptr(g.size.Y), g.desktop,
			signed(s.area.Min.X), signed(s.area.Min.Y), copyLayered)
		if ok == 0 {
			return nil, fmt.Errorf("read the screen: %w", err)
		}
	}
	if pointer {
		g.drawPointer(s.area.Min)
	}
	_, _, _ = gdiFlush.Call()
	return g.pixels, nil
}

// signed is a number as a C function takes an int.
func signed(v int) uintptr { return uintptr(uint32(int32(v))) }

// cursorInfo is CURSORINFO and iconInfo ICONINFO (winuser.h).
type (
	cursorInfo struct {
		size, flags uint32
		cursor      uintptr
		x, y        int32
	}
	iconInfo struct {
		icon         int32
		hotX, hotY   uint32
		mask, colour uintptr
	}
)

// drawPointer draws the mouse pointer if it is shown.
func (g *grab) drawPointer(origin image.Point) {
	const showing, normal = 1, 3 // CURSOR_SHOWING, DI_NORMAL
	var c cursorInfo
	c.size = uint32(unsafe.Sizeof(c))
	if ok, _, _ := getCursorInfo.Call(uintptr(unsafe.Pointer(&c))); ok == 0 || c.flags != showing {
		return
	}
	var i iconInfo
	if ok, _, _ := getIconInfo.Call(c.cursor, uintptr(unsafe.Pointer(&i))); ok == 0 {
		return
	}
	for _, bitmap := range []uintptr{i.mask, i.colour} {
		if bitmap != 0 {
			_, _, _ = deleteObject.Call(bitmap)
		}
	}
	x, y := int(c.x)-origin.X-int(i.hotX), int(c.y)-origin.Y-int(i.hotY)
	_, _, _ = drawIconEx.Call(g.memory, signed(x), signed(y), c.cursor, 0, 0, 0, 0, normal)
}

// changed reports whether the pixels differ from those of the last call.
func (g *grab) changed() bool {
	if bytes.Equal(g.pixels, g.last) {
		return false
	}
	g.last = append(g.last[:0], g.pixels...)
	return true
}
