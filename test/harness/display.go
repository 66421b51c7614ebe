package harness

import (
	"bufio"
	"bytes"
	"image"
	"image/png"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// display is a virtual X server for one program.
type display struct {
	t    testing.TB
	Name string
}

// StartDisplay starts a display of 1280x720 that ends with the test.
func StartDisplay(t testing.TB) display {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1280x720x24", "-nolisten", "tcp", "-noreset")
	cmd.ExtraFiles = []*os.File{w}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := StartChild(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // by its own process ID
		_ = cmd.Wait()
	})
	w.Close() // so that reads end when Xvfb ends
	// Read the whole line: Xvfb writes it in two pieces, and dies when it writes to a closed pipe.
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb does not start: %v\n%s", err, said.String())
	}
	return display{t, ":" + strings.TrimSpace(number)}
}

func (d display) Env() []string { return []string{"DISPLAY=" + d.Name} }

// Shoot saves a screenshot of the whole display at path.
func (d display) Shoot(path string) *image.RGBA {
	d.t.Helper()
	cmd := exec.Command("import", "-window", "root", "png24:"+path)
	cmd.Env = append(os.Environ(), "DISPLAY="+d.Name)
	if text, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("import: %v\n%s", err, text)
	}
	return readPNG(d.t, path)
}

// Keys types into the only window of a display.
func (d display) Keys(args ...string) {
	d.t.Helper()
	cmd := exec.Command("xdotool", args...)
	cmd.Env = append(os.Environ(), "DISPLAY="+d.Name)
	if text, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("xdotool %s: %v\n%s", strings.Join(args, " "), err, text)
	}
}

// readPNG reads a picture into plain RGBA.
func readPNG(t testing.TB, path string) *image.RGBA {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	src, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	dst := image.NewRGBA(image.Rect(0, 0, src.Bounds().Dx(), src.Bounds().Dy()))
	for y := range dst.Rect.Dy() {
		for x := range dst.Rect.Dx() {
			dst.Set(x, y, src.At(x, y))
		}
	}
	return dst
}
