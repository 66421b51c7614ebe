package desktop

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"fyne.io/fyne/v2"
)

var least = fyne.NewSize(480, 360)

func TestFit(t *testing.T) {
	for _, c := range []struct {
		m           monitor
		scale, want float32
	}{
		{monitor{1920, 1080, 527}, 1, 1},     // 93 dpi
		{monitor{3840, 2160, 346}, 2.3, 2.3}, // 282 dpi, and room for it
		{monitor{1280, 720, 108}, 2.5, 1.9},  // 300 dpi
		{monitor{800, 600, 68}, 2.5, 1.5},
		{monitor{800, 600, 211}, 4, 1.5}, // the user's factor
		{monitor{480, 360, 127}, 1, 1},   // exactly
		{monitor{320, 240, 85}, 1, 0.6},
	} {
		got := c.m.fit(c.scale, least)
		if got != c.want {
			t.Errorf("%+v at %v: %v, want %v", c.m, c.scale, got, c.want)
		}
		if least.Width*got > float32(c.m.width) || least.Height*got > float32(c.m.height) {
			t.Errorf("%+v: the window is larger than the screen", c.m)
		}
	}
	for want, m := range map[float32]monitor{
		1:   {1920, 1080, 527},
		2.5: {1280, 720, 108},
	} {
		if got := tenths(m.scale()); got != want {
			t.Errorf("%+v: scale %v, want %v", m, got, want)
		}
	}
	if got := (monitor{1280, 720, 0}).scale(); got != 1 {
		t.Errorf("a monitor that says nothing: scale %v, want 1", got)
	}
}

// startDisplay starts a display of 800x600 that claims 300 dpi and returns its name.
func startDisplay(t *testing.T, args ...string) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	args = append([]string{"-displayfd", "3", "-screen", "0", "800x600x24", "-dpi", "300", "-nolisten", "tcp", "-noreset"}, args...)
	cmd := exec.Command("Xvfb", args...)
	cmd.ExtraFiles = []*os.File{w}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	w.Close() // so that the end of Xvfb ends the reading
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return ":" + strings.TrimSpace(number)
}

// TestFitScale asks real displays. Xvfb tells its dpi only where RandR does not say otherwise.
func TestFitScale(t *testing.T) {
	t.Setenv(scaleVariable, "")
	t.Setenv(detectVariable, "")
	t.Setenv("DISPLAY", startDisplay(t))
	if room := FitScale(0, least); room != fyne.NewSize(800, 600) || os.Getenv(scaleVariable) != "" {
		t.Errorf("with RandR, the screen has %v, %s=%q; want all of it and no other scale", room, scaleVariable, os.Getenv(scaleVariable))
	}

	t.Setenv("DISPLAY", startDisplay(t, "-extension", "RANDR"))
	m, err := firstMonitor()
	if err != nil || m.width != 800 || m.height != 600 || tenths(m.scale()) != 2.5 {
		t.Fatalf("the display is %+v, %v", m, err)
	}
	room := FitScale(1, least)
	factor, err := strconv.ParseFloat(os.Getenv(scaleVariable), 32)
	if err != nil {
		t.Fatal(err)
	}
	if got := tenths(m.scale() * float32(factor)); got != 1.5 {
		t.Errorf("the toolkit's scale is %v, want 1.5", got)
	}
	if room.Width < least.Width || room.Height < least.Height {
		t.Errorf("the screen has %v at that scale, less than %v", room, least)
	}
	if again := FitScale(1, least); again != room { // what is set is a factor like any other
		t.Errorf("asked again, the screen has %v, first %v", again, room)
	}
}
