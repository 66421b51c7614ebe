package mediatest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"parley/media"
)

// ReadY4M reads every picture of a file made by scripts/material.
func ReadY4M(t testing.TB, path string) []*media.Frame {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	header, rest, _ := strings.Cut(string(src), "\n")
	var w, h int
	if _, err := fmt.Sscanf(header, "YUV4MPEG2 W%d H%d", &w, &h); err != nil {
		t.Fatalf("%s: %q: %v", path, header, err)
	}
	var frames []*media.Frame
	for rest != "" {
		_, picture, _ := strings.Cut(rest, "\n")
		f := media.NewFrame(w, h)
		for _, plane := range [][]byte{f.Y, f.U, f.V} {
			picture = picture[copy(plane, picture):]
		}
		frames, rest = append(frames, f), picture
	}
	return frames
}
