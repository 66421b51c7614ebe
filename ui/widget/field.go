package widget

import (
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	fw "fyne.io/fyne/v2/widget"
)

// Field is a text field of one or several lines, with a border and an optional button at its end.
type Field struct {
	fw.BaseWidget
	Entry    *Entry
	box      *canvas.Rectangle
	after    fyne.CanvasObject
	height   float32
	maxLines int // 0 for a field of one line
}

// Entry is Fyne's entry, which passes keys that it does not use to the window.
type Entry struct {
	fw.Entry
	Name  string
	field *Field
	focus bool
	shift bool // held down
	// MaxRunes limits the text typed or pasted; 0 is no limit.
	MaxRunes int
}

// NewField makes a field. name is what it is for. after is the button at its end, which may be nil.
func NewField(name, placeholder string, height float32, after fyne.CanvasObject) *Field {
	f := &Field{Entry: &Entry{Name: name}, box: canvas.NewRectangle(nil), after: after, height: height}
	f.Entry.field = f
	f.Entry.PlaceHolder = placeholder
	f.Entry.Wrapping = fyne.TextWrap(fyne.TextTruncateClip)
	f.Entry.ExtendBaseWidget(f.Entry)
	f.box.CornerRadius = RadiusTile
	f.ExtendBaseWidget(f)
	return f
}

// Lines makes a field of several lines, which grows up to maxLines and then scrolls. Enter submits, Shift+Enter
// starts a new line.
func (f *Field) Lines(maxLines int) *Field {
	f.maxLines = maxLines
	f.Entry.MultiLine, f.Entry.Wrapping = true, fyne.TextWrapWord
	f.Entry.SetMinRowsVisible(1)
	return f
}

// HeightFor is the height of the field with its text at a width.
func (f *Field) HeightFor(width float32) float32 {
	if f.maxLines == 0 {
		return f.height
	}
	inner := f.entryWidth(width) - 2*Space3
	rows := 0
	if inner > 0 {
		rows = len(wrap(f.Entry.Text, Body, inner))
	}
	return f.height + float32(min(max(rows, 1), f.maxLines)-1)*Body.Line
}

func (f *Field) entryWidth(width float32) float32 {
	if f.after != nil {
		width -= f.after.MinSize().Width + Space1
	}
	return width
}

// Parts are the objects that can have the keyboard focus.
func (f *Field) Parts() []fyne.CanvasObject {
	if f.after == nil {
		return []fyne.CanvasObject{f.Entry}
	}
	return []fyne.CanvasObject{f.Entry, f.after}
}

// FocusGained draws the border in the accent colour.
func (e *Entry) FocusGained() { e.focus = true; e.Entry.FocusGained(); e.field.Refresh() }

// FocusLost draws the usual border.
func (e *Entry) FocusLost() {
	e.focus, e.shift = false, false
	e.Entry.FocusLost()
	e.field.Refresh()
}

// AcceptsTab leaves Tab to the window, even in a field of several lines.
func (e *Entry) AcceptsTab() bool { return false }

// KeyDown records that Shift is held.
func (e *Entry) KeyDown(k *fyne.KeyEvent) {
	e.shift = e.shift || isShift(k)
	e.Entry.KeyDown(k)
}

// KeyUp records that Shift was released.
func (e *Entry) KeyUp(k *fyne.KeyEvent) {
	e.shift = e.shift && !isShift(k)
	e.Entry.KeyUp(k)
}

func isShift(k *fyne.KeyEvent) bool {
	return k.Name == desktop.KeyShiftLeft || k.Name == desktop.KeyShiftRight
}

// TypedKey passes Escape to the window.
func (e *Entry) TypedKey(k *fyne.KeyEvent) {
	if k.Name == fyne.KeyEscape {
		if c := fyne.CurrentApp().Driver().CanvasForObject(e); c != nil && c.OnTypedKey() != nil {
			c.OnTypedKey()(k)
		}
		return
	}
	submit := e.OnSubmitted
	if !e.MultiLine || submit == nil || k.Name != fyne.KeyReturn && k.Name != fyne.KeyEnter {
		e.Entry.TypedKey(k)
		return
	}
	// The toolkit does the opposite: Shift+Enter submits.
	if !e.shift {
		submit(e.Text)
		return
	}
	if e.room() <= 0 {
		return
	}
	e.OnSubmitted = nil
	e.Entry.TypedKey(k)
	e.OnSubmitted = submit
}

// room is how many more runes fit within MaxRunes.
func (e *Entry) room() int {
	if e.MaxRunes == 0 || e.SelectedText() != "" {
		return 1
	}
	return e.MaxRunes - utf8.RuneCountInString(e.Text)
}

// TypedRune types, up to the limit.
func (e *Entry) TypedRune(r rune) {
	if e.room() <= 0 {
		return
	}
	showsEmoji(string(r))
	e.Entry.TypedRune(r)
}

// SetText replaces the text.
func (e *Entry) SetText(text string) {
	showsEmoji(text)
	e.Entry.SetText(text)
}

// TypedShortcut handles editing and passes other shortcuts to the window.
func (e *Entry) TypedShortcut(s fyne.Shortcut) {
	switch s := s.(type) {
	case *fyne.ShortcutCopy, *fyne.ShortcutCut, *fyne.ShortcutSelectAll, *fyne.ShortcutUndo, *fyne.ShortcutRedo:
		e.Entry.TypedShortcut(s)
	case *fyne.ShortcutPaste:
		showsEmoji(s.Clipboard.Content())
		e.Entry.TypedShortcut(s)
		if r := []rune(e.Text); e.MaxRunes > 0 && len(r) > e.MaxRunes {
			e.SetText(string(r[:e.MaxRunes]))
		}
	default:
		if c, ok := fyne.CurrentApp().Driver().CanvasForObject(e).(fyne.Shortcutable); ok {
			c.TypedShortcut(s)
		}
		e.Entry.TypedShortcut(s)
	}
}

// MinSize is narrow: fields take the available width.
func (f *Field) MinSize() fyne.Size { return fyne.NewSize(80, f.height) }

// CreateRenderer is for Fyne.
func (f *Field) CreateRenderer() fyne.WidgetRenderer {
	objects := []fyne.CanvasObject{f.box, f.Entry}
	if f.after != nil {
		objects = append(objects, f.after)
	}
	paint := func() {
		f.box.FillColor = colorOf(Surface2)
		f.box.StrokeWidth, f.box.StrokeColor = 1, colorOf(Line)
		if f.Entry.focus {
			f.box.StrokeWidth, f.box.StrokeColor = 2, colorOf(Accent)
		}
	}
	paint()
	return &renderer{
		objects: objects,
		layout: func(s fyne.Size) {
			f.box.Resize(s)
			w := f.entryWidth(s.Width)
			if f.after != nil {
				m := f.after.MinSize()
				Place(f.after, w, s.Height-f.height+(f.height-m.Height)/2, m.Width, m.Height)
			}
			if f.maxLines > 0 {
				f.Entry.SetMinRowsVisible(1 + int((s.Height-f.height)/Body.Line+0.5))
			}
			h := f.Entry.MinSize().Height // at a smaller height it would scroll
			Place(f.Entry, 0, (s.Height-h)/2, w, h)
		},
		min:     f.MinSize,
		refresh: func() { paint(); f.box.Refresh() },
	}
}
