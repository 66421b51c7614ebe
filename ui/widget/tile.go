package widget

import (
	"image"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fw "fyne.io/fyne/v2/widget"
)

// TileState is what a tile shows besides its picture.
type TileState struct {
	Name     string // of the person, for the avatar
	Label    string // on the chip; empty for no chip
	Icon     string // before the label: mic-off, screen; empty for none
	Status   string // what is wrong with the connection; empty when nothing is
	Picture  bool   // pictures come; while none came yet the avatar shows
	Contain  bool   // show whole pictures, with bars: screens
	Rim      bool   // stands on another tile: keep a rim of background around it
	Speaking bool
	Quality  int     // 1 to 4, 0 for not shown
	Foot     float32 // height kept free for what lies on the tile's foot
}

const rim float32 = 2

// VideoTile shows one person or one screen.
type VideoTile struct {
	fw.BaseWidget
	state  TileState
	rim    *Box
	back   *Box
	img    *canvas.Image
	avatar *Avatar
	status *Label
	alert  *Chip
	chip   *Chip
	bars   *Bars
	ring   *Ring
	inner  place // of the picture within the tile
}

// NewVideoTile makes an empty tile.
func NewVideoTile() *VideoTile {
	t := &VideoTile{
		rim:    NewBox(Background, None, RadiusTile+rim),
		back:   NewBox(Surface2, None, RadiusTile),
		img:    &canvas.Image{ScaleMode: canvas.ImageScaleFastest},
		avatar: NewAvatar("", 0),
		status: NewLabel("", Caption, Text2).Align(fyne.TextAlignCenter),
		alert:  NewChip(), chip: NewChip(), bars: NewBars(), ring: NewRing(RadiusTile),
	}
	for _, o := range []fyne.CanvasObject{t.rim, t.img, t.status, t.alert, t.chip, t.bars, t.ring} {
		o.Hide()
	}
	t.ExtendBaseWidget(t)
	return t
}

// State is what was last set.
func (t *VideoTile) State() TileState { return t.state }

// SetState changes what the tile shows; nothing is redrawn that stays the same.
func (t *VideoTile) SetState(s TileState) {
	if t.state == s {
		return
	}
	old := t.state
	t.state = s
	if !s.Picture {
		t.img.Image = nil // its memory belongs to the view
	}
	t.avatar.SetName(s.Name)
	t.chip.Set(s.Label, s.Icon, chipInk(s.Icon))
	t.bars.Set(s.Quality)
	t.arrange()
	if old.Speaking != s.Speaking {
		Show(t.ring, s.Speaking)
		t.ring.Refresh()
	}
}

func chipInk(icon string) fyne.ThemeColorName {
	if icon == "mic-off" {
		return PictureOff
	}
	return OnPicture
}

// SetPicture shows a picture of the tile's own pixel size, whose corners it rounds. The tile reads it
// whenever the window is painted, until the next one is set.
func (t *VideoTile) SetPicture(img *image.RGBA) {
	if !t.state.Picture {
		return
	}
	before := t.img.Image
	t.img.Image = img
	t.img.FillMode, t.img.ScaleMode = t.fit(img)
	if before == nil || t.state.Contain && before.Bounds() != img.Bounds() {
		t.arrange()
	}
	if shown := t.inner.size.Width; shown > 0 {
		roundOff(img, float64(RadiusTile/shown*float32(img.Rect.Dx())))
	}
	t.img.Refresh()
}

// fit copies a picture of our own size pixel for pixel, which is also what a painter
// without a graphics card does fastest, and keeps the shape of one that was still made for
// another size.
func (t *VideoTile) fit(img *image.RGBA) (canvas.ImageFill, canvas.ImageScale) {
	w, h := t.PixelSize()
	dx, dy := img.Rect.Dx()-w, img.Rect.Dy()-h
	switch {
	case dx == 0 && dy == 0, t.state.Contain && (dx == 0 || dy == 0):
		return canvas.ImageFillStretch, canvas.ImageScalePixels
	case t.state.Contain || dx*dx <= 4 && dy*dy <= 4:
		return canvas.ImageFillStretch, canvas.ImageScaleFastest
	}
	return canvas.ImageFillCover, canvas.ImageScaleFastest
}

// PixelSize is the size of the tile's picture in pixels of the screen.
func (t *VideoTile) PixelSize() (w, h int) {
	s := t.Size()
	if c := fyne.CurrentApp().Driver().CanvasForObject(t); c != nil {
		return c.PixelCoordinateForPosition(fyne.NewPos(s.Width, s.Height))
	}
	return int(s.Width), int(s.Height)
}

// MinSize is nothing: tiles take what the grid gives.
func (t *VideoTile) MinSize() fyne.Size { return fyne.NewSize(1, 1) }

// arrange shows, hides and places the parts as state and size ask.
func (t *VideoTile) arrange() {
	s, size := t.state, t.Size()
	picture := t.img.Image != nil
	Show(t.rim, s.Rim)
	Place(t.rim, -rim, -rim, size.Width+2*rim, size.Height+2*rim)
	Show(t.back, !picture)
	t.back.Resize(size)
	t.inner = t.within(size)
	Show(t.img, picture)
	t.img.Move(t.inner.pos)
	t.img.Resize(t.inner.size)
	t.ring.Resize(size)

	d := min(88, size.Height*0.38, size.Width*0.38)
	Show(t.avatar, !picture && !s.Contain)
	// In the middle of the tile, or of what the chip and others leave of a small one.
	foot := max(s.Foot, chipHeight+2*Space2)
	y := (size.Height - d) / 2
	if y+d > size.Height-foot {
		y = max((size.Height-foot-d)/2+Space1, Space1)
	}
	below := !picture && s.Status != "" && y+d+Space2+Caption.Line <= size.Height-foot
	Place(t.avatar, (size.Width-d)/2, y, d, d)
	line := y + d + Space2
	instead := !picture && s.Status != "" && !below
	if instead { // no room for both: what is wrong comes first
		line = (size.Height - foot - Caption.Line) / 2
		t.avatar.Hide()
	}
	t.status.SetText(s.Status)
	Show(t.status, below || instead)
	Place(t.status, Space2, line, size.Width-2*Space2, t.status.style.Line)

	t.alert.Set(s.Status, "", OnPicture)
	Show(t.alert, s.Status != "" && picture)
	t.corner(t.alert, Space2)
	Show(t.bars, s.Quality > 0 && size.Width >= 120)
	Place(t.bars, size.Width-32-Space2, Space2, 32, 24)
	Show(t.chip, s.Label != "" && size.Width >= 48)
	t.corner(t.chip, t.inner.size.Height-chipHeight-Space2)
}

// within is the part of the tile that the picture covers.
func (t *VideoTile) within(size fyne.Size) place {
	if !t.state.Contain || t.img.Image == nil || size.Width <= 0 || size.Height <= 0 {
		return place{size: size}
	}
	b := t.img.Image.Bounds()
	k := min(size.Width/float32(b.Dx()), size.Height/float32(b.Dy()))
	inner := fyne.NewSize(float32(b.Dx())*k, float32(b.Dy())*k)
	// Whole units, so that a screen's pixels are the window's.
	x, y := (size.Width-inner.Width)/2, (size.Height-inner.Height)/2
	return place{fyne.NewPos(float32(int(x)), float32(int(y))), inner}
}

type place struct {
	pos  fyne.Position
	size fyne.Size
}

// corner places a chip at the left edge, cut to the tile's width.
func (t *VideoTile) corner(c *Chip, y float32) {
	m := c.MinSize()
	room := t.inner.size.Width - 2*Space2
	if c == t.alert && t.bars.Visible() {
		room -= 32 + Space2
	}
	Place(c, t.inner.pos.X+Space2, t.inner.pos.Y+y, min(m.Width, room), m.Height)
}

// CreateRenderer is for Fyne.
func (t *VideoTile) CreateRenderer() fyne.WidgetRenderer {
	return &renderer{
		objects: []fyne.CanvasObject{t.rim, t.back, t.img, t.avatar, t.status, t.ring, t.bars, t.alert, t.chip},
		layout:  func(fyne.Size) { t.arrange() },
		refresh: func() {
			t.arrange()
			refreshAll([]fyne.CanvasObject{t.rim, t.back, t.avatar, t.status, t.ring, t.bars, t.alert, t.chip})
			if t.img.Image != nil {
				t.img.Refresh()
			}
		},
	}
}
