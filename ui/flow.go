package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"parley/ui/widget"
)

// flow is a column that scrolls when it does not fit. One function lays out its parts: it takes the width
// and returns the height.
type flow struct {
	gutter float32 // space on the right for the scroll bar
	scroll *container.Scroll
	box    *fyne.Container
	height float32
	place  func(width float32) float32
}

func newFlow(place func(width float32) float32, parts ...fyne.CanvasObject) *flow {
	f := &flow{place: place}
	f.box = &fyne.Container{Layout: flowLayout{f}, Objects: parts}
	f.scroll = container.NewVScroll(f.box)
	return f
}

// fit lays the column out in the given place. The gutter is added to the width.
func (f *flow) fit(x, y, width, height float32) {
	f.height = f.place(width)
	widget.Place(f.scroll, x, y, width+f.gutter, height)
	content := fyne.NewSize(width+f.gutter, max(f.height, height))
	if f.box.Size() != content {
		f.box.Resize(content)
		f.scroll.Refresh()
	}
}

type flowLayout struct{ f *flow }

func (l flowLayout) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(1, l.f.height) }

func (l flowLayout) Layout(_ []fyne.CanvasObject, s fyne.Size) {
	l.f.height = l.f.place(s.Width - l.f.gutter)
}
