package widget

import (
	"maps"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
)

// Emoji show with nothing installed: the toolkit's own font has them, or this system's.
func TestEmojiAlwaysShow(t *testing.T) {
	look(t)
	if theme.DefaultEmojiFont() == nil {
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
		// With fonts of this system out of the way too.
		if own := theme.DefaultEmojiFont(); !all([]rune(e), coverageOf(own).Contains) && e != "1\ufe0f\u20e3" {
			t.Errorf("the toolkit's own font lacks %+q", e)
		}
	}
	if rs := runs("\u2764\ufe0e", Body.Font); len(rs) == 1 && rs[0].font == theme.DefaultEmojiFont() {
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

// What no font has is told by its code point: no box, no mark of replacement.
func TestNoFontForIt(t *testing.T) {
	look(t)
	const lost = "\U000bfff0" // unassigned for good
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

// With the fonts that scripts/setup installs, every script in use has one.
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

// TestIsolatesAreNotDrawn: no font is asked for what only gives directions, in text of any direction.
func TestIsolatesAreNotDrawn(t *testing.T) {
	for _, text := range []string{
		Isolate("Bot") + " is in", Isolate("\u05d0") + " is in", "\u05d0 " + Isolate("Bot"), Isolate(Isolate("a")), "a\u2068", "\u2069", Isolate("\U0001f600") + "!",
	} {
		if got, want := textWidth(text, Body), textWidth(undirected(text), Body); math.Abs(float64(got-want)) > 1 {
			t.Errorf("%+q is %.1f wide, without the marks %.1f", text, got, want)
		}
		for _, r := range runs(text, Body.Font) {
			if r.font == nil || r.text != undirected(r.text) {
				t.Errorf("%+q draws %+q", text, r.text)
			}
		}
	}
}

// What is read from the right stands so too where it takes several fonts: words, and the marks between them.
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

// drawn are the pieces of a line as they stand from left to right.
func drawn(text string, right bool, between string) string {
	var out []string
	for _, p := range visual(text, right) {
		out = append(out, p.text)
	}
	return strings.Join(out, between)
}

// Lines in two directions read as people write them, and nothing of them is lost.
func TestDirections(t *testing.T) {
	for text, want := range map[string]string{
		"hello":                      "hello",
		"\u05d0\u05d1":               "\u05d0\u05d1",
		"\u05d0\u05d1 hello":         "hello| |\u05d0\u05d1",
		"hello \u05d0\u05d1":         "hello |\u05d0\u05d1",
		"hello \u05d0\u05d1 (world)": "hello |\u05d0\u05d1| (world)",
		"hello \u05d0 12 \u05d1 x":   "hello |\u05d1| |12| |\u05d0| x",
		"\u0627\u0644 3":             "3| |\u0627\u0644",
		// Names in a sentence do not turn it around, nor each other.
		Isolate("\u05d0") + " and Bot are in":                       "\u05d0| and Bot are in",
		"with " + Isolate("\u05d0") + " and " + Isolate("\u05d1"):   "with |\u05d0| and |\u05d1",
		Isolate("\u05d0 x") + " is in":                              "x| |\u05d0| is in",
		Isolate(Isolate("\u05d0")+" and "+Isolate("b")) + " are in": "\u05d0| and |b| are in",
		"\u05d1 " + Isolate("Bot!") + " \u05d2":                     "\u05d2| |Bot!| |\u05d1",
		"a\u2069b":                                                  "a|b", // no isolate ends here
		"a\u2068\u05d0 b":                                           "a|b| |\u05d0",
	} {
		if got := drawn(text, fromRight(text), "|"); got != want {
			t.Errorf("%+q is drawn as %+q, want %+q", text, got, want)
		}
	}
}

func FuzzVisual(f *testing.F) {
	f.Add("hello \u05d0\u05d1 (world) 12 \u0627")
	f.Add("\u05d0\u2067a\u2069\u0301")
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) || strings.ContainsAny(s, "\n\r\u2029\u0085\x1c\x1d\x1e") {
			return // a line is valid text, and one paragraph
		}
		count := func(s string) map[rune]int {
			m := map[rune]int{}
			for _, r := range s {
				m[r]++
			}
			return m
		}
		for _, right := range []bool{false, true} {
			if got := drawn(s, right, ""); !maps.Equal(count(got), count(undirected(s))) {
				t.Errorf("%+q becomes %+q", s, got)
			}
			for _, p := range visual(s, right) {
				if s[p.at:p.at+len(p.text)] != p.text {
					t.Errorf("%+q of %+q is not at %d", p.text, s, p.at)
				}
			}
		}
	})
}
