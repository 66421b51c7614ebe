package media

import (
	"fmt"
	"image"
	"strconv"
	"strings"
)

// ScreenOptions is how a screen, a window or a region is captured.
type ScreenOptions struct {
	Pointer bool // the mouse pointer is part of the picture
	Motion  bool // for films: up to 30 frames a second rather than 15
}

// Shareable is a screen or a window as somebody who chooses sees it. Its Name may be the
// title of a document and is for the user's eyes only.
type Shareable struct {
	Device
	Window  bool
	Size    image.Point // in pixels of the screen
	Origin  image.Point // of a screen, where it is among all screens
	Preview *image.RGBA // a small picture of it, never written to again; nil where there is none
}

// IDs of what can be shared. A screen is all monitors together or the one that is named; a
// region is X,Y,WxH in pixels of all of them.
const (
	ScreenPrefix = "screen:"
	WindowPrefix = "window:"
	RegionPrefix = "region:"
	WholeScreen  = ScreenPrefix + "0"
)

// MinScreen is the smallest width and height that is captured, in pixels: a macroblock.
const MinScreen = 16

// ScreenSpec is a parsed ID.
type ScreenSpec struct {
	ID      string
	Monitor string // "" is all of them
	Window  uint32 // 0 unless it is a window
	Region  image.Rectangle
}

// ParseScreen reads an ID. Anything else is ErrNoDevice, and a region that is too small ErrFormat.
func ParseScreen(id string) (ScreenSpec, error) {
	s := ScreenSpec{ID: id}
	unknown := fmt.Errorf("open screen %q: %w", id, ErrNoDevice)
	switch {
	case id == WholeScreen || id == SpecDefault || id == "":
		s.ID = WholeScreen
	case strings.HasPrefix(id, ScreenPrefix):
		s.Monitor = strings.TrimPrefix(id, ScreenPrefix)
		if s.Monitor == "" {
			return s, unknown
		}
	case strings.HasPrefix(id, WindowPrefix):
		n, err := strconv.ParseUint(strings.TrimPrefix(id, WindowPrefix), 0, 32)
		if err != nil || n == 0 {
			return s, unknown
		}
		s.Window = uint32(n)
	case strings.HasPrefix(id, RegionPrefix):
		r, ok := parseRegion(strings.TrimPrefix(id, RegionPrefix))
		if !ok {
			return s, unknown
		}
		if r.Dx() < MinScreen || r.Dy() < MinScreen {
			return s, fmt.Errorf("open region of %dx%d: too small: %w", r.Dx(), r.Dy(), ErrFormat)
		}
		s.Region = r
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

// EvenSize cuts a size to even numbers, at most MaxDimension: chroma samples are two pixels wide and
// high, and scaling a screen by one pixel instead would blur all of it.
func EvenSize(w, h int) image.Point {
	return image.Pt(min(w, MaxDimension)&^1, min(h, MaxDimension)&^1)
}

// Preview scales a picture of bytes B, G, R and one unused down to fit into the given size. Each pixel is the mean of
// those that it covers.
func Preview(pixels []byte, w, h int, fit image.Point) *image.RGBA {
	size := image.Pt(w, h)
	if w > fit.X || h > fit.Y {
		size = Contain(w, h, fit.X, fit.Y)
	}
	out := image.NewRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		top, bottom := y*h/size.Y, max((y+1)*h/size.Y, y*h/size.Y+1)
		for x := range size.X {
			left, right := x*w/size.X, max((x+1)*w/size.X, x*w/size.X+1)
			var b, g, r, n uint32
			for row := top; row < bottom; row++ {
				for p := pixels[4*(row*w+left) : 4*(row*w+right)]; len(p) >= 4; p = p[4:] {
					b, g, r, n = b+uint32(p[0]), g+uint32(p[1]), r+uint32(p[2]), n+1
				}
			}
			o := out.Pix[out.PixOffset(x, y):][:4]
			o[0], o[1], o[2], o[3] = byte(r/n), byte(g/n), byte(b/n), 255
		}
	}
	return out
}
