package x11

import (
	"fmt"
	"os"
	"sync"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"parley/media"
)

// display is a connection to the environment's display. It does not use Xlib, which ends the program when its server
// goes.
type display struct {
	*xgb.Conn
	screen *xproto.ScreenInfo
	root   xproto.Window

	// Extensions of the server.
	randr, shm, xfixes, damage, composite bool
}

// dial connects to the display. Without one the error is ErrNoDevice.
func dial() (*display, error) {
	if os.Getenv("DISPLAY") == "" {
		return nil, fmt.Errorf("no X display: %w", media.ErrNoDevice)
	}
	c, err := xgb.NewConn()
	if err != nil {
		return nil, fmt.Errorf("no X display (%w): %w", err, media.ErrNoDevice)
	}
	d := &display{Conn: c}
	setup := xproto.Setup(c)
	d.screen = setup.DefaultScreen(c)
	d.root = d.screen.Root
	if setup.ImageByteOrder != xproto.ImageOrderLSBFirst {
		d.hangUp()
		return nil, fmt.Errorf("display with the bytes of a pixel in the other order: %w", media.ErrFormat)
	}
	d.useExtensions()
	return d, nil
}

// hangUp closes the connection and waits for its goroutines. No other goroutine may be waiting for events.
func (d *display) hangUp() {
	d.Close()
	for {
		if ev, err := d.WaitForEvent(); ev == nil && err == nil {
			return
		}
	}
}

// canRead says whether drawables of this depth have pixels of 32 bits: B, G, R and one more.
func (d *display) canRead(depth byte) bool {
	for _, f := range xproto.Setup(d.Conn).PixmapFormats {
		if f.Depth == depth {
			return f.BitsPerPixel == 32 && (depth == 24 || depth == 32)
		}
	}
	return false
}

// eventTable guards the library's tables of event and error numbers.
var eventTable struct {
	sync.Mutex
	owner map[int]string // extension that an event number belongs to
}

// use finds an extension as the library's Init functions do, once for each connection. But those write to tables that
// all connections read without a lock. Here that happens once, before the process's first connection has selected any
// event.
func (d *display) use(name string) bool {
	r, err := xproto.QueryExtension(d.Conn, uint16(len(name)), name).Reply()
	if err != nil || r == nil || !r.Present {
		return false
	}
	d.ExtLock.Lock()
	d.Extensions[name] = r.MajorOpcode
	d.ExtLock.Unlock()
	eventTable.Lock()
	defer eventTable.Unlock()
	if eventTable.owner == nil {
		eventTable.owner = make(map[int]string)
	}
	const errors = 256 // error numbers have their own table
	for n, f := range xgb.NewExtEventFuncs[name] {
		if n += int(r.FirstEvent); eventTable.owner[n] != name {
			eventTable.owner[n], xgb.NewEventFuncs[n] = name, f
		}
	}
	for n, f := range xgb.NewExtErrorFuncs[name] {
		if n += int(r.FirstError); eventTable.owner[errors+n] != name {
			eventTable.owner[errors+n], xgb.NewErrorFuncs[n] = name, f
		}
	}
	return true
}
