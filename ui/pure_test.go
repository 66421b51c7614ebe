package ui

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"parley/media"
	"parley/media/call"
	"parley/ui/desktop"
	"parley/ui/widget"
)

// TestGrid: tiles stay on the stage and do not touch each other, and none crops more than an eighth of its
// picture.
func TestGrid(t *testing.T) {
	const upright, square, wide = 9.0 / 16, 1, 64.0 / 27
	mixes := map[string][]float32{
		"usual": {usual}, "upright": {upright}, "square": {square}, "4:3": {4.0 / 3}, "21:9": {wide},
		"unknown": {0}, "mixed": {usual, upright}, "all sorts": {upright, square, wide, 4.0 / 3, usual, 0},
	}
	for name, mix := range mixes {
		for n := 1; n <= maxTiles; n++ {
			shapes := make([]float32, n)
			for i := range shapes {
				shapes[i] = mix[i%len(mix)]
			}
			for _, size := range []fyne.Size{{Width: 456, Height: 264}, {Width: 912, Height: 624}, {Width: 1256, Height: 624}, {Width: 3816, Height: 2064}, {Width: 300, Height: 900}} {
				places := grid(shapes, size.Width, size.Height)
				if len(places) != n {
					t.Fatalf("%s: %d places for %d", name, len(places), n)
				}
				for i, p := range places {
					if p.x < 0 || p.y < 0 || p.x+p.w > size.Width || p.y+p.h > size.Height || p.w <= 0 || p.h <= 0 {
						t.Errorf("%s, %d on %v: tile %d at %+v is off the stage", name, n, size, i, p)
					}
					// In a tile of a few units, rounding dominates.
					if s := clampShape(shapes[i]); p.h > 60 && p.w > 60 && !media.Fills(int(1000*s), 1000, int(p.w), int(p.h)) {
						t.Errorf("%s, %d on %v: a tile of %gx%g for a picture of %.2f", name, n, size, p.w, p.h, s)
					}
					for _, q := range places[:i] {
						if overlap(p, q) {
							t.Errorf("%s, %d on %v: %+v lies on %+v", name, n, size, p, q)
						}
					}
				}
			}
		}
	}
	places := func(shapes ...float32) string {
		out := ""
		for _, p := range grid(shapes, 1256, 624) {
			out += fmt.Sprintf("%gx%g+%g+%g ", p.w, p.h, p.x, p.y)
		}
		return out
	}
	for _, c := range []struct{ got, want string }{
		{places(upright, upright), "400x624+224+0 400x624+632+0 "}, // side by side, tall
		{places(usual, usual), "624x400+0+112 624x400+632+112 "},
		{places(usual, usual, usual, usual), "624x308+0+0 624x308+632+0 624x308+0+316 624x308+632+316 "}, // as in the design
	} {
		if c.got != c.want {
			t.Errorf("the tiles stand at %s, want %s", c.got, c.want)
		}
	}
}

// TestSingle: the only tile has its picture's shape, unless too much of the stage would be empty.
func TestSingle(t *testing.T) {
	for _, c := range []struct {
		shape, w, h float32
		want        rect
	}{
		{usual, 1256, 624, rect{0, 0, 1256, 624}},
		{usual, 1256, 574, rect{45, 0, 1165, 574}}, // below a banner
		{usual, 900, 624, rect{0, 23, 900, 578}},   // beside the chat
		{9.0 / 16, 1256, 624, rect{0, 0, 1256, 624}},
		{9.0 / 16, 400, 700, rect{0, 0, 400, 700}},
		{0, 1256, 624, rect{0, 0, 1256, 624}},
	} {
		if got := single(c.shape, c.w, c.h); got != c.want {
			t.Errorf("a picture of %.2f on %gx%g has %+v, want %+v", c.shape, c.w, c.h, got, c.want)
		}
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

// TestBarFits: at every width the buttons stay within the bar and do not touch each other.
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

func TestRecorder(t *testing.T) {
	p := NewPreferences(memory{test.NewTempApp(t).Preferences()})
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

// TestRecentOfTwoWindows: each window of a profile adds its meetings to those the other stored meanwhile.
func TestRecentOfTwoWindows(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	windows := make([]*desktop.Settings, 3)
	for i := range windows {
		windows[i] = desktop.OpenSettings("app", slog.New(slog.DiscardHandler))
	}
	var wg sync.WaitGroup
	for i, w := range windows {
		wg.Go(func() {
			for j := range 3 {
				NewPreferences(w).AddRecent(Recent{Code: fmt.Sprint(i, j), When: clock})
			}
			w.Flush()
		})
	}
	wg.Wait()
	got := map[string]bool{}
	for _, r := range NewPreferences(desktop.OpenSettings("app", slog.New(slog.DiscardHandler))).Recents() {
		got[r.Code] = true
	}
	if len(got) != 9 {
		t.Errorf("of 9 meetings are kept: %v", slices.Sorted(maps.Keys(got)))
	}
}

func TestPreferences(t *testing.T) {
	store := memory{test.NewTempApp(t).Preferences()}
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
	store.SetString("recent", `[null, {}, {"code": "x\n", "names": ["\u202ea\u0000b", "\u200b"], "duration": -1, "people": -1}, {"code": "y", "names": null}]`)
	if got := p.Recents(); len(got) != 2 || got[0].Code != "x" || !slices.Equal(got[0].Names, []string{"a b"}) || got[1].Code != "y" {
		t.Errorf("of an edited list is read %+v", got)
	}
	store.SetString("recent", "{not json")
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
		if got := withoutIsolates(who(names[:n])); got != want {
			t.Errorf("who(%d) = %q, want %q", n, got, want)
		}
	}
}
