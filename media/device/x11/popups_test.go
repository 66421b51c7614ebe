//go:build linux

package x11_test

import (
	"context"
	"errors"
	"image"
	"testing"
	"time"

	"github.com/jezek/xgb/xproto"

	"parley/media"
	"parley/media/codec"
	"parley/media/device/x11"
)

// menu opens an override-redirect window, as menus and tooltips are.
func (p *program) menu(r image.Rectangle, colour uint32) xproto.Window {
	p.t.Helper()
	w, err := xproto.NewWindowId(p.c)
	if err != nil {
		p.t.Fatal(err)
	}
	p.must(xproto.CreateWindowChecked(p.c, xproto.WindowClassCopyFromParent, w, p.root(), int16(r.Min.X), int16(r.Min.Y),
		uint16(r.Dx()), uint16(r.Dy()), 0, xproto.WindowClassInputOutput, 0,
		xproto.CwBackPixel|xproto.CwOverrideRedirect, []uint32{colour, 1}))
	p.must(xproto.MapWindowChecked(p.c, w))
	return w
}

// TestWindowWithMenusAndDialogs checks that menus and dialogs of a window are part of its picture, and other windows are
// not.
func TestWindowWithMenusAndDialogs(t *testing.T) {
	for name, args := range servers {
		if name == "no Composite" {
			continue // there the part of the screen is shared, with everything on it
		}
		t.Run(name, func(t *testing.T) {
			startX(t, "640x480x24", args...)
			p, other := startProgram(t), startProgram(t)
			w := p.window(image.Rect(97, 97, 297, 247), red, "Drawing") // its border is 3 wide: from 100,100 on
			second := p.window(image.Rect(400, 300, 500, 400), white, "Another drawing")
			l := looks(t, windowID(w), media.ScreenOptions{})
			shows(t, picture(t, l), 60, 60, red)

			menu := p.menu(image.Rect(150, 150, 250, 200), green)
			f := picture(t, l)
			shows(t, f, 60, 60, green) // 160,160 on the screen
			shows(t, f, 40, 60, red)
			shows(t, f, 149, 99, green)
			shows(t, f, 151, 99, red)

			p.fill(menu, image.Rect(0, 0, 20, 20), blue) // an entry is chosen
			f = picture(t, l)
			shows(t, f, 55, 55, blue)
			shows(t, f, 80, 80, green)

			p.must(xproto.ConfigureWindowChecked(p.c, menu, xproto.ConfigWindowX, []uint32{170}))
			f = picture(t, l)
			shows(t, f, 60, 60, red)
			shows(t, f, 160, 90, green)

			// The window moves, and its menu stays where it is.
			p.must(xproto.ConfigureWindowChecked(p.c, w, xproto.ConfigWindowX, []uint32{87}))
			f = picture(t, l)
			shows(t, f, 75, 90, red)
			shows(t, f, 85, 90, green)
			p.must(xproto.ConfigureWindowChecked(p.c, w, xproto.ConfigWindowX, []uint32{97}))

			p.must(xproto.DestroyWindowChecked(p.c, menu))
			shows(t, picture(t, l), 160, 90, red)

			// A dialog that another process shows for the window.
			dialog := other.window(image.Rect(217, 117, 417, 217), blue, "Open a file")
			other.numbers(dialog, "WM_TRANSIENT_FOR", xproto.AtomWindow, uint32(w))
			other.must(xproto.UnmapWindowChecked(other.c, dialog))
			other.must(xproto.MapWindowChecked(other.c, dialog))
			shows(t, picture(t, l), 150, 60, blue)
			// And a tooltip of that dialog.
			tip := other.menu(image.Rect(210, 150, 260, 180), green)
			other.numbers(tip, "WM_TRANSIENT_FOR", xproto.AtomWindow, uint32(dialog))
			other.must(xproto.UnmapWindowChecked(other.c, tip))
			other.must(xproto.MapWindowChecked(other.c, tip))
			shows(t, picture(t, l), 115, 60, green)
			other.must(xproto.DestroyWindowChecked(other.c, tip))
			other.must(xproto.DestroyWindowChecked(other.c, dialog))
			shows(t, picture(t, l), 150, 60, red)

			// Windows of others are not part of it: a menu of another program, and one that is transient for the
			// other window.
			other.menu(image.Rect(120, 120, 200, 160), white)
			foreign := p.menu(image.Rect(200, 120, 280, 160), white)
			p.numbers(foreign, "WM_TRANSIENT_FOR", xproto.AtomWindow, uint32(second))
			p.must(xproto.UnmapWindowChecked(p.c, foreign))
			p.must(xproto.MapWindowChecked(p.c, foreign))
			look(t, l)
			p.fill(w, image.Rect(0, 0, 200, 150), blue)
			f = picture(t, l)
			shows(t, f, 40, 40, blue)
			shows(t, f, 120, 40, blue)
		})
	}
}

// TestMinimisedWindowIsTold minimises a shared window in the ways that window managers have, and closes it.
func TestMinimisedWindowIsTold(t *testing.T) {
	for name, args := range servers {
		t.Run(name, func(t *testing.T) {
			startX(t, "640x480x24", args...)
			p := startProgram(t)
			w := p.window(image.Rect(100, 100, 301, 251), red, "Drawing")
			s, err := x11.New(codec.New()).OpenScreen(windowID(w), media.ScreenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			told := make(chan bool, 10)
			s.(media.Hideable).OnHidden(func(hidden bool) { told <- hidden })
			ended := make(chan error, 1)
			first := make(chan struct{})
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				pictures := 0
				ended <- s.Run(ctx, func(*media.Frame) {
					if pictures++; pictures == 1 {
						close(first)
					}
				})
			}()
			defer cancel()
			wait := func(want bool, what string) {
				t.Helper()
				select {
				case got := <-told:
					if got != want {
						t.Fatalf("%s: told %v", what, got)
					}
				case <-time.After(20 * time.Second):
					t.Fatalf("%s: nothing is told", what)
				}
			}
			<-first
			p.must(xproto.UnmapWindowChecked(p.c, w))
			wait(true, "unmapped")
			p.must(xproto.MapWindowChecked(p.c, w))
			wait(false, "mapped")
			const iconic, normal = 3, 1
			p.numbers(w, "WM_STATE", p.atom("WM_STATE"), iconic)
			wait(true, "iconic, and still mapped")
			p.numbers(w, "WM_STATE", p.atom("WM_STATE"), normal)
			wait(false, "no longer iconic")
			p.numbers(w, "_NET_WM_STATE", xproto.AtomAtom, uint32(p.atom("_NET_WM_STATE_HIDDEN")))
			wait(true, "hidden by the extended hints")
			p.must(xproto.DeletePropertyChecked(p.c, w, p.atom("_NET_WM_STATE")))
			wait(false, "no longer hidden")
			p.must(xproto.DestroyWindowChecked(p.c, w))
			select {
			case err := <-ended:
				if !errors.Is(err, media.ErrLost) {
					t.Errorf("closed: %v, want ErrLost", err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("the window was closed, and sharing goes on")
			}
		})
	}
}
