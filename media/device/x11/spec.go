package x11

import (
	"fmt"
	"image"
	"strconv"
	"strings"

	"parley/media"
)

// IDs of what can be shared. A screen is all monitors together or the one that is named; a
// region is X,Y,WxH in pixels of all of them.
const (
	screenPrefix = "screen:"
	windowPrefix = "window:"
	regionPrefix = "region:"
	wholeScreen  = screenPrefix + "0"
)

// minScreen is the smallest width and height that is captured, in pixels: a macroblock.
const minScreen = 16

// screenSpec is a parsed ID.
type screenSpec struct {
	id      string
	monitor string // "" is all of them
	window  uint32 // 0 unless it is a window
	region  image.Rectangle
}

// parseScreen reads an ID. Anything else is ErrNoDevice, and a region that is too small ErrFormat.
func parseScreen(id string) (screenSpec, error) {
	s := screenSpec{id: id}
	unknown := fmt.Errorf("open screen %q: %w", id, media.ErrNoDevice)
	switch {
	case id == wholeScreen || id == media.SpecDefault || id == "":
		s.id = wholeScreen
	case strings.HasPrefix(id, screenPrefix):
		s.monitor = strings.TrimPrefix(id, screenPrefix)
		if s.monitor == "" {
			return s, unknown
		}
	case strings.HasPrefix(id, windowPrefix):
		n, err := strconv.ParseUint(strings.TrimPrefix(id, windowPrefix), 0, 32)
		if err != nil || n == 0 {
			return s, unknown
		}
		s.window = uint32(n)
	case strings.HasPrefix(id, regionPrefix):
		r, ok := parseRegion(strings.TrimPrefix(id, regionPrefix))
		if !ok {
			return s, unknown
		}
		if r.Dx() < minScreen || r.Dy() < minScreen {
			return s, fmt.Errorf("open region of %dx%d: too small: %w", r.Dx(), r.Dy(), media.ErrFormat)
		}
		s.region = r
	default:
		return s, unknown
	}
	return s, nil
}

// parseRegion reads X,Y,WxH.
func parseRegion(text string) (image.Rectangle, bool) {
	x, rest, _ := strings.Cut(text, ",")
	y, rest, _ := strings.Cut(rest, ",")
	w, h, _ := strings.Cut(rest, "x")
	var n [4]int
	for i, field := range []string{x, y, w, h} {
		v, err := strconv.Atoi(field)
		if err != nil || v < -1<<15 || v > 1<<15 {
			return image.Rectangle{}, false
		}
		n[i] = v
	}
	if n[2] <= 0 || n[3] <= 0 {
		return image.Rectangle{}, false
	}
	return image.Rect(n[0], n[1], n[0]+n[2], n[1]+n[3]), true
}

// evenSize cuts a size to even numbers, at most MaxDimension: chroma samples are two pixels wide and
// high, and scaling a screen by one pixel instead would blur all of it.
func evenSize(w, h int) image.Point {
	return image.Pt(min(w, media.MaxDimension)&^1, min(h, media.MaxDimension)&^1)
}

// maxDirty is how many rectangles are read one by one: each costs a round trip to the server.
const maxDirty = 16

// dirtyParts prepares damage rectangles for reading. It clips them to the picture, aligns them to chroma
// samples, and merges many or overlapping ones into their union.
func dirtyParts(rects []image.Rectangle, size image.Point) []image.Rectangle {
	all := image.Rectangle{Max: size}
	var out []image.Rectangle
	var union image.Rectangle
	area := 0
	for _, r := range rects {
		r.Min.X, r.Min.Y = r.Min.X&^1, r.Min.Y&^1
		r.Max.X, r.Max.Y = (r.Max.X+1)&^1, (r.Max.Y+1)&^1
		if r = r.Intersect(all); r.Empty() {
			continue
		}
		out, union, area = append(out, r), union.Union(r), area+r.Dx()*r.Dy()
	}
	if len(out) > maxDirty || area >= union.Dx()*union.Dy() {
		return []image.Rectangle{union}[:min(len(out), 1)]
	}
	return out
}

// framePart returns the part r of f, aligned to chroma samples, as a frame that shares its memory.
func framePart(f *media.Frame, r image.Rectangle) *media.Frame {
	y, c := r.Min.Y*f.YStride+r.Min.X, r.Min.Y/2*f.UVStride+r.Min.X/2
	return &media.Frame{
		Width: r.Dx(), Height: r.Dy(),
		Y: f.Y[y:], U: f.U[c:], V: f.V[c:], YStride: f.YStride, UVStride: f.UVStride,
	}
}
