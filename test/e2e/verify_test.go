package e2e

import (
	"image"
	"image/color"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"parley/media"
	"parley/media/call"
	"parley/signal/room"
	"parley/signal/trust"
	"parley/test/harness"
)

// TestE2EVerify compares the safety phrase in a real window with somebody whose phrase we can read.
func TestE2EVerify(t *testing.T) {
	harness.EndToEnd(t)
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	ada := harness.CallInside(t, "Ada", "http://"+addr, func(c *call.Config) { c.Camera, c.Microphone = media.SpecTest, media.SpecTone })
	ada.Do(call.NewMeeting{Join: true})
	harness.AwaitTrue(t, "live", func() bool { return ada.State().Phase == call.Live }, func() string { return ada.State().Problem.String() })

	d := harness.StartDisplay(t)
	ben := harness.StartParley(t, "Ben", d.Env(), "--camera", "off", "--mic", "tone", "--speaker", "off", "--join", ada.State().Link)
	ben.Await("sees and hears Ada", harness.Meets(1))
	shots := filepath.Join("build", "test")
	if err := os.MkdirAll(shots, 0o755); err != nil {
		t.Fatal(err)
	}
	shot := func(name string) *image.RGBA { return d.Shoot(filepath.Join(shots, name+".png")) }

	// The places are those of a window of 1280x720, as ui's pictures show them.
	people, compare, same, adasRow := image.Pt(1180, 684), image.Pt(1096, 557), image.Pt(1150, 545), image.Rect(1000, 125, 1190, 175)
	click := func(p image.Point) { d.Keys("mousemove", strconv.Itoa(p.X), strconv.Itoa(p.Y), "click", "1") }
	d.Keys("search", "--sync", "--onlyvisible", "--name", "Parley", "windowfocus", "--sync")
	click(people)
	harness.AwaitTrue(t, "the list of people opens", func() bool { return brightest(shot("verify-people"), adasRow) > 150 }, ben.Errors)
	if ada.State().Room.Safety.Known {
		t.Error("a phrase before anybody wants one")
	}
	click(compare)
	harness.AwaitTrue(t, "Ada has the phrase, too", func() bool { return ada.State().Room.Safety.Known }, ben.Errors)
	harness.AwaitTrue(t, "the window shows it", func() bool { return green(shot("verify-phrase"), image.Rect(1070, 525, 1240, 565)) > 1000 }, ben.Errors)
	if n := green(shot("verify-phrase"), adasRow); n > 0 {
		t.Errorf("Ada has %d green pixels before she is verified", n)
	}
	click(same)
	harness.AwaitTrue(t, "Ada is marked", func() bool { return green(shot("verify-done"), adasRow) > 10 }, ben.Errors)

	// Somebody comes: the window says who is not verified.
	cy := harness.CallInside(t, "Cy", "", func(c *call.Config) { c.Camera, c.Microphone = media.SpecTest, media.SpecTone })
	cy.Do(call.Open{Text: ada.State().Link, Join: true})
	ben.Await("sees and hears both", harness.Meets(2))
	notice := image.Rect(100, 10, 900, 70)
	harness.AwaitTrue(t, "the window warns", func() bool { return amber(shot("verify-newcomer"), notice) > 100 }, ben.Errors)
	ada.Do(call.Room{Command: room.Compare{On: true}})
	harness.AwaitTrue(t, "a phrase of three", func() bool {
		return ada.State().Room.Safety.Known && ada.State().Room.Safety.Phrase == cy.State().Room.Safety.Phrase
	}, ben.Errors)
}

// TestE2ERecognised verifies somebody in a real window, closes it, and comes back: each recognises the device of the other.
func TestE2ERecognised(t *testing.T) {
	harness.EndToEnd(t)
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	holder := trust.NewHolder(filepath.Join(t.TempDir(), "device.key"), slog.New(slog.DiscardHandler))
	ada := harness.CallInside(t, "Ada", "http://"+addr, func(c *call.Config) {
		c.Camera, c.Microphone = media.SpecTest, media.SpecTone
		c.Device = func(bool) *trust.Device { return holder.Device() } // she has verified somebody before
	})
	ada.Do(call.NewMeeting{Join: true})
	harness.AwaitTrue(t, "live", func() bool { return ada.State().Phase == call.Live }, func() string { return ada.State().Problem.String() })
	shots, home := filepath.Join("build", "test"), t.TempDir()
	if err := os.MkdirAll(shots, 0o755); err != nil {
		t.Fatal(err)
	}
	device := func() trust.Key {
		for _, m := range ada.State().Room.Members {
			return m.Device
		}
		return trust.Key{}
	}
	people, compare, same, note := image.Pt(1180, 684), image.Pt(1096, 557), image.Pt(1150, 545), image.Rect(1000, 160, 1250, 190)
	var first trust.Key
	for _, again := range []bool{false, true} {
		d := harness.StartDisplay(t)
		ben := harness.StartParley(t, "Ben", append(d.Env(), "HOME="+home, "XDG_CONFIG_HOME="+home),
			"--camera", "off", "--mic", "tone", "--speaker", "off", "--join", ada.State().Link)
		ben.Await("sees and hears Ada", harness.Meets(1))
		click := func(p image.Point) { d.Keys("mousemove", strconv.Itoa(p.X), strconv.Itoa(p.Y), "click", "1") }
		d.Keys("search", "--sync", "--onlyvisible", "--name", "Parley", "windowfocus", "--sync")
		click(people)
		if again {
			harness.AwaitTrue(t, "Ada recognises Ben's device", func() bool { return device() == first }, ben.Errors)
			harness.AwaitTrue(t, "the window says when Ada was verified", func() bool {
				return brightest(d.Shoot(filepath.Join(shots, "recognised.png")), note) > 120
			}, ben.Errors)
			return
		}
		click(compare)
		harness.AwaitTrue(t, "a phrase", func() bool {
			return ada.State().Room.Safety.Known && green(d.Shoot(filepath.Join(shots, "recognised-phrase.png")), image.Rect(1070, 525, 1240, 565)) > 1000
		}, ben.Errors)
		if device() != (trust.Key{}) {
			t.Error("Ben has verified nobody, and his device is shown")
		}
		click(same)
		harness.AwaitTrue(t, "Ben's device is shown", func() bool { first = device(); return first != (trust.Key{}) }, ben.Errors)
		files, err := filepath.Glob(filepath.Join(home, "fyne", "*", "device.key"))
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}
		if info, err := os.Stat(files[0]); err != nil || info.Mode() != 0o600 {
			t.Errorf("the key's file: %v, %v", info.Mode(), err)
		}
		ben.Stop()
		harness.AwaitTrue(t, "Ben is gone", func() bool { return len(ada.State().Room.Members) == 0 }, ben.Errors)
	}
}

// brightest is the brightest channel of a part of a picture.
func brightest(img *image.RGBA, part image.Rectangle) (most uint8) {
	each(img, part, func(c color.RGBA) { most = max(most, c.R, c.G, c.B) })
	return most
}

// green counts the pixels in the colour of what is on and verified, amber those in that of warnings.
func green(img *image.RGBA, part image.Rectangle) (n int) {
	each(img, part, func(c color.RGBA) {
		if c.G > 150 && c.R < 100 && c.B > 110 && c.B < 190 {
			n++
		}
	})
	return n
}

func amber(img *image.RGBA, part image.Rectangle) (n int) {
	each(img, part, func(c color.RGBA) {
		if c.R > 200 && c.G > 150 && c.B < 160 {
			n++
		}
	})
	return n
}

func each(img *image.RGBA, part image.Rectangle, see func(color.RGBA)) {
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			see(img.RGBAAt(x, y))
		}
	}
}
