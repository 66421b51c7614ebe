package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
)

// Row is a list item: two lines of text, a code at its end, and a rule above.
type Row struct {
	control
	rule, light, ring  *canvas.Rectangle
	title, note, after *Label
}

// RowHeight is the height of a Row.
const RowHeight float32 = 57

// NewRow makes a row.
func NewRow(title, note, after string, onTap func()) *Row {
	r := &Row{
		rule: canvas.NewRectangle(nil), light: canvas.NewRectangle(nil), ring: focusRing(8),
		title: NewLabel(title, Strong, Text1), note: NewLabel(note, Caption, Text2),
		after: NewLabel(after, CodeSmall, Text2),
	}
	r.light.CornerRadius = 8
	r.Name, r.OnTap = title, onTap
	r.ExtendBaseWidget(r)
	return r
}

// MinSize is narrow: rows take the available width.
func (r *Row) MinSize() fyne.Size { return fyne.NewSize(120, RowHeight) }

// CreateRenderer is for Fyne.
func (r *Row) CreateRenderer() fyne.WidgetRenderer {
	paint := func() {
		r.rule.FillColor = colorOf(Line)
		r.light.FillColor = hoverLight(r.hovered)
		paintRing(r.ring, r.focused)
		r.rule.Refresh()
		r.light.Refresh()
	}
	paint()
	return &renderer{
		objects: []fyne.CanvasObject{r.rule, r.light, r.title, r.note, r.after, r.ring},
		layout: func(s fyne.Size) {
			Place(r.rule, 0, 0, s.Width, 1)
			Place(r.light, -Space2, 4, s.Width+2*Space2, s.Height-7)
			Place(r.ring, -Space2, 4, s.Width+2*Space2, s.Height-7)
			aw := min(r.after.Width(), s.Width/2)
			w := s.Width - aw - Space3
			Place(r.title, 0, 10, w, 20)
			Place(r.note, 0, 30, w, 16)
			Place(r.after, s.Width-aw, 20, aw, 16)
		},
		min: r.MinSize,
		refresh: func() {
			paint()
			r.title.Refresh()
			r.note.Refresh()
			r.after.Refresh()
		},
	}
}
