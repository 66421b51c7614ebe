package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	fw "fyne.io/fyne/v2/widget"
)

// Item is one line of a Menu: a heading when OnTap is nil.
type Item struct {
	Label   string
	Icon    string
	Checked bool
	OnTap   func()
}

const (
	itemHeight    float32 = 36
	headingHeight float32 = 32
	menuWidth     float32 = 280
)

// Menu is a list of choices over the window. Escape or a press outside it closes it.
type Menu struct {
	fw.BaseWidget
	onClose func()
	panel   *Box
	scroll  *container.Scroll
	list    *fyne.Container
	rows    []fyne.CanvasObject
	anchor  fyne.CanvasObject
	above   bool
}

// ShowMenu opens a menu above or below anchor and returns it. The caller closes it, from onClose or from an item.
func ShowMenu(c fyne.Canvas, anchor fyne.CanvasObject, above bool, items []Item, onClose func()) *Menu {
	m := &Menu{onClose: onClose, panel: NewBox(Surface2, Line, RadiusTile), anchor: anchor, above: above}
	m.list = Area(fyne.Size{}, m.place)
	m.scroll = container.NewVScroll(m.list)
	m.ExtendBaseWidget(m)
	m.SetItems(items)
	c.Overlays().Add(m)
	m.Resize(c.Size())
	m.focusFirst(c)
	return m
}

// SetItems changes the list while the menu is open.
func (m *Menu) SetItems(items []Item) {
	m.rows = m.rows[:0]
	height := float32(0)
	for _, it := range items {
		if it.OnTap == nil {
			m.rows = append(m.rows, NewLabel(it.Label, Caption, Text2))
			height += headingHeight
			continue
		}
		m.rows = append(m.rows, newMenuRow(it))
		height += itemHeight
	}
	m.list.Objects = m.rows
	m.list.Layout = area{fyne.NewSize(1, height), m.place}
	m.list.Refresh()
	m.scroll.Refresh()
	m.Refresh()
}

func (m *Menu) place(s fyne.Size) {
	y := float32(0)
	for _, r := range m.rows {
		if _, heading := r.(*Label); heading {
			Place(r, Space3, y+10, s.Width-2*Space3, 16)
			y += headingHeight
			continue
		}
		Place(r, 0, y, s.Width, itemHeight)
		y += itemHeight
	}
}

func (m *Menu) focusFirst(c fyne.Canvas) {
	var first *menuRow
	for _, r := range m.rows {
		row, ok := r.(*menuRow)
		if ok && (first == nil || row.item.Checked && !first.item.Checked) {
			first = row
		}
	}
	if first != nil {
		first.quiet = true
		c.Focus(first)
	}
}

// Tapped closes the menu.
func (m *Menu) Tapped(*fyne.PointEvent) { m.onClose() }

// Close removes the menu from the window.
func (m *Menu) Close(c fyne.Canvas) { c.Overlays().Remove(m) }

// CreateRenderer is for Fyne.
func (m *Menu) CreateRenderer() fyne.WidgetRenderer {
	layout := func(s fyne.Size) {
		driver := fyne.CurrentApp().Driver()
		at, box := driver.AbsolutePositionForObject(m.anchor), m.anchor.Size()
		w := min(max(menuWidth, min(box.Width, 360)), s.Width-2*Space3)
		h := min(m.list.MinSize().Height+2*Space2, s.Height-2*Space3)
		x := min(max(at.X, Space3), s.Width-w-Space3)
		y := at.Y + box.Height + Space1
		if m.above {
			x = min(max(at.X+box.Width/2-w/2, Space3), s.Width-w-Space3)
			y = at.Y - h - Space2
		}
		y = max(min(y, s.Height-h-Space3), Space3)
		Place(m.panel, x, y, w, h)
		Place(m.scroll, x+Space2, y+Space2, w-2*Space2, h-2*Space2)
	}
	return &renderer{
		objects: []fyne.CanvasObject{m.panel, m.scroll},
		layout:  layout,
		refresh: func() { layout(m.Size()); m.panel.Refresh() },
	}
}

// menuRow is an item that can be pressed.
type menuRow struct {
	control
	item  Item
	quiet bool // focused when the menu opened: no ring until a key moves the focus
	light *canvas.Rectangle
	ring  *canvas.Rectangle
	icon  *Icon
	label *Label
}

func newMenuRow(it Item) *menuRow {
	r := &menuRow{item: it, light: canvas.NewRectangle(nil), ring: focusRing(8)}
	icon := it.Icon
	if it.Checked {
		icon = "check"
	}
	r.icon = NewIcon("check", Accent, 16)
	if icon == "" {
		r.icon.Hide()
	} else {
		r.icon.name = icon
	}
	if !it.Checked {
		r.icon.color = Text1
	}
	r.label = NewLabel(it.Label, Body, Text1)
	r.light.CornerRadius = 8
	r.Name, r.OnTap = it.Label, it.OnTap
	r.ExtendBaseWidget(r)
	return r
}

// FocusLost also clears quiet.
func (r *menuRow) FocusLost() { r.quiet = false; r.control.FocusLost() }

// CreateRenderer is for Fyne.
func (r *menuRow) CreateRenderer() fyne.WidgetRenderer {
	paint := func() {
		r.light.FillColor = hoverLight(r.hovered || r.focused)
		paintRing(r.ring, r.focused && !r.quiet)
		r.light.Refresh()
	}
	paint()
	return &renderer{
		objects: []fyne.CanvasObject{r.light, r.icon, r.label, r.ring},
		layout: func(s fyne.Size) {
			r.light.Resize(s)
			r.ring.Resize(s)
			Place(r.icon, Space3, (s.Height-16)/2, 16, 16)
			Place(r.label, Space3+16+Space2, (s.Height-20)/2, s.Width-Space3-16-Space2-Space2, 20)
		},
		min:     func() fyne.Size { return fyne.NewSize(1, itemHeight) },
		refresh: func() { paint(); r.icon.Refresh(); r.label.Refresh() },
	}
}
