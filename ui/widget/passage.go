package widget

import (
	"strings"
	"unicode"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"github.com/rivo/uniseg"
)

// Passage is a paragraph whose text can be selected and copied: by dragging, by a double tap on a word, or by
// Ctrl+A while it has the focus.
type Passage struct {
	Paragraph
	OnSelect func()     // a selection begins here: take the focus and clear other selections
	OnMenu   func()     // the right button was pressed
	OnRune   func(rune) // a character was typed, for another field

	from, to int // byte offsets; from is where the selection began
	dragging bool
	marks    []fyne.CanvasObject
}

// NewPassage makes a passage; see NewParagraph.
func NewPassage(text string, style Style, color fyne.ThemeColorName, maxLines int) *Passage {
	p := &Passage{Paragraph: Paragraph{text: text, style: style, color: color, maxLines: maxLines}}
	p.ExtendBaseWidget(p)
	return p
}

// The toolkit's interfaces that a passage implements.
var (
	_ fyne.Draggable         = (*Passage)(nil)
	_ fyne.DoubleTappable    = (*Passage)(nil)
	_ fyne.Focusable         = (*Passage)(nil)
	_ fyne.Shortcutable      = (*Passage)(nil)
	_ fyne.Disableable       = (*Passage)(nil)
	_ desktop.Cursorable     = (*Passage)(nil)
	_ fyne.SecondaryTappable = (*Passage)(nil)
)

// SelectedText is the selection.
func (p *Passage) SelectedText() string {
	from, to := min(p.from, p.to), min(max(p.from, p.to), len(p.text))
	return p.text[min(from, to):to]
}

// SelectAll selects everything.
func (p *Passage) SelectAll() { p.Select(0, len(p.text)) }

// Unselect clears the selection.
func (p *Passage) Unselect() { p.Select(0, 0) }

// CopyTo puts the selection, or everything if there is none, on the clipboard.
func (p *Passage) CopyTo(c fyne.Clipboard) {
	text := p.SelectedText()
	if text == "" {
		text = p.text
	}
	c.SetContent(text)
}

// Select selects the text between two byte offsets.
func (p *Passage) Select(from, to int) {
	if p.from == from && p.to == to {
		return
	}
	p.from, p.to = from, to
	p.Refresh()
}

// Dragged selects from where the drag began to where the pointer is.
func (p *Passage) Dragged(e *fyne.DragEvent) {
	if !p.dragging {
		p.dragging = true
		p.begin()
		at := p.at(e.Position.Subtract(e.Dragged))
		p.from, p.to = at, at
	}
	p.Select(p.from, p.at(e.Position))
}

// DragEnd keeps the selection.
func (p *Passage) DragEnd() { p.dragging = false }

// Tapped clears the selection.
func (p *Passage) Tapped(*fyne.PointEvent) { p.Unselect() }

// DoubleTapped selects a word.
func (p *Passage) DoubleTapped(e *fyne.PointEvent) {
	p.begin()
	p.Select(p.word(p.at(e.Position)))
}

// TappedSecondary opens the context menu.
func (p *Passage) TappedSecondary(*fyne.PointEvent) {
	if p.OnMenu != nil {
		p.OnMenu()
	}
}

func (p *Passage) begin() {
	if p.OnSelect != nil {
		p.OnSelect()
	}
}

// Cursor is the text cursor.
func (p *Passage) Cursor() desktop.Cursor { return desktop.TextCursor }

// Disabled makes Tab skip messages. A passage gets the focus by the pointer.
func (p *Passage) Disabled() bool { return true }

// Enable does nothing.
func (p *Passage) Enable() {}

// Disable does nothing.
func (p *Passage) Disable() {}

// FocusGained does nothing: the selection shows the focus.
func (p *Passage) FocusGained() {}

// FocusLost keeps the selection, so that a menu can copy it.
func (p *Passage) FocusLost() {}

// TypedRune passes the character to OnRune.
func (p *Passage) TypedRune(r rune) {
	if p.OnRune != nil {
		p.OnRune(r)
	}
}

// TypedKey passes keys to the window.
func (p *Passage) TypedKey(k *fyne.KeyEvent) { bubble(k) }

// TypedShortcut copies and selects, and passes other shortcuts to the window.
func (p *Passage) TypedShortcut(s fyne.Shortcut) {
	switch s := s.(type) {
	case *fyne.ShortcutCopy:
		p.CopyTo(s.Clipboard)
	case *fyne.ShortcutSelectAll:
		p.SelectAll()
	default:
		if c, ok := fyne.CurrentApp().Driver().CanvasForObject(p).(fyne.Shortcutable); ok {
			c.TypedShortcut(s)
		}
	}
}

// at is the byte offset nearest to a position. It is a grapheme cluster boundary.
func (p *Passage) at(pos fyne.Position) int {
	row := int(pos.Y / p.style.Line)
	switch {
	case pos.Y < 0 || len(p.lines) == 0:
		return 0
	case row >= len(p.lines):
		return p.lines[len(p.lines)-1].end()
	}
	line := p.lines[row]
	for i := len(line) - 1; i >= 0; i-- {
		if s := line[i]; pos.X >= s.x || i == 0 {
			return s.at(pos.X, p.style)
		}
	}
	return line.end()
}

// nearest is the byte offset of the cluster boundary nearest to x.
func nearest(text string, style Style, x float32) int {
	last, before := 0, float32(0)
	for g := uniseg.NewGraphemes(text); g.Next(); {
		_, end := g.Positions()
		after := textWidth(text[:end], style)
		if x < (before+after)/2 {
			return last
		}
		last, before = end, after
	}
	return last
}

// word is the run of letters and digits, of spaces, or of other characters around a byte offset.
func (p *Passage) word(at int) (from, to int) {
	kind := func(r rune) int {
		switch {
		case unicode.IsSpace(r):
			return 0
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || strings.ContainsRune("'\u200c\u200d", r):
			return 1
		}
		return 2
	}
	last := -1
	for i, r := range p.text {
		if k := kind(r); k != last {
			if i > at {
				return from, i
			}
			from, last = i, k
		}
	}
	return from, len(p.text)
}

// CreateRenderer is for Fyne.
func (p *Passage) CreateRenderer() fyne.WidgetRenderer { return &passageRenderer{p} }

type passageRenderer struct{ p *Passage }

func (r *passageRenderer) Destroy()           {}
func (r *passageRenderer) MinSize() fyne.Size { return r.p.MinSize() }
func (r *passageRenderer) Layout(s fyne.Size) { r.p.set(s.Width); r.p.mark() }
func (r *passageRenderer) Objects() []fyne.CanvasObject {
	return append(append([]fyne.CanvasObject(nil), r.p.marks...), r.p.parts...)
}

func (r *passageRenderer) Refresh() {
	if w := r.p.Size().Width; w > 0 {
		r.p.lines = nil
		r.p.set(w)
	}
	r.p.mark()
	canvas.Refresh(r.p)
}

// mark makes the rectangles behind the selection.
func (p *Passage) mark() {
	p.marks = nil
	from, to := min(p.from, p.to), max(p.from, p.to)
	if from == to {
		return
	}
	for i, line := range p.lines {
		if from >= line.end() || to <= line.start() {
			continue
		}
		for _, s := range line.stretches(from, to, p.style) {
			m := canvas.NewRectangle(colorOf(theme.ColorNameSelection))
			Place(m, s.from, float32(i)*p.style.Line, s.to-s.from, p.style.Line)
			p.marks = append(p.marks, m)
		}
	}
}

// stretch is a horizontal part of a line.
type stretch struct{ from, to float32 }

// stretches are where the text between two byte offsets is drawn. Bidirectional text may have several.
func (l line) stretches(from, to int, style Style) []stretch {
	if !l[0].reordered {
		return []stretch{{l.x(max(from, l.start()), style), l.x(min(to, l.end()), style)}}
	}
	var out []stretch
	for _, s := range l {
		if from >= s.end() || to <= s.start {
			continue
		}
		a, b := s.to(max(from, s.start), style), s.to(min(to, s.end()), style)
		a, b = min(a, b), max(a, b)
		if n := len(out); n > 0 && a-out[n-1].to < 0.5 {
			out[n-1].to = b
			continue
		}
		out = append(out, stretch{a, b})
	}
	return out
}
