package ui

import (
	"math"

	"fyne.io/fyne/v2"
)

const (
	tileGap  float32 = 8
	maxTiles int     = 16 // on one page

	// usual is the aspect ratio assumed until a picture's is known. The other two are the limits to which
	// ratios are clamped.
	usual   float32 = 16.0 / 9
	tallest float32 = 9.0 / 21
	widest  float32 = 21.0 / 9

	// How much a tile's aspect ratio may differ from its picture's; the picture still fills it (media.Fills).
	slack float32 = 8.0/7 - 0.001

	// Below this width, faces are too small to read.
	leastTile float32 = 120
)

// rect is a place on the stage.
type rect struct{ x, y, w, h float32 }

// grid places one tile for each picture in an area of w by h, in rows of equal length except the last. shapes are
// the pictures' aspect ratios. All pictures have the same height, as large as possible. Each row is centred.
func grid(shapes []float32, w, h float32) []rect {
	n := len(shapes)
	if n == 0 || w <= 0 || h <= 0 {
		return nil
	}
	cols, high := bestColumns(shapes, w, h)
	rows := (n + cols - 1) / cols
	// Tiles grow into the remaining space as long as their pictures fill them.
	wider := slack
	for i := 0; i < n; i += cols {
		row := shapes[i:min(i+cols, n)]
		wider = min(wider, (w-float32(len(row)-1)*tileGap)/(high*total(row)))
	}
	// Whole units align the pictures with the pixels.
	th := floor(min(high*slack, (h-float32(rows-1)*tileGap)/float32(rows)))
	widths := make([]float32, n)
	for i, s := range shapes {
		s = clampShape(s)
		widths[i] = floor(high*wider*s + rounding)
		th = min(th, floor(widths[i]/s*slack+rounding))
	}
	top := floor((h - float32(rows)*th - float32(rows-1)*tileGap) / 2)
	places := make([]rect, n)
	for from := 0; from < n; from += cols {
		to := min(from+cols, n)
		used := float32(to-from-1) * tileGap
		for i := from; i < to; i++ {
			widths[i] = min(widths[i], floor(th*clampShape(shapes[i])*slack+rounding))
			used += widths[i]
		}
		x := floor((w - used) / 2)
		for i := from; i < to; i++ {
			places[i] = rect{x, top + float32(from/cols)*(th+tileGap), widths[i], th}
			x += widths[i] + tileGap
		}
	}
	return places
}

// single is the place of the only tile: the part of the stage that its picture fills, or the whole stage if more
// than a quarter of it would be empty.
func single(shape, w, h float32) rect {
	if p := grid([]float32{shape}, w, h); len(p) == 1 && p[0].w*p[0].h >= 0.75*w*h {
		return p[0]
	}
	return rect{0, 0, w, h}
}

// bestColumns is the number of columns that makes the pictures highest, and that height.
func bestColumns(shapes []float32, w, h float32) (cols int, high float32) {
	for c := 1; c <= len(shapes); c++ {
		rows := (len(shapes) + c - 1) / c
		fits := (h - float32(rows-1)*tileGap) / float32(rows)
		for i := 0; i < len(shapes); i += c {
			row := shapes[i:min(i+c, len(shapes))]
			fits = min(fits, (w-float32(len(row)-1)*tileGap)/total(row))
		}
		if fits > high {
			cols, high = c, fits
		}
	}
	return max(cols, 1), max(high, 1)
}

// total is the sum of the aspect ratios: the width of a row of pictures of height 1.
func total(shapes []float32) (sum float32) {
	for _, s := range shapes {
		sum += clampShape(s)
	}
	return sum
}

func clampShape(s float32) float32 {
	if s <= 0 {
		return usual
	}
	return min(max(s, tallest), widest)
}

// usualShapes is a list of n usual aspect ratios.
func usualShapes(n int) []float32 { return make([]float32, n) }

// rounding exceeds the error of 32-bit arithmetic on a whole number.
const rounding = 0.01

func floor(v float32) float32 { return float32(math.Floor(float64(v))) }

// capacity is how many tiles fit on a page of w by h at a readable size.
func capacity(w, h float32) int {
	for n := maxTiles; n > 2; n-- {
		if p := grid(usualShapes(n), w, h); len(p) > 0 && p[0].w >= leastTile && p[0].h >= leastTile*9/16 {
			return n
		}
	}
	return 2
}

// pages is how many pages the others need when every page has our own tile.
func pages(others, perPage int) int {
	return max((others+perPage-2)/(perPage-1), 1)
}

// selfView places our own picture in the corner of another: in its own aspect ratio, with the area of 240 by 135,
// smaller on a small stage.
func selfView(stage rect, shape float32) rect {
	shape = clampShape(shape)
	const wide, high = 240, 135
	w := float32(math.Sqrt(float64(wide * high * shape)))
	if shape == usual {
		w = wide
	}
	w = floor(min(w, w/wide*stage.w*0.3, stage.h*0.4*shape))
	h := floor(w/shape + rounding)
	return rect{stage.x + stage.w - w - 16, stage.y + stage.h - h - 16, w, h}
}

// presenting places a shared screen, and n people in a column beside it or, on a narrow stage, in a row below.
// It returns the place of the screen and one for each person that fits.
func presenting(n int, w, h float32) (screen rect, people []rect) {
	if w < narrow {
		ph := floor(min(96, h*0.28))
		pw := floor(ph * 16 / 9)
		n = min(n, max(int((w+tileGap)/(pw+tileGap)), 1))
		for i := range n {
			people = append(people, rect{float32(i) * (pw + tileGap), h - ph, pw, ph})
		}
		return rect{0, 0, w, h - ph - tileGap}, people
	}
	pw := floor(max(min(232, w*0.2), 160))
	ph := floor(pw * 9 / 16)
	if w >= 1600 {
		pw = floor(w * 0.16)
		ph = floor(pw * 9 / 16)
	}
	n = min(n, max(int((h+tileGap)/(ph+tileGap)), 1))
	for i := range n {
		people = append(people, rect{w - pw, float32(i) * (ph + tileGap), pw, ph})
	}
	return rect{0, 0, w - pw - 12, h}, people
}

func (r rect) place(o fyne.CanvasObject, dx, dy float32) {
	o.Move(fyne.NewPos(r.x+dx, r.y+dy))
	o.Resize(fyne.NewSize(r.w, r.h))
}

// below is the part of r below a bar of the given height.
func (r rect) below(high float32) rect {
	high += tileGap
	return rect{r.x, r.y + high, r.w, r.h - high}
}
