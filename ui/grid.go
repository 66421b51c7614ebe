package ui

import (
	"math"

	"fyne.io/fyne/v2"
)

const (
	tileGap  float32 = 8
	maxTiles int     = 16 // on one page

	// A tile fills its cell of the grid as long as its shape stays between these; 16:9
	// cameras are cut to fit.
	minAspect float32 = 1.2
	maxAspect float32 = 2.4

	// Under this width faces are too small to read.
	leastTile float32 = 120
)

// rect is a place on the stage.
type rect struct{ x, y, w, h float32 }

// grid places n tiles on w by h, so that the 16:9 part of each is as large as can be. The
// last row stands in the middle.
func grid(n int, w, h float32) []rect {
	if n <= 0 || w <= 0 || h <= 0 {
		return nil
	}
	cols := bestColumns(n, w, h)
	rows := (n + cols - 1) / cols
	tw, th := cell(cols, rows, w, h)
	// Whole units keep the pictures on the pixels.
	tw, th = floor(tw), floor(th)
	tw, th = min(tw, floor(th*maxAspect)), min(th, floor(tw/minAspect))
	top := floor((h - float32(rows)*th - float32(rows-1)*tileGap) / 2)
	places := make([]rect, n)
	for i := range places {
		row, col := i/cols, i%cols
		in := min(cols, n-row*cols)
		left := floor((w - float32(in)*tw - float32(in-1)*tileGap) / 2)
		places[i] = rect{left + float32(col)*(tw+tileGap), top + float32(row)*(th+tileGap), tw, th}
	}
	return places
}

func bestColumns(n int, w, h float32) int {
	best, most := 1, float32(-1)
	for cols := 1; cols <= n; cols++ {
		tw, th := cell(cols, (n+cols-1)/cols, w, h)
		if wide := min(tw, th*16/9); wide > most {
			best, most = cols, wide
		}
	}
	return best
}

func cell(cols, rows int, w, h float32) (cw, ch float32) {
	return (w - float32(cols-1)*tileGap) / float32(cols), (h - float32(rows-1)*tileGap) / float32(rows)
}

func floor(v float32) float32 { return float32(math.Floor(float64(v))) }

// capacity is how many tiles one page of w by h holds without any getting too small.
func capacity(w, h float32) int {
	for n := maxTiles; n > 2; n-- {
		if p := grid(n, w, h); len(p) > 0 && p[0].w >= leastTile && p[0].h >= leastTile*9/16 {
			return n
		}
	}
	return 2
}

// pages is how the others are spread: per page, next to ourselves.
func pages(others, perPage int) int {
	return max((others+perPage-2)/(perPage-1), 1)
}

// selfView is our own picture in the corner of one other's: 240 by 135, less on a small
// stage.
func selfView(stage rect) rect {
	w := floor(min(240, stage.w*0.3))
	h := floor(w * 9 / 16)
	return rect{stage.x + stage.w - w - 16, stage.y + stage.h - h - 16, w, h}
}

// presenting places a shared screen and n people, in a column beside it or, on a narrow
// stage, in a row below; it returns how many people there is room for.
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
