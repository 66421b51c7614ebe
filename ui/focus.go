package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"parley/ui/widget"
)

// focus moves the keyboard to o if o can be seen in the window, else away from everything.
//
// The toolkit finds what lies within a widget only while that widget has a renderer. It has
// none before it is first drawn, and loses it a minute after it was hidden; then the toolkit
// logs an error, and what is typed next is lost. So every widget around o is drawn first.
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
					wid.Refresh() // makes the renderer, if there is none
				}
			}
			c.Focus(o)
			return
		}
	}
	c.Unfocus()
}

// pathTo is target and everything around it, root first; nil where target is not below root
// or cannot be seen.
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
