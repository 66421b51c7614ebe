//go:build linux

package v4l2

import (
	"errors"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"parley/media"
)

func TestSizeRange(t *testing.T) {
	for _, c := range []struct {
		r    sizeRange
		want []image.Point
	}{
		{sizeRange{800, 800, 0, 600, 600, 0}, []image.Point{{X: 800, Y: 600}}},
		{sizeRange{16, 960, 16, 16, 540, 2}, []image.Point{{X: 960, Y: 540}, {X: 640, Y: 480}, {X: 640, Y: 360}, {X: 320, Y: 240}}},
		{sizeRange{100, 200, 1, 50, 90, 1}, []image.Point{{X: 200, Y: 90}}},
	} {
		if got := c.r.sizes(); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.r, got, c.want)
		}
	}
}

func TestRateFraction(t *testing.T) {
	for rate, want := range map[float64][2]int{30: {30, 1}, 29.97: {30000, 1001}, 7.5: {15, 2}, 0: {0, 0}, -1: {0, 0}} {
		if num, den := rateFraction(float64(float32(rate))); [2]int{num, den} != want {
			t.Errorf("%v: %d/%d, want %v", rate, num, den, want)
		}
	}
}

// TestCameraNodes finds cameras in a fake /dev and /sys.
func TestCameraNodes(t *testing.T) {
	dev, sys := t.TempDir(), t.TempDir()
	put := func(path, text string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	node := func(name string) string { return filepath.Join(dev, name) }
	for _, n := range []string{"video0", "video1", "video2", "video10", "video11", "videoX"} {
		put(node(n), "")
	}
	put(filepath.Join(sys, "video10", "name"), "Locked\n")
	put(filepath.Join(sys, "video10", "index"), "0\n")
	put(filepath.Join(sys, "video11", "index"), "1\n")
	byID := node("v4l/by-id")
	link := filepath.Join(byID, "usb-Cam-index0")
	if err := errors.Join(os.MkdirAll(byID, 0o700), os.Symlink("../../video2", link)); err != nil {
		t.Fatal(err)
	}
	n := newCameraNodes()
	n.dev, n.sys = dev, sys
	asked := make(map[string]int)
	n.query = func(path string) (string, bool, error) {
		asked[path]++
		switch filepath.Base(path) {
		case "video0":
			return "", false, media.ErrNoDevice
		case "video1":
			return "Cam", false, nil // metadata
		case "video2":
			return "Cam", true, nil
		}
		return "", false, fs.ErrPermission
	}
	want := []media.Device{
		{Kind: media.Camera, ID: link, Name: "Cam", Default: true},
		{Kind: media.Camera, ID: node("video10"), Name: "Locked"},
	}
	list := func() (out []media.Device) {
		for _, f := range n.find(nil) {
			out = append(out, f.Device)
		}
		return out
	}
	for range 3 {
		if got := list(); !slices.Equal(got, want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
	}
	if asked[node("video2")] != 1 {
		t.Errorf("a camera was asked %d times, which wakes it", asked[node("video2")])
	}
	if err := os.Remove(node("video2")); err != nil {
		t.Fatal(err)
	}
	want = want[1:]
	want[0].Default = true
	if got := list(); !slices.Equal(got, want) {
		t.Errorf("unplugged: %+v, want %+v", got, want)
	}
}
