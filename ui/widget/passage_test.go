package widget

import (
	"math"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
)

func passage(t *testing.T, text string) *Passage {
	t.Helper()
	look(t)
	p := NewPassage(text, Body, Text1, 0)
	p.Resize(fyne.NewSize(200, p.HeightFor(200)))
	return p
}

// placeOf is the position where the first occurrence of part begins, at half the height of its line.
func (p *Passage) placeOf(t *testing.T, part string) fyne.Position {
	t.Helper()
	at := strings.Index(p.text, part)
	for i, l := range p.lines {
		if at >= l.start() && at <= l.end() {
			return fyne.NewPos(l.x(at, p.style)+1, (float32(i)+0.5)*p.style.Line)
		}
	}
	t.Fatalf("%q is nowhere", part)
	return fyne.Position{}
}

func drag(p *Passage, from, to fyne.Position) {
	e := func(at, by fyne.Position) *fyne.DragEvent {
		return &fyne.DragEvent{PointEvent: fyne.PointEvent{Position: at}, Dragged: fyne.NewDelta(by.X, by.Y)}
	}
	step := fyne.NewPos(1, 0)
	p.Dragged(e(from.Add(step), step))
	p.Dragged(e(to, to.Subtract(from)))
	p.DragEnd()
}

func TestSelect(t *testing.T) {
	text := "one  two three\n\nfour \U0001f468\u200d\U0001f469\u200d\U0001f467 five https://example.org/six and a good deal more"
	p := passage(t, text)
	selections := 0
	p.OnSelect = func() { selections++ }
	for _, c := range []struct{ from, to, want string }{
		{"two", "three", "two "},
		{"three", "two", "two "},
		{"two", "four", "two three\n\n"},
		{"four", "five", "four \U0001f468\u200d\U0001f469\u200d\U0001f467 "},
		{"five", "and", "five https://example.org/six "},
	} {
		drag(p, p.placeOf(t, c.from), p.placeOf(t, c.to))
		if got := p.SelectedText(); got != c.want {
			t.Errorf("from %s to %s: %q, want %q", c.from, c.to, got, c.want)
		}
		if len(p.marks) == 0 {
			t.Errorf("from %s to %s: nothing shows", c.from, c.to)
		}
	}
	if selections != 5 {
		t.Errorf("%d selections were told", selections)
	}
	for _, word := range []string{"two", "four", "good", "more"} {
		p.DoubleTapped(&fyne.PointEvent{Position: p.placeOf(t, word)})
		if got := p.SelectedText(); got != word {
			t.Errorf("a double tap on %s selects %q", word, got)
		}
	}
	clip := test.NewClipboard()
	p.TypedShortcut(&fyne.ShortcutCopy{Clipboard: clip})
	if clip.Content() != "more" {
		t.Errorf("copied %q", clip.Content())
	}
	p.TypedShortcut(&fyne.ShortcutSelectAll{})
	p.TypedShortcut(&fyne.ShortcutCopy{Clipboard: clip})
	if clip.Content() != text {
		t.Errorf("copied %q", clip.Content())
	}
	p.Tapped(nil)
	if p.SelectedText() != "" {
		t.Error("a tap leaves the selection")
	}
	// A position far outside is the beginning or the end, and part of an emoji cannot be selected.
	drag(p, fyne.NewPos(-50, -50), fyne.NewPos(999, 9999))
	if p.SelectedText() != text {
		t.Errorf("%q", p.SelectedText())
	}
}

func TestSelectNothing(t *testing.T) {
	p := passage(t, "")
	drag(p, fyne.NewPos(1, 1), fyne.NewPos(90, 90))
	p.DoubleTapped(&fyne.PointEvent{})
	p.SelectAll()
	if p.SelectedText() != "" {
		t.Error(p.SelectedText())
	}
}

// Every message can have the focus, but Tab skips messages.
func TestTabPassesMessages(t *testing.T) {
	p := passage(t, "text")
	f := NewField("f", "", 40, nil)
	win := test.NewTempWindow(t, &fyne.Container{Objects: []fyne.CanvasObject{p, f}})
	win.Canvas().Focus(p)
	if win.Canvas().Focused() != fyne.Focusable(p) {
		t.Fatal("Ctrl+C would not come here")
	}
	win.Canvas().Unfocus()
	test.FocusNext(win.Canvas())
	if win.Canvas().Focused() != fyne.Focusable(f.Entry) {
		t.Errorf("Tab stops at %T", win.Canvas().Focused())
	}
}

func TestFieldLines(t *testing.T) {
	look(t)
	f := NewField("f", "", 40, nil).Lines(5)
	var sent []string
	f.Entry.OnSubmitted = func(s string) { sent = append(sent, s) }
	f.Entry.MaxRunes = 400
	test.NewTempWindow(t, f).Resize(fyne.NewSize(300, 200))
	one := f.HeightFor(300)
	enter := &fyne.KeyEvent{Name: fyne.KeyReturn}
	shift := &fyne.KeyEvent{Name: desktop.KeyShiftLeft}

	test.Type(f.Entry, "a")
	f.Entry.KeyDown(shift)
	f.Entry.TypedKey(enter)
	f.Entry.KeyUp(shift)
	test.Type(f.Entry, "b")
	if f.Entry.Text != "a\nb" || len(sent) != 0 {
		t.Errorf("Shift and Enter: %q, sent %q", f.Entry.Text, sent)
	}
	if two := f.HeightFor(300); two != one+Body.Line {
		t.Errorf("two lines are %g high, one is %g", two, one)
	}
	f.Entry.TypedKey(enter)
	if len(sent) != 1 || sent[0] != "a\nb" {
		t.Errorf("Enter sends %q", sent)
	}
	clip := test.NewClipboard()
	clip.SetContent("1\n2\n3\n4\n5\n6\n7\n8")
	f.Entry.SetText("")
	f.Entry.TypedShortcut(&fyne.ShortcutPaste{Clipboard: clip})
	if f.Entry.Text != clip.Content() {
		t.Errorf("pasted lines become %q", f.Entry.Text)
	}
	if five := f.HeightFor(300); five != one+4*Body.Line {
		t.Errorf("eight lines are %g high, one is %g", five, one)
	}
	clip.SetContent(strings.Repeat("x", 500))
	f.Entry.TypedShortcut(&fyne.ShortcutPaste{Clipboard: clip})
	f.Entry.KeyDown(shift)
	f.Entry.TypedKey(enter)
	if n := len([]rune(f.Entry.Text)); n != 400 {
		t.Errorf("%d runes, 400 at most", n)
	}
	if f.Entry.AcceptsTab() {
		t.Error("Tab does not leave the field")
	}
}

func TestLongMessage(t *testing.T) {
	look(t)
	grown := 0
	m := NewMessage("A", "12:00", strings.Repeat("word ", 800), MessageWords{More: "Show more"}, func() {}, func() { grown++ })
	short := m.HeightFor(300)
	if short > float32(longMessage+4)*Body.Line || !m.more.Visible() {
		t.Errorf("%g high, more: %v", short, m.more.Visible())
	}
	test.Tap(m.more)
	if grown != 1 || m.HeightFor(300) < 2*short || m.more.Visible() {
		t.Errorf("after more: %g high, told %d times", m.HeightFor(300), grown)
	}
	if m := NewMessage("A", "12:00", "short", MessageWords{More: "Show more"}, func() {}, func() {}); m.HeightFor(300) > 60 || m.more.Visible() {
		t.Error("a short message has more")
	}
}

// TestPassageFromTheRight: a right-to-left message is aligned to the right, and the selection's mark covers
// exactly the selected words.
func TestPassageFromTheRight(t *testing.T) {
	const shalom, olam, yofi = "\u05e9\u05dc\u05d5\u05dd", "\u05e2\u05d5\u05dc\u05dd", "\u05d9\u05d5\u05e4\u05d9"
	for text, rtl := range map[string]bool{
		shalom + " " + olam:                               true,
		shalom + ", hello " + olam + "!":                  true,
		shalom + " 12 " + olam:                            true,
		"hello " + shalom + " " + olam + " bye":           false,
		shalom + "\n" + olam + " " + yofi:                 true,
		shalom + " https://example.org/x " + olam:         true,
		strings.Repeat(shalom+" "+olam+" ", 9) + yofi:     true,
		"see " + shalom + " and " + olam + " and " + yofi: false,
	} {
		p := passage(t, text)
		right := float32(0)
		for _, l := range p.lines {
			right = max(right, l.width(Body))
		}
		if at := math.Abs(float64(right - 200)); rtl != (at < 1) && len(p.lines) < 3 {
			t.Errorf("%+q ends at %.0f of 200", text, right)
		}
		for at := 0; at < len(text); {
			word := strings.IndexFunc(text[at:], func(r rune) bool { return r != ' ' && r != '\n' })
			if word < 0 {
				break
			}
			from := at + word
			to := from + len(strings.FieldsFunc(text[from:], func(r rune) bool { return r == ' ' || r == '\n' })[0])
			at = to
			p.Select(from, to)
			if len(p.marks) == 0 {
				t.Fatalf("%+q: nothing is marked for %+q", text, text[from:to])
			}
			// The marks cover this word and no other.
			for _, part := range p.parts {
				within := false
				for _, m := range p.marks {
					mid := part.Position().X + part.Size().Width/2
					y := part.Position().Y + 1
					within = within || mid > m.Position().X && mid < m.Position().X+m.Size().Width && y > m.Position().Y && y < m.Position().Y+m.Size().Height
				}
				if ct, ok := part.(*canvas.Text); ok && p.lines[0][0].reordered && within != strings.Contains(text[from:to], strings.TrimSpace(ct.Text)) && !strings.Contains(strings.Replace(text, text[from:to], "", 1), ct.Text) && strings.TrimSpace(ct.Text) != "" {
					t.Errorf("%+q: %+q is selected, and %+q is marked: %v", text, text[from:to], ct.Text, within)
				}
			}
			// Dragging over the marks selects it.
			m := p.marks[0]
			y := m.Position().Y + 5
			if len(p.marks) == 1 {
				a, b := fyne.NewPos(m.Position().X+0.5, y), fyne.NewPos(m.Position().X+m.Size().Width-0.5, y)
				drag(p, a, b)
				if got := p.SelectedText(); got != text[from:to] {
					t.Errorf("%+q: dragged over %+q, selected %+q", text, text[from:to], got)
				}
			}
		}
	}
	// The first letter is at the right end.
	p := passage(t, shalom+" "+olam)
	drag(p, fyne.NewPos(199, 5), fyne.NewPos(190, 5))
	if got := p.SelectedText(); !strings.HasPrefix(p.text, got) || got == "" {
		t.Errorf("from the right end one selects %+q", got)
	}
}
