package widget

import (
	"image"

	"fyne.io/fyne/v2/canvas"
)

// A backdrop is a blurred, dark copy of a picture. It surrounds a picture that does not fill its tile, and
// replaces one that is not live. It is cheap: it is drawn from a coarse grid of averages at a fraction of the
// tile's resolution, and the painter scales it up.
type backdrop struct {
	img   *canvas.Image
	cells [backdropRows][backdropCols][3]float32
	count int // pictures since the last paint
}

const (
	backdropCols, backdropRows = 12, 8
	backdropScale              = 4 // tile pixels per backdrop pixel, in each direction
	backdropSamples            = 5 // per cell, in each direction
	backdropEvery              = 8 // pictures per paint: about four paints a second are enough

	around  float32 = 0.42 // brightness around a picture
	instead float32 = 0.36 // brightness in place of a picture
)

func newBackdrop() *backdrop {
	// The backdrop's pixels are too coarse for round corners, so the painter rounds them.
	b := &backdrop{img: &canvas.Image{FillMode: canvas.ImageFillStretch, ScaleMode: canvas.ImageScaleFastest, CornerRadius: RadiusTile}}
	b.img.Hide()
	return b
}

// due counts pictures and reports whether to repaint for this one.
func (b *backdrop) due() bool {
	b.count++
	return b.img.Image == nil || b.count >= backdropEvery
}

// paint makes the backdrop of src for a tile of w by h pixels.
func (b *backdrop) paint(src *image.RGBA, w, h int, light float32) {
	b.count = 0
	w, h = max(w/backdropScale, 1), max(h/backdropScale, 1)
	dst, ok := b.img.Image.(*image.RGBA)
	if !ok || dst.Rect.Dx() != w || dst.Rect.Dy() != h {
		dst = image.NewRGBA(image.Rect(0, 0, w, h))
	}
	b.sample(src)
	b.smooth()
	b.draw(dst, light)
	b.img.Image = dst
	b.img.Refresh()
}

// sample averages a few pixels of each cell. It skips transparent pixels, which are round corners.
func (b *backdrop) sample(src *image.RGBA) {
	r := src.Rect
	for y := range backdropRows {
		for x := range backdropCols {
			var sum [3]float32
			n := float32(0)
			for i := range backdropSamples * backdropSamples {
				px := (2*(x*backdropSamples+i%backdropSamples) + 1) * r.Dx() / (2 * backdropCols * backdropSamples)
				py := (2*(y*backdropSamples+i/backdropSamples) + 1) * r.Dy() / (2 * backdropRows * backdropSamples)
				p := src.Pix[src.PixOffset(r.Min.X+px, r.Min.Y+py):]
				if p[3] != 0xff {
					continue
				}
				for c := range sum {
					sum[c] += float32(p[c])
				}
				n++
			}
			for c := range sum {
				sum[c] /= max(n, 1)
			}
			b.cells[y][x] = sum
		}
	}
}

// smooth replaces each cell with the average of itself and its neighbours.
func (b *backdrop) smooth() {
	from := b.cells
	for y := range backdropRows {
		for x := range backdropCols {
			var sum [3]float32
			for dy := -1; dy <= 1; dy++ {
				for dx := -1; dx <= 1; dx++ {
					p := from[min(max(y+dy, 0), backdropRows-1)][min(max(x+dx, 0), backdropCols-1)]
					for c := range sum {
						sum[c] += p[c]
					}
				}
			}
			for c := range sum {
				b.cells[y][x][c] = sum[c] / 9
			}
		}
	}
}

// draw interpolates the cells bilinearly into dst.
func (b *backdrop) draw(dst *image.RGBA, light float32) {
	w, h := dst.Rect.Dx(), dst.Rect.Dy()
	columns := make([]blend, w)
	for x := range columns {
		columns[x] = between(x, w, backdropCols)
	}
	var row [backdropCols][3]float32
	for y := range h {
		v := between(y, h, backdropRows)
		for x := range row {
			for c := range row[x] {
				row[x][c] = light * (b.cells[v.i][x][c]*(1-v.part) + b.cells[v.j][x][c]*v.part)
			}
		}
		line := dst.Pix[y*dst.Stride : y*dst.Stride+4*w]
		for x, u := range columns {
			for c := range 3 {
				line[4*x+c] = uint8(row[u.i][c]*(1-u.part) + row[u.j][c]*u.part)
			}
			line[4*x+3] = 0xff
		}
	}
}

// blend is a position between the centres of two cells.
type blend struct {
	i, j int
	part float32 // weight of j
}

func between(at, length, cells int) blend {
	p := min(max((float32(at)+0.5)*float32(cells)/float32(length)-0.5, 0), float32(cells-1))
	i := int(p)
	return blend{i, min(i+1, cells-1), p - float32(i)}
}
