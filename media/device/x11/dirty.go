//go:build linux

package x11

import (
	"image"

	"parley/media"
)

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
