package widget

import (
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"
)

// Emoji show without an emoji font installed: the toolkit's own font has them.
func TestEmojiAlwaysShow(t *testing.T) {
	look(t)
	if toolkitEmoji == nil {
		t.Fatal("built without the toolkit's emoji")
	}
	for _, e := range []string{
		"\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f44d\U0001f3fd", "1\ufe0f\u20e3",
		"\U0001f1e9\U0001f1ea", "\u2764\ufe0f", "\u2615", "\U0001f3f3\ufe0f\u200d\U0001f308",
	} {
		rs := runs("a "+e+" b", Body.Font)
		if len(rs) != 3 || rs[1].text != e || rs[1].font == nil || rs[1].font == Body.Font {
			t.Errorf("%+q: %+v", e, rs)
		}
		if rs[0].text != "a " || rs[len(rs)-1].text != " b" {
			t.Errorf("%+q takes the space beside it: %+v", e, rs)
		}
		// Again without the system's fonts.
		if !all([]rune(e), coverageOf(toolkitEmoji).Contains) && e != "1\ufe0f\u20e3" {
			t.Errorf("the toolkit's own font lacks %+q", e)
		}
	}
	if rs := runs("\u2764\ufe0e", Body.Font); len(rs) == 1 && rs[0].font == toolkitEmoji {
		t.Error("a heart asked for as text is coloured")
	}
}

// A space after an emoji is as wide as any other.
func TestSpaceAfterEmoji(t *testing.T) {
	look(t)
	space := textWidth("a b", Body) - textWidth("ab", Body)
	with, without := textWidth("\U0001f600 b", Body), textWidth("\U0001f600b", Body)
	if d := with - without - space; d < -1 || d > 1 {
		t.Errorf("a space after an emoji takes %g, after a letter %g", with-without, space)
	}
}

// A character that no font has is shown as its code point, not as a box or a replacement character.
func TestNoFontForIt(t *testing.T) {
	look(t)
	const lost = "\U000bfff0" // permanently unassigned
	rs := runs("a"+lost+lost+lost+"b", Body.Font)
	if len(rs) != 3 || rs[1].font != nil || rs[1].text != lost+lost+lost {
		t.Fatalf("%+v", rs)
	}
	l := NewLabel("a"+lost+lost+lost+"b", Body, Text1)
	l.Resize(fyne.NewSize(400, 20))
	var shown []string
	for _, o := range test.WidgetRenderer(l).Objects() {
		if text, ok := o.(*canvas.Text); ok {
			shown = append(shown, text.Text)
		}
	}
	if got := strings.Join(shown, "|"); got != "a|U+BFFF0 U+BFFF0 +1|b" {
		t.Errorf("it shows %q", got)
	}
	if w := l.Width(); w < rendered("U+BFFF0 U+BFFF0 +1", 10, interMedium) {
		t.Errorf("the label is %g wide", w)
	}
}

func TestPlainTextIsOneRun(t *testing.T) {
	for _, s := range []string{"", "Anna Müller", "What’s “this” – a…", "łódź"} {
		if rs := runs(s, Body.Font); len(rs) != 1 || rs[0].font != Body.Font {
			t.Errorf("%q: %+v", s, rs)
		}
	}
}

// The fonts that scripts/setup installs cover every script in use.
func TestScriptsHaveFonts(t *testing.T) {
	if testing.Short() {
		t.Skip("the fonts of this system come with scripts/setup --test")
	}
	look(t)
	for _, s := range []string{
		"王小明 你好", "日本語のテキスト", "한국어", "علی\u200cرضا سلام", "שָׁלוֹם", "नमस्ते क्षत्रिय", "สวัสดีครับ", "Ελένη", "Привет", "გამარჯობა", "Հայերեն", "ኣማርኛ",
	} {
		for _, r := range runs(s, Body.Font) {
			if r.font != Body.Font {
				t.Errorf("%q: %+v", s, r)
			}
		}
	}
}

// TestIsolatesAreNotDrawn: direction controls need no glyph, in text of any direction.
func TestIsolatesAreNotDrawn(t *testing.T) {
	for _, text := range []string{
		Isolate("Bot") + " is in", Isolate("\u05d0") + " is in", "\u05d0 " + Isolate("Bot"), Isolate(Isolate("a")), "a\u2068", "\u2069", Isolate("\U0001f600") + "!",
	} {
		if got, want := textWidth(text, Body), textWidth(stripIsolates(text), Body); math.Abs(float64(got-want)) > 1 {
			t.Errorf("%+q is %.1f wide, without the marks %.1f", text, got, want)
		}
		for _, r := range runs(text, Body.Font) {
			if r.font == nil || r.text != stripIsolates(r.text) {
				t.Errorf("%+q draws %+q", text, r.text)
			}
		}
	}
}

// Right-to-left words and the punctuation between them are in the correct order even in several fonts.
func TestMarksFromTheRight(t *testing.T) {
	for text, want := range map[string]string{
		"\u05d0\u05d1 \u05d2\u05d3":       "\u05d2\u05d3| |\u05d0\u05d1",
		"\u05d0\u05d1, \u05d2\u05d3!":     "!|\u05d2\u05d3| ,|\u05d0\u05d1",
		"\u05d0 (\u05d1) \u05d2":          "\u05d2| (|\u05d1|) |\u05d0",
		"x \u05d0 \u05d1?! y":             "x |\u05d1| |\u05d0|?! y",
		"\u05d0\u05d1 \u201c\u05d2\u201d": "\u201d|\u05d2|\u201c |\u05d0\u05d1",
	} {
		var out []string
		for _, r := range runs(text, Body.Font) {
			out = append(out, r.shown())
		}
		if got := strings.Join(out, "|"); got != want {
			t.Errorf("%+q is drawn as %+q, want %+q", text, got, want)
		}
	}
}

// drawn are the pieces of a line from left to right.
func drawn(text string, right bool, between string) string {
	var out []string
	for _, p := range visual(text, right) {
		out = append(out, p.text)
	}
	return strings.Join(out, between)
}

// Lines in two directions are in the order in which people write them, and nothing is lost.
func TestDirections(t *testing.T) {
	for text, want := range map[string]string{
		"hello":                      "hello",
		"\u05d0\u05d1":               "\u05d0\u05d1",
		"\u05d0\u05d1 hello":         "hello| |\u05d0\u05d1",
		"hello \u05d0\u05d1":         "hello |\u05d0\u05d1",
		"hello \u05d0\u05d1 (world)": "hello |\u05d0\u05d1| (world)",
		"hello \u05d0 12 \u05d1 x":   "hello |\u05d1| |12| |\u05d0| x",
		"\u0627\u0644 3":             "3| |\u0627\u0644",
		// A number after right-to-left words belongs to them.
		"hello \u05d0\u05d1 12":            "hello |12| |\u05d0\u05d1",
		"hello \u05d0\u05d1 12 x":          "hello |12| |\u05d0\u05d1| x",
		"hello \u05d0 1.5% (x)":            "hello |1.5%| |\u05d0| (x)",
		"hello \u05d0 $12, 13! x":          "hello |13| |,|$12| |\u05d0|! x",
		"hello \u0627 12% x":               "hello |12| |\u0627|% x", // after Arabic letters a sign stands alone
		"hello \u05d0 12":                  "hello |12| |\u05d0",
		"12 \u05d0 x":                      "x| |\u05d0| |12",
		"x 12 \u05d0":                      "x 12 |\u05d0",
		"x \u0663 \u05d0 y":                "x |\u05d0| |\u0663| y",
		"hello \u05d0!":                    "hello |\u05d0|!",
		"x " + Isolate("\u05d0") + " 12 y": "x |\u05d0| 12 y",
		// Names in a sentence change neither its direction nor each other's.
		Isolate("\u05d0") + " and Bot are in":                       "\u05d0| and Bot are in",
		"with " + Isolate("\u05d0") + " and " + Isolate("\u05d1"):   "with |\u05d0| and |\u05d1",
		Isolate("\u05d0 x") + " is in":                              "x| |\u05d0| is in",
		Isolate(Isolate("\u05d0")+" and "+Isolate("b")) + " are in": "\u05d0| and |b| are in",
		"\u05d1 " + Isolate("Bot!") + " \u05d2":                     "\u05d2| |Bot!| |\u05d1",
		"a\u2069b":                                                  "a|b", // no isolate ends here
		"a\u2068\u05d0 b":                                           "a|b| |\u05d0",
	} {
		if got := drawn(text, rightToLeft(text), "|"); got != want {
			t.Errorf("%+q is drawn as %+q, want %+q", text, got, want)
		}
	}
}

// TestAvatarOfTwoScripts: if no font has both initials, the first name's is drawn, in any direction.
func TestAvatarOfTwoScripts(t *testing.T) {
	look(t)
	for name, want := range map[string]string{
		"Ada Lovelace": "AL", "\u05e9\u05dc\u05d5\u05dd world": "\u05e9", "world \u05e9\u05dc\u05d5\u05dd": "W", "\u05e9\u05dc \u05dd\u05d5": "\u05e9\u05dd",
	} {
		if got := NewAvatar(name, 0).text.Text; got != want {
			t.Errorf("%+q is drawn as %+q, want %+q", name, got, want)
		}
	}
}

// TestLevels checks the levels of a line against the examples of UAX 9, rules W1 to N2 and I1 to L1. In its text r is
// a right-to-left letter, r' an Arabic one, l a Latin one and 3 an Arabic digit.
func TestLevels(t *testing.T) {
	letters := strings.NewReplacer("r'", "\u0628", "r", "\u05d0", "3", "\u0663", "'", "\u0301", "_", "\u200b")
	for text, want := range map[string]string{
		"r''l":     "110", // W1; an apostrophe of its own is a combining mark
		"r 1'":     "1122",
		"r' 1":     "112",      // W2
		"r' l 1":   "10000",    // W2 and W7
		"r1+2":     "1222",     // W4
		"r1,2":     "1222",     // W4
		"r'1,2":    "1222",     // W4, of Arabic numbers
		"r'1+2":    "1212",     // W4 takes no other sign between those
		"r1,,2":    "12112",    // W4 takes one sign
		"r3,1":     "1212",     // W4 takes no sign between two kinds
		"r1$":      "122",      // W5
		"r$$1":     "1222",     // W5
		"r'1%":     "120",      // W5 is for European numbers
		"r 1_%":    "11222",    // X9 and W5
		"l 1":      "000",      // W7
		"l r 1":    "00112",    // W7
		"r l 1":    "10000",    // W7
		"1 r":      "001",      // W7 from the beginning of the line
		"3 r":      "211",      // I1
		"l 3 l":    "00200",    // I1
		"r (1) l":  "1112000",  // N0 and N1
		"r 1, 2 l": "11211200", // N1
		"r 1 ":     "1120",     // L1
		"r 1 _":    "11200",    // L1
	} {
		text = letters.Replace(text)
		var got strings.Builder
		for _, r := range levelRuns(text, false) {
			for range text[r.from:r.to] {
				got.WriteByte(byte('0' + r.level))
			}
		}
		if got.String() != want {
			t.Errorf("%+q has the levels %s, want %s", text, got.String(), want)
		}
	}
}

// TestNotUTF8: text that is not valid UTF-8 is drawn like any other.
func TestNotUTF8(t *testing.T) {
	look(t)
	for _, text := range []string{
		"\xd7\x90\xd7", "\xd7 \u05d0 x", "host/\u05d0\xd7", Isolate("\u05d0\xd7") + " is in \u05d0", "\u05d0\xff" + Isolate("x"), "\xd7\u2069\x90 \u05d0",
	} {
		for _, right := range []bool{false, true} {
			if got := drawn(text, right, ""); len(got) != len(stripIsolateBytes(text)) {
				t.Errorf("%+q becomes %+q", text, got)
			}
		}
		l := NewLabel(text, Body, Text1)
		l.Resize(fyne.NewSize(400, 20))
		test.WidgetRenderer(l).Objects()
	}
}

// stripIsolateBytes removes the isolate characters and keeps bytes that are not UTF-8.
func stripIsolateBytes(text string) string {
	return strings.NewReplacer("\u2066", "", "\u2067", "", "\u2068", "", "\u2069", "").Replace(text)
}

// TestLongLinesAreLinear: the memory for a line is linear in its length.
func TestLongLinesAreLinear(t *testing.T) {
	look(t)
	words := func(n int) line { return slices.Repeat(line{{text: "\u05d0", space: true}}, n) }
	for name, lay := range map[string]func(n int){
		"visual":       func(n int) { visual(strings.Repeat("\u05d0", n), true) },
		"an isolate":   func(n int) { visual(strings.Repeat("\u05d0", n)+Isolate("x"), true) },
		"runs":         func(n int) { runs(strings.Repeat("\u05d0", n), Body.Font) },
		"joined words": func(n int) { joined(words(n)) },
		"turned words": func(n int) { words(n).reorder(Body, true) },
	} {
		lay(10) // reads the fonts
		if short, long := allocated(func() { lay(1000) }), allocated(func() { lay(8000) }); long > 24*short {
			t.Errorf("%s: %d bytes for 1000 letters, %d for 8000", name, short, long)
		}
	}
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func FuzzVisual(f *testing.F) {
	f.Add("hello \u05d0\u05d1 (world) 12 \u0627")
	f.Add("\u05d0\u2067a\u2069\u0301")
	f.Add("\u05d0\xd7\u2068\x90\u2069 12")
	f.Add("\u05d0\u2029b\x1c\n1")
	f.Fuzz(func(t *testing.T, s string) {
		count := func(parts ...string) map[rune]int {
			m := map[rune]int{}
			for _, s := range parts {
				for _, r := range s {
					m[r]++
				}
			}
			return m
		}
		for _, right := range []bool{false, true} {
			var got []string
			for _, p := range visual(s, right) {
				if s[p.at:p.at+len(p.text)] != p.text {
					t.Errorf("%+q of %+q is not at %d", p.text, s, p.at)
				}
				got = append(got, p.text)
			}
			if !maps.Equal(count(got...), count(stripIsolates(s))) {
				t.Errorf("%+q becomes %+q", s, got)
			}
		}
	})
}
