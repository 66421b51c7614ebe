package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fw "fyne.io/fyne/v2/widget"
)

// Field is a line to type in, with a box around it and room for a button at its end.
type Field struct {
	fw.BaseWidget
	Entry  *Entry
	box    *canvas.Rectangle
	after  fyne.CanvasObject
	height float32
}

// Entry is Fyne's entry, except that keys it has no use for are the window's.
type Entry struct {
	fw.Entry
	Name  string
	field *Field
	focus bool
	// MaxRunes cuts what is typed or pasted; 0 is no limit.
	MaxRunes int
}

// NewField makes a field; name says what it is for, after may be nil.
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

// FocusGained draws the accent around the field.
func (e *Entry) FocusGained() { e.focus = true; e.Entry.FocusGained(); e.field.Refresh() }

// FocusLost takes it away.
func (e *Entry) FocusLost() { e.focus = false; e.Entry.FocusLost(); e.field.Refresh() }

// TypedKey gives Escape to the window.
func (e *Entry) TypedKey(k *fyne.KeyEvent) {
	if k.Name == fyne.KeyEscape {
		if c := fyne.CurrentApp().Driver().CanvasForObject(e); c != nil && c.OnTypedKey() != nil {
			c.OnTypedKey()(k)
		}
		return
	}
	e.Entry.TypedKey(k)
}

// TypedRune types, up to the limit.
func (e *Entry) TypedRune(r rune) {
	if e.MaxRunes > 0 && len([]rune(e.Text)) >= e.MaxRunes && e.SelectedText() == "" {
		return
	}
	e.Entry.TypedRune(r)
}

// TypedShortcut edits, and gives what is no editing to the window.
func (e *Entry) TypedShortcut(s fyne.Shortcut) {
	switch s.(type) {
	case *fyne.ShortcutCopy, *fyne.ShortcutCut, *fyne.ShortcutSelectAll, *fyne.ShortcutUndo, *fyne.ShortcutRedo:
		e.Entry.TypedShortcut(s)
	case *fyne.ShortcutPaste:
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

// MinSize is narrow: fields take what there is.
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
			w := s.Width
			if f.after != nil {
				m := f.after.MinSize()
				w -= m.Width + Space1
				Place(f.after, w, (s.Height-m.Height)/2, m.Width, m.Height)
			}
			h := f.Entry.MinSize().Height // less than this and it would scroll
			Place(f.Entry, 0, (s.Height-h)/2, w, h)
		},
		min:     f.MinSize,
		refresh: func() { paint(); f.box.Refresh() },
	}
}
