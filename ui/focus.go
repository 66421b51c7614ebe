package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"parley/ui/widget"
)

// focus gives the keyboard focus to o, or to nothing if o is not visible.
//
// The toolkit finds an object inside a widget only while the widget has a renderer. A widget gets its renderer
// when it is first drawn, and loses it a minute after it was hidden. Without one the toolkit logs an error and
// drops the next keys. So every widget around o is refreshed first, which creates the renderer.
func (w *Window) focus(o fyne.Focusable) {
	c := w.win.Canvas()
	target, ok := o.(fyne.CanvasObject)
	if !ok {
		c.Unfocus()
		return
	}
	for _, root := range append(c.Overlays().List(), c.Content()) {
		if around := pathTo(root, target); around != nil {
			for _, x := range around {
				if wid, ok := x.(fyne.Widget); ok {
					wid.Refresh() // creates the renderer if there is none
				}
			}
			c.Focus(o)
			return
		}
	}
	c.Unfocus()
}

// pathTo lists the objects from root down to target. It is nil if target is not below root or not visible.
func pathTo(root, target fyne.CanvasObject) []fyne.CanvasObject {
	if root == nil || !root.Visible() {
		return nil
	}
	if root == target {
		return []fyne.CanvasObject{root}
	}
	var inner []fyne.CanvasObject
	switch x := root.(type) {
	case *fyne.Container:
		inner = x.Objects
	case *container.Scroll:
		inner = []fyne.CanvasObject{x.Content}
	case widget.Compound:
		inner = x.Parts()
	}
	for _, x := range inner {
		if path := pathTo(x, target); path != nil {
			return append([]fyne.CanvasObject{root}, path...)
		}
	}
	return nil
}
