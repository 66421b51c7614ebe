package widget

import (
	"image"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
)

// Region is a still picture on which the user draws a part with the pointer. On the keyboard, the arrows move
// the part, + and - resize it.
type Region struct {
	control
	OnChange func(part image.Rectangle) // in pixels of the screen shown

	picture *canvas.Image
	shades  [4]*canvas.Rectangle // darken everything outside the part
	frame   *canvas.Rectangle
	ring    *canvas.Rectangle
	size    image.Point // size of the screen shown
	part    image.Rectangle
	start   image.Point // where the pointer went down
	drawing bool
}

// NewRegion makes a region without a picture.
func NewRegion(name string) *Region {
	r := &Region{
		picture: &canvas.Image{FillMode: canvas.ImageFillStretch}, frame: canvas.NewRectangle(nil), ring: focusRing(4),
	}
	r.Name = name
	for i := range r.shades {
		r.shades[i] = canvas.NewRectangle(nil)
	}
	r.ExtendBaseWidget(r)
	return r
}

// Set changes the picture and the size, in pixels, of the screen it shows. If the size changes, the part is reset
// to the middle.
func (r *Region) Set(picture *image.RGBA, size image.Point) {
	r.picture.Image = nil
	if picture != nil {
		r.picture.Image = picture
	}
	if r.size != size {
		r.size = size
		r.choose(image.Rect(size.X/4, size.Y/4, size.X*3/4, size.Y*3/4))
	}
	r.Refresh()
}

// Part is the chosen part, in pixels of the screen shown.
func (r *Region) Part() image.Rectangle { return r.part }

func (r *Region) choose(part image.Rectangle) {
	r.part = part.Intersect(image.Rectangle{Max: r.size})
	r.Refresh()
	if r.OnChange != nil {
		r.OnChange(r.part)
	}
}

// view is the picture's rectangle within the widget.
func (r *Region) view() (x, y, w, h float32) {
	s := r.Size()
	if r.size.X < 1 || r.size.Y < 1 {
		return 0, 0, s.Width, s.Height
	}
	w, h = s.Width, s.Width*float32(r.size.Y)/float32(r.size.X)
	if h > s.Height {
		w, h = s.Height*float32(r.size.X)/float32(r.size.Y), s.Height
	}
	return (s.Width - w) / 2, (s.Height - h) / 2, w, h
}

// pixel is the screen's pixel at a position in the widget.
func (r *Region) pixel(p fyne.Position) image.Point {
	x, y, w, h := r.view()
	clamp := func(v, size float32, limit int) int { return int(min(max(v/size, 0), 1) * float32(limit)) }
	return image.Pt(clamp(p.X-x, w, r.size.X), clamp(p.Y-y, h, r.size.Y))
}

// Tapped does nothing: the user drags to draw a part.
func (r *Region) Tapped(*fyne.PointEvent) {}

// MouseDown starts drawing a part.
func (r *Region) MouseDown(e *desktop.MouseEvent) { r.start, r.drawing = r.pixel(e.Position), true }

// MouseUp stops drawing.
func (r *Region) MouseUp(*desktop.MouseEvent) { r.drawing = false }

// Dragged draws the part.
func (r *Region) Dragged(e *fyne.DragEvent) {
	if !r.drawing { // no MouseDown on this platform
		r.start, r.drawing = r.pixel(e.Position.Subtract(e.Dragged)), true
	}
	r.choose(image.Rectangle{Min: r.start, Max: r.pixel(e.Position)}.Canon())
}

// DragEnd stops drawing.
func (r *Region) DragEnd() { r.drawing = false }

// Cursor is a crosshair.
func (r *Region) Cursor() desktop.Cursor { return desktop.CrosshairCursor }

// TypedRune makes the part larger or smaller.
func (r *Region) TypedRune(c rune) {
	step := max(r.size.X, r.size.Y) / 40
	switch c {
	case '+', '=':
		r.choose(r.part.Inset(-step))
	case '-':
		if p := r.part.Inset(step); p.Dx() >= step && p.Dy() >= step {
			r.choose(p)
		}
	}
}

// TypedKey moves the part.
func (r *Region) TypedKey(e *fyne.KeyEvent) {
	step := max(r.size.X, r.size.Y) / 40
	by, ok := map[fyne.KeyName]image.Point{
		fyne.KeyLeft: {X: -step}, fyne.KeyRight: {X: step}, fyne.KeyUp: {Y: -step}, fyne.KeyDown: {Y: step},
	}[e.Name]
	if !ok {
		bubble(e)
		return
	}
	by.X = min(max(by.X, -r.part.Min.X), r.size.X-r.part.Max.X)
	by.Y = min(max(by.Y, -r.part.Min.Y), r.size.Y-r.part.Max.Y)
	r.choose(r.part.Add(by))
}

// MinSize is small: the panel decides the size.
func (r *Region) MinSize() fyne.Size { return fyne.NewSize(160, 100) }

// CreateRenderer is for Fyne.
func (r *Region) CreateRenderer() fyne.WidgetRenderer {
	objects := []fyne.CanvasObject{r.picture}
	for _, s := range r.shades {
		objects = append(objects, s)
	}
	objects = append(objects, r.frame, r.ring)
	layout := func(fyne.Size) {
		x, y, w, h := r.view()
		Place(r.picture, x, y, w, h)
		Place(r.ring, x-3, y-3, w+6, h+6)
		if r.size.X < 1 || r.size.Y < 1 {
			return
		}
		left, right := x+w*float32(r.part.Min.X)/float32(r.size.X), x+w*float32(r.part.Max.X)/float32(r.size.X)
		top, bottom := y+h*float32(r.part.Min.Y)/float32(r.size.Y), y+h*float32(r.part.Max.Y)/float32(r.size.Y)
		Place(r.frame, left, top, right-left, bottom-top)
		Place(r.shades[0], x, y, w, top-y)
		Place(r.shades[1], x, bottom, w, y+h-bottom)
		Place(r.shades[2], x, top, left-x, bottom-top)
		Place(r.shades[3], right, top, x+w-right, bottom-top)
	}
	paint := func() {
		for _, s := range r.shades {
			s.FillColor = rgba(0x090c0f, 150)
		}
		r.frame.StrokeColor, r.frame.StrokeWidth = colorOf(Accent), 2
		paintRing(r.ring, r.focused)
	}
	paint()
	return &renderer{
		objects: objects, layout: layout, min: r.MinSize,
		refresh: func() {
			paint()
			layout(r.Size())
			refreshAll(objects)
		},
	}
}
