package ui

import (
	"fyne.io/fyne/v2"

	"parley/ui/widget"
)

const (
	// Below this width or height the name field and the join button stay at the bottom of the window.
	lobbyWide float32 = 1000
	lobbyHigh float32 = 600

	footHeight float32 = 68
	joinHeight float32 = 52
)

func (l *lobby) placeAll(s fyne.Size) {
	l.size = s
	if low := s.Width < lobbyWide || s.Height < lobbyHigh; low != l.low {
		l.low = low
		l.arrange()
	}
	l.top.place(s)
	y := l.top.bottom(s)
	bottom := s.Height
	if l.low {
		bottom -= footHeight
		l.placeFoot(s)
	}
	l.flow.fit(0, y, s.Width, bottom-y)
}

// placeFoot places the name field and the join button side by side at the bottom of the window.
func (l *lobby) placeFoot(s fyne.Size) {
	const high = 44
	margin := max(widget.Space5, (s.Width-640)/2)
	top := s.Height - footHeight
	widget.Place(l.line, 0, top, s.Width, 1)
	button := l.join.MinSize().Width + 2*widget.Space4
	y := top + (footHeight-high)/2
	widget.Place(l.name, margin, y, s.Width-2*margin-button-widget.Space3, high)
	widget.Place(l.join, s.Width-margin-button, y, button, high)
}

// place lays out the scrolling part and returns its height.
func (l *lobby) place(width float32) float32 {
	if l.low {
		return l.placeLow(width)
	}
	const side, gap = 384, 64
	margin := max((width-1152)/2, widget.Space6)
	room := l.size.Height - topHeight
	left := width - 2*margin - side - gap
	// As wide as possible while the device cards stay visible without scrolling.
	left = min(left, max((room-3*widget.Space5-widget.CardHeight)*16/9, 320))
	high := left * 9 / 16
	top := max(widget.Space5, floor((room-high-widget.Space5-widget.CardHeight)/2)-46)
	y := l.placePreview(margin, top, left, high)
	y = l.placeCards(margin, y+widget.Space5, left, 3)
	door := l.placeDoor(margin+left+gap, top, side)
	return max(y, door) + widget.Space5
}

// placeLow lays out a small window. The notice, the preview and the people come first, so that they are
// visible without scrolling.
func (l *lobby) placeLow(width float32) float32 {
	margin := max(widget.Space5, (width-640)/2)
	inner := width - 2*margin
	room := l.size.Height - l.top.bottom(l.size) - footHeight
	y := l.placeNotice(margin, 0, inner)
	room -= y
	high := min(inner*9/16, max(room*0.55, 120))
	if room-high < 60 { // a smaller preview leaves room for the people
		high = max(room-60, 96)
	}
	y = l.placePreview(margin, y, inner, high)
	y = l.placeWho(margin, y+widget.Space3, inner) + widget.Space4
	y = l.placeTitle(margin, y, inner)
	columns := 3
	if inner < 520 {
		columns = 1
	}
	y = l.placeCards(margin, y, inner, columns) + widget.Space4
	return l.placeBack(margin, y, inner) + widget.Space5
}

func (l *lobby) placePreview(x, y, width, height float32) float32 {
	widget.Place(l.preview, x, y, width, height)
	by := y + height - widget.RoundSize - widget.Space4
	mid := x + width/2
	widget.Place(l.mic, mid-widget.RoundSize-6, by, widget.RoundSize, widget.RoundSize)
	widget.Place(l.camera, mid+6, by, widget.RoundSize, widget.RoundSize)
	return y + height
}

func (l *lobby) placeCards(x, y, width float32, columns int) float32 {
	if columns == 1 {
		for _, c := range l.cards {
			h := c.HeightFor(width)
			widget.Place(c, x, y, width, h)
			y += h + widget.Space3
		}
		return y - widget.Space3
	}
	left := func(i int) float32 { return floor(float32(i) * (width + widget.Space3) / float32(columns)) }
	wide := func(i int) float32 { return left(i+1) - left(i) - widget.Space3 }
	h := float32(0)
	for i, c := range l.cards {
		h = max(h, c.HeightFor(wide(i)))
	}
	for i, c := range l.cards {
		widget.Place(c, x+left(i), y, wide(i), h)
	}
	return y + h
}

func (l *lobby) placeDoor(x, y, width float32) float32 {
	y = l.placeTitle(x, y, width)
	y = l.placeWho(x, y, width) + widget.Space4
	y = l.placeNotice(x, y, width) + widget.Space2
	widget.Place(l.label, x, y, width, widget.Caption.Line)
	widget.Place(l.name, x, y+22, width, 40)
	y += 22 + 40 + widget.Space4
	widget.Place(l.join, x, y, width, joinHeight)
	return l.placeBack(x, y+joinHeight+widget.Space3, width)
}

func (l *lobby) placeTitle(x, y, width float32) float32 {
	widget.Place(l.title, x, y, width, widget.Heading.Line)
	y += 42
	cw := l.code.Width()
	widget.Place(l.code, x, y, cw, widget.Code.Line)
	widget.PlaceMin(l.copy, x+cw+widget.Space2, y-6)
	return y + 44
}

// placeWho places the avatars of those who are there, and their names beside them.
func (l *lobby) placeWho(x, y, width float32) float32 {
	text := x
	for i := range l.shown {
		widget.Place(l.faces[i], x+float32(i)*28, y, 36, 36)
		text = x + float32(i)*28 + 36 + widget.Space3
	}
	room := x + width - text
	h := l.who.HeightFor(room)
	if h == 0 {
		return y
	}
	widget.Place(l.who, text, y+max(36-h, 0)/2, room, h)
	return y + max(36, h)
}

// placeNotice places the notice. It takes no room while it is empty.
func (l *lobby) placeNotice(x, y, width float32) float32 {
	if l.dismiss.Visible() {
		width -= widget.Target + widget.Space3
	}
	h := l.notice.HeightFor(width)
	widget.Place(l.notice, x, y, width, h)
	widget.PlaceMin(l.dismiss, x+width+widget.Space2, y+min(h, widget.Body.Line)/2-(widget.Target+4)/2)
	if h == 0 {
		return y
	}
	return y + h + widget.Space3
}

func (l *lobby) placeBack(x, y, width float32) float32 {
	widget.Place(l.back, x, y, width, 40)
	y += 40 + widget.Space5
	w := l.e2e.Width() + 16 + 6
	widget.Place(l.lock, x, y, 16, 16)
	widget.Place(l.e2e, x+22, y, w, 16)
	return y + 16
}
