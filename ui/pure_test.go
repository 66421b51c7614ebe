package ui

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"parley/media"
	"parley/media/call"
	"parley/ui/widget"
)

func TestGrid(t *testing.T) {
	for n := 1; n <= maxTiles; n++ {
		for _, size := range []fyne.Size{{Width: 456, Height: 264}, {Width: 912, Height: 624}, {Width: 1256, Height: 624}, {Width: 3816, Height: 2064}, {Width: 300, Height: 900}} {
			places := grid(n, size.Width, size.Height)
			if len(places) != n {
				t.Fatalf("%d places for %d", len(places), n)
			}
			for i, p := range places {
				if p.x < 0 || p.y < 0 || p.x+p.w > size.Width || p.y+p.h > size.Height || p.w <= 0 || p.h <= 0 {
					t.Errorf("%d on %v: tile %d at %+v is off the stage", n, size, i, p)
				}
				if a := p.w / p.h; a < minAspect-0.1 || a > maxAspect+0.1 {
					t.Errorf("%d on %v: a tile of %gx%g", n, size, p.w, p.h)
				}
				for _, q := range places[:i] {
					if overlap(p, q) {
						t.Errorf("%d on %v: %+v lies on %+v", n, size, p, q)
					}
				}
			}
		}
	}
	// The drawings.
	if p := grid(6, 900, 624)[5]; p.w != 446 || p.y != 421 {
		t.Errorf("six beside a chat: the last tile is %+v", p)
	}
	if p := grid(16, 1256, 624)[15]; p.w != 308 || p.h != 150 {
		t.Errorf("sixteen: the last tile is %+v", p)
	}
}

func overlap(a, b rect) bool {
	return a.x < b.x+b.w && b.x < a.x+a.w && a.y < b.y+b.h && b.y < a.y+a.h
}

func TestPresenting(t *testing.T) {
	for _, n := range []int{1, 3, 16} {
		for _, size := range []fyne.Size{{Width: 456, Height: 264}, {Width: 1256, Height: 624}, {Width: 3816, Height: 2064}} {
			screen, people := presenting(n, size.Width, size.Height)
			if len(people) == 0 || len(people) > n {
				t.Errorf("%d on %v: room for %d people", n, size, len(people))
			}
			if screen.w*screen.h < size.Width*size.Height/2 {
				t.Errorf("%d on %v: the screen has %gx%g", n, size, screen.w, screen.h)
			}
			for _, p := range people {
				if overlap(p, screen) || p.x+p.w > size.Width || p.y+p.h > size.Height {
					t.Errorf("%d on %v: a person at %+v", n, size, p)
				}
			}
		}
	}
}

// TestBarFits looks for what touches or leaves the bar at any width.
func TestBarFits(t *testing.T) {
	w, _ := open(t, start)
	for _, n := range []int{1, 20} {
		for width := float32(480); width < 2000; width += 23 {
			w.win.Resize(fyne.NewSize(width, 480))
			show(w, with(base(call.Live), n))
			var seen []rect
			for _, o := range w.stage.bar.objects() {
				if !o.Visible() {
					continue
				}
				p, s := o.Position(), o.Size()
				r := rect{p.X, p.Y, s.Width, s.Height}
				if r.x < 0 || r.x+r.w > width {
					t.Errorf("%d people, %g wide: %T at %+v", n, width, o, r)
				}
				for _, q := range seen {
					if overlap(r, q) {
						t.Errorf("%d people, %g wide: %T at %+v lies on %+v", n, width, o, r, q)
					}
				}
				seen = append(seen, r)
			}
		}
	}
}

// TestTargets holds everything that can be pressed to a size that can be hit.
func TestTargets(t *testing.T) {
	for _, s := range states {
		w, _ := openScaled(t, smallest, s.prep)
		show(w, s.state())
		for _, o := range test.LaidOutObjects(w.win.Canvas().Content()) {
			switch o.(type) {
			case *widget.RoundButton, *widget.Button, *copyButton, *widget.DeviceCard, *widget.Row, *widget.Field:
			default:
				continue
			}
			size := o.Size()
			if !o.Visible() || size.IsZero() {
				continue // or in something hidden
			}
			if size.Height < widget.Target || size.Width < widget.Target {
				t.Errorf("%s: %T is %v", s.name, o, size)
			}
		}
	}
}

func TestRecorder(t *testing.T) {
	p := NewPreferences(test.NewTempApp(t).Preferences())
	var r recorder
	now := clock
	step := func(s call.State, later time.Duration) {
		now = now.Add(later)
		r.follow(p, s, now)
	}
	step(base(call.Lobby), 0)
	if len(p.Recents()) != 0 {
		t.Error("a lobby is remembered as a meeting")
	}
	step(with(base(call.Live), 1), 0)
	step(with(base(call.Live), 3), time.Minute)
	step(with(base(call.Reconnecting), 1), time.Minute)
	if got := p.Recents(); len(got) != 1 || got[0].People != 4 {
		t.Errorf("while it lasts: %+v", got)
	}
	step(base(call.Ended), 10*time.Minute)
	got := p.Recents()
	if len(got) != 1 || got[0].Duration != 12*time.Minute || got[0].People != 4 || !slices.Equal(got[0].Names, names[:3]) {
		t.Errorf("afterwards: %+v", got)
	}
	for i := range 15 {
		s := base(call.Live)
		s.Code = fmt.Sprint("code", i)
		step(s, time.Minute)
	}
	if got := p.Recents(); len(got) != maxRecent || got[0].Code != "code14" {
		t.Errorf("%d remembered, the first is %q", len(got), got[0].Code)
	}
}

func TestPreferences(t *testing.T) {
	store := test.NewTempApp(t).Preferences()
	p := NewPreferences(store)
	if p.Choice(media.Camera) != media.SpecDefault || !p.On(media.Microphone) || p.Theme() != widget.System || p.Recents() != nil ||
		p.Sound() != (call.Sound{Noise: true}) {
		t.Error("the first run does not start with defaults")
	}
	p.SetChoice(media.Screen, "screen:0")
	if p.Choice(media.Screen) != media.SpecDefault {
		t.Error("a screen is remembered")
	}
	store.SetString("recent", "{not json")
	if p.Recents() != nil {
		t.Error("what cannot be read is something")
	}
	p.AddRecent(Recent{Code: "a"})
	if len(p.Recents()) != 1 {
		t.Error("after rubbish nothing is remembered")
	}
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "00:00", 24*time.Minute + 16*time.Second: "24:16", time.Hour + 2*time.Minute + 3*time.Second: "1:02:03", -time.Second: "00:00",
	} {
		if got := elapsed(d); got != want {
			t.Errorf("elapsed(%v) = %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		time.Second: "under a minute", 48 * time.Minute: "48 min", 2 * time.Hour: "2 h", 62 * time.Minute: "1 h 2 min",
	} {
		if got := lasted(d); got != want {
			t.Errorf("lasted(%v) = %q, want %q", d, got, want)
		}
	}
	for ago, want := range map[time.Duration]string{
		0: "16:02", 20 * time.Hour: "Yesterday", 48 * time.Hour: "Fri", 10 * 24 * time.Hour: "12 Nov", 400 * 24 * time.Hour: "18 Oct 2025",
	} {
		if got := day(clock.Add(-ago), clock); got != want {
			t.Errorf("day(%v ago) = %q, want %q", ago, got, want)
		}
	}
	for n, want := range []string{"", "Amara", "Amara and Jonas", "Amara, Jonas and 1 more", "Amara, Jonas and 2 more"} {
		if got := who(names[:n]); got != want {
			t.Errorf("who(%d) = %q, want %q", n, got, want)
		}
	}
}
