package widget

import (
	"image"
	"image/color"
	"math"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
)

// filled is a picture of one colour.
func filled(w, h int, c color.RGBA) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

func newTile(t testing.TB, state TileState) *VideoTile {
	t.Helper()
	test.NewTempApp(t).Settings().SetTheme(Theme{Mode: Dark})
	tile := NewVideoTile()
	w := test.NewTempWindow(t, tile)
	w.SetPadded(false)
	w.Resize(fyne.NewSize(320, 180))
	state.Picture = true
	tile.SetState(state)
	return tile
}

// TestTileShowsOddShapesWhole: a picture that does not fill the tile has a dark, blurred surround. One that does
// has none.
func TestTileShowsOddShapesWhole(t *testing.T) {
	for _, c := range []struct {
		w, h     int
		bordered bool
		inner    fyne.Size
	}{
		{320, 180, false, fyne.NewSize(320, 180)},
		{101, 180, true, fyne.NewSize(101, 180)},
		{180, 180, true, fyne.NewSize(180, 180)},
		{320, 135, true, fyne.NewSize(320, 135)},
		{640, 360, false, fyne.NewSize(320, 180)}, // made for another size of the tile
	} {
		tile := newTile(t, TileState{})
		tile.SetPicture(filled(c.w, c.h, color.RGBA{200, 100, 50, 255}))
		if tile.blur.img.Visible() != c.bordered || tile.inner.size != c.inner {
			t.Errorf("%dx%d: backdrop %v, picture on %v", c.w, c.h, tile.blur.img.Visible(), tile.inner.size)
		}
		if c.bordered {
			b := tile.blur.img.Image.(*image.RGBA)
			if got := b.RGBAAt(b.Rect.Dx()/2, b.Rect.Dy()/2); got.R < 60 || got.R > 110 || got.A != 255 {
				t.Errorf("%dx%d: around it is %v", c.w, c.h, got)
			}
			roundCorner(t, tile)
		}
	}
}

// roundCorner checks the radius of a painted tile's upper left corner pixel by pixel.
func roundCorner(t *testing.T, tile *VideoTile) {
	t.Helper()
	shot := fyne.CurrentApp().Driver().CanvasForObject(tile).Capture()
	outside := color.RGBAModel.Convert(shot.At(0, 0)).(color.RGBA)
	for y := range int(RadiusTile) {
		for x := range int(RadiusTile) {
			away := math.Hypot(float64(RadiusTile)-float64(x)-0.5, float64(RadiusTile)-float64(y)-0.5) - float64(RadiusTile)
			got := color.RGBAModel.Convert(shot.At(x, y)).(color.RGBA)
			if math.Abs(away) > 1.5 && (away > 0) != (got == outside) {
				t.Errorf("%d, %d is %.1f outside of the corner and shows %v on %v", x, y, away, got, outside)
				return
			}
		}
	}
}

// TestTileVeilsWhatIsNotLive: a tile with a status does not show the picture itself.
func TestTileVeilsWhatIsNotLive(t *testing.T) {
	tile := newTile(t, TileState{})
	tile.SetPicture(filled(320, 180, color.RGBA{200, 100, 50, 255}))
	s := tile.State()
	s.Status, s.Note = "Can't connect to Ada", "Trying again…"
	tile.SetState(s)
	if tile.img.Visible() || !tile.blur.img.Visible() || !tile.status.Visible() || !tile.note.Visible() {
		t.Errorf("picture %v, backdrop %v, lines %v and %v", tile.img.Visible(), tile.blur.img.Visible(), tile.status.Visible(), tile.note.Visible())
	}
	tile.SetPicture(filled(320, 180, color.RGBA{50, 100, 200, 255}))
	if tile.img.Visible() {
		t.Error("another picture takes the veil away")
	}
	s.Status, s.Note = "", ""
	tile.SetState(s)
	tile.SetPicture(filled(320, 180, color.RGBA{50, 100, 200, 255}))
	if !tile.img.Visible() || tile.blur.img.Visible() || tile.status.Visible() {
		t.Error("live again, the veil stays")
	}
}

// BenchmarkTilePicture measures a tile's work for one picture, except drawing.
func BenchmarkTilePicture(b *testing.B) {
	for name, size := range map[string]image.Point{"fills": {320, 180}, "bordered": {101, 180}} {
		b.Run(name, func(b *testing.B) {
			tile := newTile(b, TileState{Label: "Ada"})
			img := filled(size.X, size.Y, color.RGBA{200, 100, 50, 255})
			for b.Loop() {
				tile.SetPicture(img)
			}
		})
	}
}
