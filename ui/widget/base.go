package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	fw "fyne.io/fyne/v2/widget"
)

// renderer is a widget renderer made of functions, any of which may be nil.
type renderer struct {
	objects []fyne.CanvasObject
	layout  func(fyne.Size)
	min     func() fyne.Size
	refresh func()
}

func (r *renderer) Destroy()                     {}
func (r *renderer) Objects() []fyne.CanvasObject { return r.objects }

func (r *renderer) Layout(s fyne.Size) {
	if r.layout != nil {
		r.layout(s)
	}
}

func (r *renderer) MinSize() fyne.Size {
	if r.min == nil {
		return fyne.Size{}
	}
	return r.min()
}

func (r *renderer) Refresh() {
	if r.refresh != nil {
		r.refresh()
	}
}

// Compound is a widget with parts that can have the keyboard focus.
type Compound interface {
	fyne.Widget
	Parts() []fyne.CanvasObject
}

// refreshAll refreshes every part of a widget.
func refreshAll(parts []fyne.CanvasObject) {
	for _, o := range parts {
		o.Refresh()
	}
}

// Area is a container with a layout function, for screens that place their parts themselves. minimum may be
// smaller than the parts' own minimum.
func Area(minimum fyne.Size, place func(fyne.Size), parts ...fyne.CanvasObject) *fyne.Container {
	return &fyne.Container{Layout: area{minimum, place}, Objects: parts}
}

type area struct {
	min   fyne.Size
	place func(fyne.Size)
}

func (a area) MinSize([]fyne.CanvasObject) fyne.Size        { return a.min }
func (a area) Layout(_ []fyne.CanvasObject, size fyne.Size) { a.place(size) }
func Relayout(c *fyne.Container)                            { c.Layout.Layout(c.Objects, c.Size()) }

func Place(o fyne.CanvasObject, x, y, width, height float32) {
	o.Move(fyne.NewPos(x, y))
	o.Resize(fyne.NewSize(width, height))
}

func PlaceMin(o fyne.CanvasObject, x, y float32) (w, h float32) {
	m := o.MinSize()
	Place(o, x, y, m.Width, m.Height)
	return m.Width, m.Height
}

// Show shows or hides o, and reports whether that changed anything.
func Show(o fyne.CanvasObject, visible bool) bool {
	if o.Visible() == visible {
		return false
	}
	if visible {
		o.Show()
	} else {
		o.Hide()
	}
	return true
}

// Box is a rectangle in a theme colour.
type Box struct {
	fw.BaseWidget
	rect         *canvas.Rectangle
	fill, stroke fyne.ThemeColorName
}

// NewBox makes a rectangle with rounded corners. A stroke, unless None, is 1 wide.
func NewBox(fill, stroke fyne.ThemeColorName, radius float32) *Box {
	b := &Box{rect: canvas.NewRectangle(nil), fill: fill, stroke: stroke}
	b.rect.CornerRadius = radius
	b.paint()
	b.ExtendBaseWidget(b)
	return b
}

func (b *Box) paint() {
	b.rect.FillColor, b.rect.StrokeColor = colorOf(b.fill), colorOf(b.stroke)
	if b.stroke == None {
		b.rect.StrokeWidth = 0
	} else if b.rect.StrokeWidth == 0 {
		b.rect.StrokeWidth = 1
	}
}

// CreateRenderer is for Fyne.
func (b *Box) CreateRenderer() fyne.WidgetRenderer {
	return &renderer{
		objects: []fyne.CanvasObject{b.rect},
		layout:  b.rect.Resize,
		refresh: func() { b.paint(); b.rect.Refresh() },
	}
}

// control is the common part of all buttons. It is pressed with the mouse, or with Enter or Space while it has the
// focus. The widget draws itself from these fields in Refresh.
type control struct {
	fw.BaseWidget
	Name    string // what it does, for people who cannot see the icon and for tests
	OnTap   func()
	OnPoint func(on bool) // the control gained or lost the pointer or the focus
	focused bool
	hovered bool
	off     bool
}

// Disabled reports whether the control ignores presses.
func (c *control) Disabled() bool { return c.off }

// Enable makes the control respond to presses.
func (c *control) Enable() { c.setOff(false) }

// Disable makes the control ignore presses.
func (c *control) Disable() { c.setOff(true) }

func (c *control) setOff(off bool) {
	if c.off == off {
		return
	}
	c.off = off
	c.Refresh()
}

// Tapped presses the control.
func (c *control) Tapped(*fyne.PointEvent) {
	if !c.off && c.OnTap != nil {
		c.OnTap()
	}
}

// FocusGained shows the focus ring.
func (c *control) FocusGained() { c.focused = true; c.point() }

// FocusLost hides it.
func (c *control) FocusLost() { c.focused = false; c.point() }

// TypedRune ignores text.
func (c *control) TypedRune(rune) {}

// TypedKey presses the control on Enter or Space and passes other keys to the window.
func (c *control) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyReturn, fyne.KeyEnter, fyne.KeySpace:
		c.Tapped(nil)
	default:
		bubble(e)
	}
}

// MouseIn highlights the control.
func (c *control) MouseIn(*desktop.MouseEvent) { c.hovered = true; c.point() }

// MouseMoved does nothing.
func (c *control) MouseMoved(*desktop.MouseEvent) {}

// MouseOut ends the highlight.
func (c *control) MouseOut() { c.hovered = false; c.point() }

func (c *control) point() {
	c.Refresh()
	if c.OnPoint != nil {
		c.OnPoint(c.focused || c.hovered)
	}
}

// Cursor is the hand cursor over an enabled control.
func (c *control) Cursor() desktop.Cursor {
	if c.off {
		return desktop.DefaultCursor
	}
	return desktop.PointerCursor
}

// bubble passes a key that the focused control does not use to the window. It searches all windows: the toolkit
// finds the canvas of a widget, but not of a control, which is only embedded in one.
func bubble(e *fyne.KeyEvent) {
	for _, w := range fyne.CurrentApp().Driver().AllWindows() {
		if c := w.Canvas(); c.Focused() != nil && c.OnTypedKey() != nil {
			c.OnTypedKey()(e)
			return
		}
	}
}

// focusRing is drawn around a focused control.
func focusRing(radius float32) *canvas.Rectangle {
	r := canvas.NewRectangle(nil)
	r.StrokeWidth, r.CornerRadius = 2, radius
	r.Hide()
	return r
}

func paintRing(r *canvas.Rectangle, on bool) {
	r.StrokeColor = colorOf(Text1)
	if on {
		r.Show()
	} else {
		r.Hide()
	}
	r.Refresh()
}
