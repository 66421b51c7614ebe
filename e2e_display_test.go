package main

import (
	"bufio"
	"bytes"
	"image"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// display is an X server for one program, without a screen.
type display struct {
	t    testing.TB
	name string
}

// startDisplay starts a display of 1280x720, which ends with the test.
func startDisplay(t testing.TB) display {
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
	if err := startChild(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // by its own process ID
		_ = cmd.Wait()
	})
	w.Close() // so that the end of Xvfb ends the reading
	// The whole line: it comes in two pieces, and Xvfb dies of writing to a closed pipe.
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb does not start: %v\n%s", err, said.String())
	}
	return display{t, ":" + strings.TrimSpace(number)}
}

func (d display) env() []string { return []string{"DISPLAY=" + d.name} }

// shoot takes a picture of the whole display, and leaves it at path.
func (d display) shoot(path string) *image.RGBA {
	d.t.Helper()
	cmd := exec.Command("import", "-window", "root", "png24:"+path)
	cmd.Env = append(os.Environ(), "DISPLAY="+d.name)
	if text, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("import: %v\n%s", err, text)
	}
	return readPNG(d.t, path)
}
