package widget

import (
	"image"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fw "fyne.io/fyne/v2/widget"
)

// TileState is what a tile shows besides its picture.
type TileState struct {
	Name     string // the person's, for the avatar
	Label    string // on the chip; empty for no chip
	Icon     string // before the label: mic-off, screen; empty for none
	Status   string // why the picture is not live, in the tile's centre; empty when it is
	Note     string // a smaller line below the status
	Picture  bool   // pictures are expected; the avatar shows until the first one
	Contain  bool   // never crop the picture: for screens
	Rim      bool   // over another tile: draw a rim in the background's colour
	Speaking bool
	Quality  int     // 1 to 4, 0 for not shown
	Foot     float32 // height kept free at the bottom, for buttons
}

const rim float32 = 2

// VideoTile shows one person or one screen.
type VideoTile struct {
	fw.BaseWidget
	state  TileState
	rim    *Box
	back   *Box
	img    *canvas.Image
	blur   *backdrop
	avatar *Avatar
	status *Paragraph
	note   *Paragraph
	chip   *Chip
	bars   *Bars
	ring   *Ring
	inner  place // where the picture is in the tile
}

// NewVideoTile makes an empty tile.
func NewVideoTile() *VideoTile {
	t := &VideoTile{
		rim:    NewBox(Background, None, RadiusTile+rim),
		back:   NewBox(Surface2, None, RadiusTile),
		img:    &canvas.Image{ScaleMode: canvas.ImageScaleFastest},
		blur:   newBackdrop(),
		avatar: NewAvatar("", 0),
		status: NewParagraph("", BodyMedium, OnPicture, 2).Align(fyne.TextAlignCenter),
		note:   NewParagraph("", Caption, Text2, 3).Align(fyne.TextAlignCenter),
		chip:   NewChip(), bars: NewBars(), ring: NewRing(RadiusTile),
	}
	for _, o := range []fyne.CanvasObject{t.rim, t.img, t.status, t.note, t.chip, t.bars, t.ring} {
		o.Hide()
	}
	t.ExtendBaseWidget(t)
	return t
}

// State is the state last set.
func (t *VideoTile) State() TileState { return t.state }

// SetState changes the state. Unchanged parts are not redrawn.
func (t *VideoTile) SetState(s TileState) {
	if t.state == s {
		return
	}
	old := t.state
	t.state = s
	if !s.Picture {
		t.img.Image, t.blur.img.Image = nil, nil // its memory belongs to the view
	}
	if t.veiled() && (old.Status == "" || t.blur.img.Image == nil) {
		t.paintBlur()
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
	switch icon {
	case "mic-off":
		return PictureOff
	case "mic-alert":
		return PictureAlert
	}
	return OnPicture
}

// SetPicture shows a picture in the tile's own pixel size and rounds its corners. The tile reads it on every paint
// until the next one is set. While the state has a status, the picture is shown dark and blurred, so that
// nobody takes it for live.
func (t *VideoTile) SetPicture(img *image.RGBA) {
	if !t.state.Picture {
		return
	}
	before := t.img.Image
	t.img.Image = img
	t.img.FillMode, t.img.ScaleMode = t.fit(img)
	if before == nil || before.Bounds() != img.Bounds() {
		t.arrange()
	}
	if t.veiled() || t.bordered() {
		if t.blur.due() {
			t.paintBlur()
		}
	} else {
		t.blur.img.Image = nil
	}
	if shown := t.inner.size.Width; shown > 0 {
		roundOff(img, float64(t.cornerRadius()/shown*float32(img.Rect.Dx())))
	}
	t.img.Refresh()
}

// veiled reports whether the picture is not live.
func (t *VideoTile) veiled() bool { return t.img.Image != nil && t.state.Status != "" }

// bordered reports whether a camera picture does not fill the tile.
func (t *VideoTile) bordered() bool {
	if t.img.Image == nil || t.state.Contain {
		return false
	}
	b, s := t.img.Image.Bounds(), t.Size()
	across, along := float32(b.Dx())*s.Height, float32(b.Dy())*s.Width
	// A view's pictures fill the tile, or keep their own shape if cropping would lose more than this. A smaller
	// difference is a rounded pixel, or a picture made for the tile's previous size.
	const maxCropped = 0.12
	return min(across, along) < (1-maxCropped)*max(across, along)
}

// cornerRadius is the radius of the picture's corners: a picture inside a border has square ones.
func (t *VideoTile) cornerRadius() float32 {
	if t.state.Contain {
		return RadiusTile
	}
	return max(RadiusTile-max(t.inner.pos.X, t.inner.pos.Y), 0)
}

func (t *VideoTile) paintBlur() {
	img, ok := t.img.Image.(*image.RGBA)
	w, h := t.PixelSize()
	if !ok || w < 1 || h < 1 {
		return
	}
	light := around
	if t.veiled() {
		light = instead
	}
	t.blur.paint(img, w, h, light)
}

// fit draws a picture of the tile's own size pixel for pixel, which is also fastest without a graphics card. It
// keeps the aspect ratio of a picture made for another size.
func (t *VideoTile) fit(img *image.RGBA) (canvas.ImageFill, canvas.ImageScale) {
	w, h := t.PixelSize()
	dx, dy := img.Rect.Dx()-w, img.Rect.Dy()-h
	whole := t.state.Contain || t.bordered()
	switch {
	case dx == 0 && dy == 0, whole && (dx == 0 && dy < 0 || dy == 0 && dx < 0):
		return canvas.ImageFillStretch, canvas.ImageScalePixels
	case whole || dx*dx <= 4 && dy*dy <= 4:
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

// MinSize is minimal: the grid decides the size of tiles.
func (t *VideoTile) MinSize() fyne.Size { return fyne.NewSize(1, 1) }

// arrange shows, hides and places the parts according to state and size.
func (t *VideoTile) arrange() {
	s, size := t.state, t.Size()
	picture, veiled := t.img.Image != nil, t.veiled()
	Show(t.rim, s.Rim)
	Place(t.rim, -rim, -rim, size.Width+2*rim, size.Height+2*rim)
	Show(t.back, !picture)
	t.back.Resize(size)
	t.inner = t.within(size)
	Show(t.img, picture && !veiled)
	t.img.Move(t.inner.pos)
	t.img.Resize(t.inner.size)
	Show(t.blur.img, veiled || t.bordered())
	t.blur.img.Move(fyne.Position{})
	t.blur.img.Resize(size)
	if s.Contain {
		t.blur.img.Move(t.inner.pos)
		t.blur.img.Resize(t.inner.size)
	}
	t.ring.Resize(size)
	t.arrangeMiddle(picture)
	Show(t.bars, s.Quality > 0 && size.Width >= 120)
	Place(t.bars, size.Width-32-Space2, Space2, 32, 24)
	Show(t.chip, s.Label != "" && size.Width >= 48)
	t.placeChip()
}

// arrangeMiddle centres the avatar, the status and its note in the tile, or above the label in a small tile. If
// not all fit, the note is dropped first, then the avatar.
func (t *VideoTile) arrangeMiddle(picture bool) {
	s, size := t.state, t.Size()
	width := max(size.Width-2*Space2, 1)
	if picture {
		t.status.Set(s.Status, OnPicture)
		t.note.Set(s.Note, OnPicture)
	} else {
		t.status.Set(s.Status, Text1)
		t.note.Set(s.Note, Text2)
	}
	foot := max(s.Foot, chipHeight+2*Space2)
	room := size.Height - foot
	d := min(88, size.Height*0.38, size.Width*0.38)
	avatar := !picture && !s.Contain
	words, note := float32(0), float32(0)
	if s.Status != "" {
		words = t.status.HeightFor(width)
	}
	if s.Note != "" {
		note = t.note.HeightFor(width) + Space1
	}
	if words > 0 && avatar && d+Space2+words > room-Space1 {
		avatar = false
	}
	above := float32(0)
	if avatar {
		above = d
		if words > 0 {
			above += Space2
		}
	}
	if above+words+note > room-Space1 {
		note = 0
	}
	// The avatar does not move when the status appears or disappears.
	y := (size.Height - above - words - note) / 2
	if avatar {
		y = (size.Height - d) / 2
	}
	if y+above+words+note > room {
		y = max((room-above-words-note)/2+Space1, Space1)
	}
	Show(t.avatar, avatar)
	Place(t.avatar, (size.Width-d)/2, y, d, d)
	Show(t.status, words > 0)
	Place(t.status, Space2, y+above, width, max(words, 1))
	Show(t.note, note > 0)
	Place(t.note, Space2, y+above+words+Space1, width, max(note-Space1, 1))
}

// within is the rectangle of the picture within the tile.
func (t *VideoTile) within(size fyne.Size) place {
	if t.img.Image == nil || size.Width <= 0 || size.Height <= 0 || !t.state.Contain && !t.bordered() {
		return place{size: size}
	}
	b := t.img.Image.Bounds()
	k := min(size.Width/float32(b.Dx()), size.Height/float32(b.Dy()))
	inner := fyne.NewSize(float32(b.Dx())*k, float32(b.Dy())*k)
	// Whole units align a screen's pixels with the window's.
	x, y := (size.Width-inner.Width)/2, (size.Height-inner.Height)/2
	return place{fyne.NewPos(float32(int(x)), float32(int(y))), inner}
}

type place struct {
	pos  fyne.Position
	size fyne.Size
}

// placeChip places the label at the bottom left, cut to the tile's width: on the picture of a screen, but in the
// corner of a camera tile, whatever the picture's aspect ratio.
func (t *VideoTile) placeChip() {
	m, on := t.chip.MinSize(), t.inner
	if !t.state.Contain {
		on = place{size: t.Size()}
	}
	Place(t.chip, on.pos.X+Space2, on.pos.Y+on.size.Height-chipHeight-Space2, min(m.Width, on.size.Width-2*Space2), m.Height)
}

// CreateRenderer is for Fyne.
func (t *VideoTile) CreateRenderer() fyne.WidgetRenderer {
	return &renderer{
		objects: []fyne.CanvasObject{t.rim, t.back, t.blur.img, t.img, t.avatar, t.status, t.note, t.ring, t.bars, t.chip},
		layout:  func(fyne.Size) { t.arrange() },
		refresh: func() {
			t.arrange()
			refreshAll([]fyne.CanvasObject{t.rim, t.back, t.avatar, t.status, t.note, t.ring, t.bars, t.chip})
			if t.img.Image != nil {
				t.img.Refresh()
			}
		},
	}
}
