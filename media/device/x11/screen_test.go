//go:build linux

package x11_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"parley/media"
	"parley/media/codec"
	"parley/media/device/x11"
)

// startX starts an Xvfb that ends with the test, and makes it the test's display.
func startX(t testing.TB, size string, more ...string) (kill func()) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("Xvfb", append([]string{"-displayfd", "3", "-screen", "0", size, "-nolisten", "tcp", "-noreset"}, more...)...)
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal("start Xvfb: ", err)
	}
	w.Close()
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(kill)
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal("Xvfb did not start: ", err)
	}
	for k, v := range map[string]string{"DISPLAY": ":" + strings.TrimSpace(line), "XAUTHORITY": os.DevNull, "XDG_SESSION_TYPE": "x11"} {
		if t, ok := t.(interface{ Setenv(key, value string) }); ok {
			t.Setenv(k, v)
		}
	}
	return kill
}

func paintRoot(t *testing.T, colour string) {
	t.Helper()
	if out, err := exec.Command("xsetroot", "-solid", colour).CombinedOutput(); err != nil {
		t.Fatalf("xsetroot: %v: %s", err, out)
	}
}

// watched is what a source emits: the colour in the middle of the newest frame.
type watched struct {
	mu      sync.Mutex
	y, u, v byte
	w, h, n int
}

func (c *watched) emit(f *media.Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.w, c.h, c.n = f.Width, f.Height, c.n+1
	// Away from the middle, where the pointer is.
	c.y, c.u, c.v = f.Y[f.Height/4*f.YStride+f.Width/4], f.U[f.Height/8*f.UVStride+f.Width/8], f.V[f.Height/8*f.UVStride+f.Width/8]
}

func (c *watched) shows(y, u, v byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	near := func(a, b byte) bool { return max(a, b)-min(a, b) <= 3 }
	return c.n > 0 && near(c.y, y) && near(c.u, u) && near(c.v, v)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for ", what)
		}
	}
}

func TestScreenShowsWhatIsDrawn(t *testing.T) {
	kill := startX(t, "801x601x24")
	m := x11.New(codec.New())
	t.Cleanup(func() { m.Close() })
	screens, err := m.List(media.Screen)
	if err != nil || len(screens) != 1 || !screens[0].Default {
		t.Fatalf("screens %v, %v; want one", screens, err)
	}
	s, err := m.OpenScreen(media.SpecDefault, media.ScreenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if i := s.Info(); i.Width != 800 || i.Height != 600 { // chroma samples are two pixels wide
		t.Errorf("Info says %+v", i)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	var seen watched
	go func() { done <- s.Run(ctx, seen.emit) }()
	// BT.601 of pure red and blue.
	paintRoot(t, "#ff0000")
	eventually(t, "red", func() bool { return seen.shows(82, 90, 240) })
	paintRoot(t, "#0000ff")
	eventually(t, "blue", func() bool { return seen.shows(41, 240, 110) })
	cancel()
	if err := <-done; err != nil {
		t.Error("Run: ", err)
	}
	// It can be opened again. When the display goes, the source is lost.
	if s, err = m.OpenScreen(screens[0].ID, media.ScreenOptions{}); err != nil {
		t.Fatal(err)
	}
	go func() { done <- s.Run(t.Context(), seen.emit) }()
	paintRoot(t, "#00ff00")
	eventually(t, "green", func() bool { return seen.shows(144, 54, 34) })
	kill()
	select {
	case err := <-done:
		if !errors.Is(err, media.ErrLost) {
			t.Errorf("the display went: %v, want ErrLost", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("Run goes on without a display")
	}
	if screens, err := m.List(media.Screen); err != nil || len(screens) != 0 {
		t.Errorf("without a display: %v, %v", screens, err)
	}
	if _, err := m.OpenScreen(media.SpecDefault, media.ScreenOptions{}); !errors.Is(err, media.ErrNoDevice) {
		t.Errorf("OpenScreen without a display: %v, want ErrNoDevice", err)
	}
}

func TestWaylandIsRefused(t *testing.T) {
	t.Setenv("XDG_SESSION_TYPE", "wayland")
	m := x11.New(nil)
	t.Cleanup(func() { m.Close() })
	if _, err := m.OpenScreen(media.SpecDefault, media.ScreenOptions{}); !errors.Is(err, media.ErrUnsupported) {
		t.Errorf("OpenScreen: %v, want ErrUnsupported", err)
	}
}
