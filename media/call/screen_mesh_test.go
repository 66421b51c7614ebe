package call

import (
	"bufio"
	"image/color"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"parley/media"
)

// startX starts an X server and makes it the test's display.
func startX(t *testing.T) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "640x360x24", "-nolisten", "tcp", "-noreset")
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal("start Xvfb: ", err)
	}
	w.Close()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal("Xvfb did not start: ", err)
	}
	t.Setenv("DISPLAY", ":"+strings.TrimSpace(line))
	t.Setenv("XAUTHORITY", os.DevNull)
	t.Setenv("XDG_SESSION_TYPE", "x11")
}

func paintScreen(t *testing.T, colour string) {
	t.Helper()
	if out, err := exec.Command("xsetroot", "-solid", colour).CombinedOutput(); err != nil {
		t.Fatalf("xsetroot: %v: %s", err, out)
	}
}

// TestShareAScreenThatStandsStill: a member who is there from the start sees it, and so does one who
// comes when nothing has moved for a while.
func TestShareAScreenThatStandsStill(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a display")
	}
	startX(t)
	paintScreen(t, "#00ff00")
	server := rendezvous(t)
	calls := meet(t, server, small, "Ada", "Bo")
	ada := calls[0]
	ada.Do(Browse{On: true})
	eventually(t, "a list to choose from", func() bool { return ada.State().Shareables.Known })
	list := ada.State().Shareables.List
	if len(list) != 1 || list[0].Preview == nil {
		t.Fatalf("shareables %+v", ada.State().Shareables)
	}
	ada.Do(Browse{})
	ada.Do(Choose{Kind: media.Screen, ID: list[0].ID})
	sees := func(c *Call, want color.RGBA) {
		t.Helper()
		eventually(t, "presented", func() bool { p, ok := peerNamed(c, "Ada"); return ok && p.Screen })
		p, _ := peerNamed(c, "Ada")
		v := c.View(p.ID, media.Screen)
		v.Resize(320, 180, media.FitContain)
		eventually(t, c.State().Name+" sees the screen", func() bool {
			pic := v.Take()
			if pic == nil {
				return false
			}
			got := pic.Image.RGBAAt(pic.Image.Rect.Dx()/4, pic.Image.Rect.Dy()/4)
			near := func(a, b uint8) bool { return max(a, b)-min(a, b) < 12 }
			return near(got.R, want.R) && near(got.G, want.G) && near(got.B, want.B)
		})
	}
	sees(calls[1], color.RGBA{G: 255})
	late := caller(t, server, "Cy", small)
	late.Do(Open{Text: ada.State().Link, Join: true})
	sees(late, color.RGBA{G: 255})
	// A region takes its place, and the screen changes.
	ada.Do(Choose{Kind: media.Screen, ID: "region:0,0,320x180", Capture: media.ScreenOptions{Pointer: true, Motion: true}})
	paintScreen(t, "#0000ff")
	sees(calls[1], color.RGBA{B: 255})
	sees(late, color.RGBA{B: 255})
	ada.Do(StopScreen{})
	eventually(t, "nothing presented", func() bool { p, _ := peerNamed(late, "Ada"); return !p.Screen })
}
