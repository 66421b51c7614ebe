package widget

import (
	"image"
	"image/color"
	"image/draw"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"
)

func look(t *testing.T) {
	t.Helper()
	test.NewTempApp(t).Settings().SetTheme(Theme{Mode: Dark})
}

func TestInitials(t *testing.T) {
	for name, want := range map[string]string{
		"Nia Koroma": "NK", "amara": "A", "Anna Maria da Silva": "AS", "": "?", "  ": "?", "🦊 Fox": "🦊", "Fox 👨\u200d👩\u200d👧": "F👨\u200d👩\u200d👧",
		"王小明": "王", "김 민준": "김민", "علی\u200cرضا": "ع", "é\u0301ric": "É\u0301", "🇩🇪": "🇩🇪",
		"Ελένη Παππά": "ΕΠ", "7 of 9": "79", "--- !!!": "?",
	} {
		if got := Initials(name); got != want {
			t.Errorf("Initials(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestPersonColor(t *testing.T) {
	if PersonColor("Nia Koroma") != PersonColor(" nia koroma ") {
		t.Error("one person, two colours")
	}
	seen := map[any]bool{}
	for _, n := range strings.Fields("Amara Jonas Mei Rafael Priya Tomasz Leila Ingrid Kwame Sofia") {
		seen[PersonColor(n)] = true
	}
	if len(seen) < 4 {
		t.Errorf("ten people have %d colours", len(seen))
	}
}

func TestEllipsize(t *testing.T) {
	look(t)
	long := "Dr. Wolfeschlegelsteinhausenbergerdorff"
	for _, width := range []float32{0, 5, 20, 80, 160, 1000} {
		got := Ellipsize(long, Body, width)
		if w := textWidth(got, Body); w > width+0.5 {
			t.Errorf("%q is %g wide, there is room for %g", got, w, width)
		}
		if got != long && got != "" && !strings.HasSuffix(got, ellipsis) {
			t.Errorf("%q was cut without a mark", got)
		}
	}
}

func TestWrap(t *testing.T) {
	look(t)
	const width = 120
	for _, text := range []string{
		"", " ", "word", "a few words that take more than one line for sure", strings.Repeat("x", 200),
		"see https://example.org/a/very/long/address/that/has/to/be/broken/somewhere, please",
		"two\nlines\n\nand a gap", "ends with a link https://example.org/", "日本語のとても長い文章でも行は折り返される必要があります",
	} {
		lines := wrap(text, Body, width)
		var all strings.Builder
		for _, line := range lines {
			for _, s := range line {
				all.WriteString(s.text)
				if end := s.x + textWidth(s.text, Body); end > width+1 && len([]rune(s.text)) > 1 {
					t.Errorf("%q ends at %g", s.text, end)
				}
			}
		}
		strip := strings.NewReplacer(" ", "", "\n", "").Replace
		if got := strip(all.String()); got != strip(text) {
			t.Errorf("wrapped %q to %q", text, got)
		}
	}
	for width := float32(-10); width < 3; width++ { // as before a window has a size
		wrap("some words", Body, width)
	}
}

func TestLinks(t *testing.T) {
	for text, want := range map[string]string{
		"see https://go.dev.":           "https://go.dev",
		"(https://go.dev/a_(b))":        "https://go.dev/a_(b",
		"parley://host/#7k3m-q9xt-2w8p": "parley://host/#7k3m-q9xt-2w8p",
		"javascript:alert(1) go.dev":    "",
	} {
		got := ""
		for _, tok := range tokens(text) {
			got += tok.link
		}
		if got != want {
			t.Errorf("%q has the link %q, want %q", text, got, want)
		}
	}
}

func TestLinkOpens(t *testing.T) {
	look(t)
	p := NewParagraph("see https://go.dev now", Body, Text1, 0)
	opened := ""
	p.OnLink = func(a string) { opened = a }
	test.NewTempWindow(t, p).Resize(fyne.NewSize(300, 100))
	p.Resize(fyne.NewSize(300, 40))
	for _, o := range test.WidgetRenderer(p).Objects() {
		if l, ok := o.(*link); ok {
			test.Tap(l)
		}
	}
	if opened != "https://go.dev" {
		t.Errorf("opened %q", opened)
	}
}

func TestLevelMeter(t *testing.T) {
	look(t)
	m := NewLevelMeter()
	last := -1
	for db := -100.0; db <= 0; db++ {
		m.SetLevel(db)
		if m.lit < last {
			t.Fatalf("at %g dBFS %d bars, after %d", db, m.lit, last)
		}
		last = m.lit
	}
	if m.SetLevel(-96); m.lit != 0 {
		t.Error("silence lights a bar")
	}
	if m.SetLevel(0); m.lit != meterBars {
		t.Error("the loudest does not light them all")
	}
}

func TestDisabledDoesNothing(t *testing.T) {
	look(t)
	taps := 0
	b := NewButton("Go", "", Primary, 40, func() { taps++ })
	b.Disable()
	test.Tap(b)
	b.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if taps != 0 {
		t.Error("a disabled button was pressed")
	}
	b.Enable()
	test.Tap(b)
	if taps != 1 {
		t.Error("an enabled button was not pressed")
	}
}

func TestFieldKeepsItsLimit(t *testing.T) {
	look(t)
	f := NewField("Name", "Name", 40, nil)
	f.Entry.MaxRunes = 5
	w := test.NewTempWindow(t, f)
	w.Resize(fyne.NewSize(200, 60))
	test.Type(f.Entry, "abcdefgh")
	if f.Entry.Text != "abcde" {
		t.Errorf("typed %q", f.Entry.Text)
	}
	clip := test.NewClipboard()
	clip.SetContent(strings.Repeat("y", 100))
	f.Entry.SetText("")
	f.Entry.TypedShortcut(&fyne.ShortcutPaste{Clipboard: clip})
	if f.Entry.Text != "yyyyy" {
		t.Errorf("pasted %q", f.Entry.Text)
	}
}

// TestCardMakesRoomForItsNote: a note that grows to two lines moves up at once, not at the next layout.
func TestCardMakesRoomForItsNote(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(Theme{Mode: Dark})
	c := NewDeviceCard("Microphone", "mic", nil, func() {})
	win := test.NewTempWindow(t, c)
	win.Resize(fyne.NewSize(228, 90))
	c.Set("Microphone", "48 kHz", false)
	one := c.note.Position().Y
	c.Set("No microphone", "No microphone found. Plug one in and it will be used.", true)
	if two := c.note.Position().Y; two >= one {
		t.Errorf("one line stands at %v, two at %v", one, two)
	}
}

// TestTileRoundsItsPicture: the background shows at a picture's corners. For a tile over another tile, that
// tile's picture shows there.
func TestTileRoundsItsPicture(t *testing.T) {
	look(t)
	const w, h = 160, 90
	under := color.NRGBA{B: 0xff, A: 0xff}
	red := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(red, red.Rect, image.NewUniform(color.NRGBA{R: 0xff, A: 0xff}), image.Point{}, draw.Src)
	for _, rim := range []bool{false, true} {
		tile := NewVideoTile()
		win := test.NewTempWindow(t, Area(fyne.NewSize(w, h), func(s fyne.Size) { tile.Resize(s) }, canvas.NewRectangle(under), tile))
		win.SetPadded(false)
		win.Resize(fyne.NewSize(w, h))
		tile.SetState(TileState{Picture: true, Rim: rim})
		tile.SetPicture(red)
		shot := win.Canvas().Capture()
		for _, corner := range [][2]int{{0, 0}, {w - 1, 0}, {0, h - 1}, {w - 1, h - 1}} {
			if r, _, _, _ := shot.At(corner[0], corner[1]).RGBA(); r > 0x4000 {
				t.Errorf("rim %v: the picture shows at its corner %v", rim, corner)
			}
		}
		if r, _, _, _ := shot.At(w/2, 1).RGBA(); r < 0xf000 {
			t.Errorf("rim %v: no picture at the middle of its edge", rim)
		}
	}
}
