package e2e

import (
	"image"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"parley/media"
	"parley/media/call"
	"parley/signal/roster"
	"parley/test/harness"
)

// hostWindow is the real window of a meeting's host, 1280x720, with the list of people open. The places are those of ui's
// pictures.
type hostWindow struct {
	t *testing.T
	*harness.Process
	keys  func(args ...string)
	shoot func(path string) *image.RGBA
	shots string
}

func (h hostWindow) shot(name string) *image.RGBA {
	return h.shoot(filepath.Join(h.shots, name+".png"))
}

func (h hostWindow) click(x, y int) {
	h.keys("mousemove", strconv.Itoa(x), strconv.Itoa(y), "click", "1")
}

// pressGreen presses the first green button in a part of the window, or what is left of it by so many pixels.
func (h hostWindow) pressGreen(name string, part image.Rectangle, left int) {
	h.t.Helper()
	var at image.Point
	harness.AwaitTrue(h.t, name+": a green button", func() (found bool) {
		at, found = greenButton(h.shot(name), part)
		return found
	}, h.Errors)
	h.click(at.X-left, at.Y)
}

// meeting chooses the line at y of the meeting's menu.
func (h hostWindow) meeting(name string, y int) {
	h.click(1204, 40)
	h.shot(name)
	h.click(1080, y)
}

// person chooses the line so far below of the menu of somebody in the list.
func (h hostWindow) person(name string, row, below int) {
	y := 94 + 52*row
	h.click(1234, y)
	h.shot(name)
	h.click(1080, y+below)
}

// greenButton finds a point within a button: green all around it, which the border of a tile is not.
func greenButton(img *image.RGBA, part image.Rectangle) (image.Point, bool) {
	const w, h = 50, 24
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			top, bottom := image.Rect(x, y, x+w, y+1), image.Rect(x, y+h, x+w, y+h+1)
			if green(img, top) == w && green(img, bottom) == w {
				return image.Pt(x+w/2, y+h/2), true
			}
		}
	}
	return image.Point{}, false
}

// TestE2EHosts has a host use a real window: waiting room, admit, deny, mute, remove, lock, hand over.
func TestE2EHosts(t *testing.T) {
	harness.EndToEnd(t)
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	d := harness.StartDisplay(t)
	ada := harness.StartParley(t, "Ada", d.Env(), "--new", "--join", "--server", "http://"+addr, "--camera", "off", "--mic", "tone", "--speaker", "off")
	h := hostWindow{t, ada, d.Keys, d.Shoot, filepath.Join("build", "test")}
	if err := os.MkdirAll(h.shots, 0o755); err != nil {
		t.Fatal(err)
	}
	link := ada.Link()
	guest := func(name string) *call.Call {
		c := harness.CallInside(t, name, "", func(c *call.Config) { c.Camera, c.Microphone = media.SpecTest, media.SpecTone })
		c.Do(call.Open{Text: link, Join: true})
		return c
	}
	is := func(c *call.Call, what string, ok func(call.State) bool) {
		t.Helper()
		harness.AwaitTrue(t, what, func() bool { return ok(c.State()) }, func() string { return c.State().Phase.String() + "\n" + ada.Errors() })
	}
	line := image.Rect(100, 10, 900, 70)     // above the tiles
	dialog := image.Rect(300, 200, 980, 600) // in the middle
	live := func(s call.State) bool { return s.Phase == call.Live }

	ben := guest("Ben")
	ada.Await("sees and hears Ben", harness.Meets(1))
	d.Keys("search", "--sync", "--onlyvisible", "--name", "Parley", "windowfocus", "--sync")
	h.click(1180, 684)
	h.meeting("hosts-menu", 118)
	is(ben, "Ben knows of the waiting room", func(s call.State) bool { return s.Room.Policy.Waiting })

	cy := guest("Cy")
	is(cy, "Cy waits", func(s call.State) bool { return s.Phase == call.Waiting })
	if s := cy.State(); len(s.Peers) > 0 || len(s.Room.Members) > 0 || len(s.Room.Chat) > 0 {
		t.Errorf("who waits knows %d peers, %d members, %d messages", len(s.Peers), len(s.Room.Members), len(s.Room.Chat))
	}
	h.pressGreen("hosts-knock", line, 0)
	is(cy, "Cy is in", live)
	ada.Await("sees and hears both", harness.Meets(2))

	dan := guest("Dan")
	is(dan, "Dan waits", func(s call.State) bool { return s.Phase == call.Waiting })
	h.pressGreen("hosts-knock-again", line, 100)
	is(dan, "Dan is told", func(s call.State) bool { return s.Phase == call.Ended && s.Reason == call.Denied })

	h.person("hosts-person", 2, 78)
	is(cy, "Cy is muted", func(s call.State) bool { return !s.Mic.On && s.Told.Order == roster.Mute })
	h.person("hosts-person-muted", 2, 186)
	h.pressGreen("hosts-remove", dialog, 0)
	is(cy, "Cy is told", func(s call.State) bool { return s.Phase == call.Ended && s.Reason == call.Removed })
	is(ben, "Ben is with Ada alone", func(s call.State) bool { return len(s.Peers) == 1 })
	ada.Await("is with Ben alone", func(l call.Line) bool { return len(l.Peers) == 1 })

	again := guest("Cy")
	is(again, "who was removed waits like any other", func(s call.State) bool { return s.Phase == call.Waiting && len(s.Peers) == 0 })
	h.pressGreen("hosts-knock-removed", line, 100)
	is(again, "Cy is turned away", func(s call.State) bool { return s.Phase == call.Ended && s.Reason == call.Denied })

	h.meeting("hosts-menu-lock", 154)
	is(ben, "Ben knows of the lock", func(s call.State) bool { return s.Room.Policy.Locked })
	h.person("hosts-person-ben", 1, 150)
	h.pressGreen("hosts-hand-over", dialog, 0)
	is(ben, "Ben is the host", func(s call.State) bool { return s.Room.Me.Role == roster.Owner })
	h.shot("hosts-end")
}
