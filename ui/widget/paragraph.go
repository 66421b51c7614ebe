package widget

import (
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	fw "fyne.io/fyne/v2/widget"
)

// Paragraph is text with links, wrapped into lines.
type Paragraph struct {
	fw.BaseWidget
	OnLink func(address string)

	text     string
	style    Style
	color    fyne.ThemeColorName
	align    fyne.TextAlign
	maxLines int // 0 is no limit

	width   float32 // for which lines were wrapped
	lines   []line
	clipped bool // the text has more than most lines
	parts   []fyne.CanvasObject
}

// NewParagraph makes a paragraph of at most `most` lines, 0 for no limit.
func NewParagraph(text string, style Style, color fyne.ThemeColorName, maxLines int) *Paragraph {
	p := &Paragraph{text: text, style: style, color: color, maxLines: maxLines}
	p.ExtendBaseWidget(p)
	return p
}

// Align sets the alignment of the text.
func (p *Paragraph) Align(a fyne.TextAlign) *Paragraph {
	p.align = a
	return p
}

// Text is the whole text.
func (p *Paragraph) Text() string { return p.text }

// Set changes text and colour. The caller must lay it out again by HeightFor.
func (p *Paragraph) Set(text string, color fyne.ThemeColorName) {
	if p.text == text && p.color == color {
		return
	}
	p.text, p.color, p.width = text, color, 0
	p.Refresh()
}

// SetMost changes the maximum number of lines.
func (p *Paragraph) SetMost(lines int) {
	p.maxLines, p.width = lines, 0
	p.Refresh()
}

// HeightFor is the height that the text takes when it is width wide.
func (p *Paragraph) HeightFor(width float32) float32 {
	if p.text == "" {
		return 0
	}
	p.set(width)
	return float32(len(p.lines)) * p.style.Line
}

func (p *Paragraph) set(width float32) {
	if p.width == width && p.lines != nil {
		return
	}
	p.width, p.lines = width, wrap(p.text, p.style, width)
	p.clipped = p.maxLines > 0 && len(p.lines) > p.maxLines
	if p.clipped {
		p.lines = p.lines[:p.maxLines]
		last := p.lines[p.maxLines-1]
		if n := len(last); n > 0 {
			s := &last[n-1]
			s.text = Ellipsize(s.text+" "+ellipsis, p.style, width-s.x)
		}
	}
	p.reorder()
	p.build()
}

// reorder lays out the lines with right-to-left text. A right-to-left paragraph is aligned to the right.
func (p *Paragraph) reorder() {
	if !bidirectional(p.text) {
		return
	}
	for i, l := range p.lines {
		right := rightToLeft(paragraphAt(p.text, l.start()))
		if !right && !slices.ContainsFunc(l, func(s span) bool { return bidirectional(s.text) }) {
			continue
		}
		l = l.reorder(p.style, right)
		if right && p.align == fyne.TextAlignLeading {
			shift := max(p.width-l.width(p.style), 0)
			for j := range l {
				l[j].x += shift
			}
		}
		p.lines[i] = l
	}
}

// paragraphAt is the paragraph of a text around a place.
func paragraphAt(text string, at int) string {
	at = min(at, len(text))
	text = text[strings.LastIndexByte(text[:at], '\n')+1:]
	text, _, _ = strings.Cut(text, "\n")
	return text
}

func (p *Paragraph) build() {
	p.parts = nil
	for i, line := range p.lines {
		y := float32(i) * p.style.Line
		for _, s := range joined(line) {
			w := textWidth(s.text, p.style)
			x := s.x
			if p.align == fyne.TextAlignCenter && len(line) > 0 {
				x += (p.width - line.width(p.style)) / 2
			}
			if s.link == "" {
				p.parts = append(p.parts, textParts(s.text, p.style, colorOf(p.color), fyne.NewPos(x, y))...)
				continue
			}
			part := newLink(s, p.style, p.OnLink)
			Place(part, x, y, w, p.style.Line)
			p.parts = append(p.parts, part)
		}
	}
}

// joined merges neighbouring words of one colour, to draw them as one object.
func joined(l line) line {
	var out line
	var words []string // words of the last span of out
	end := func() {
		if len(words) > 1 {
			out[len(out)-1].text = strings.Join(words, " ")
		}
	}
	for _, s := range l {
		if n := len(out); n > 0 && !s.reordered && s.link == "" && out[n-1].link == "" {
			words = append(words, s.text)
			continue
		}
		end()
		out, words = append(out, s), []string{s.text}
	}
	end()
	return out
}

// Parts are the objects that can have the keyboard focus.
func (p *Paragraph) Parts() []fyne.CanvasObject { return p.parts }

// MinSize is small: the layout gives the width, and HeightFor the height.
func (p *Paragraph) MinSize() fyne.Size { return fyne.NewSize(1, 1) }

// CreateRenderer is for Fyne.
func (p *Paragraph) CreateRenderer() fyne.WidgetRenderer {
	return &paragraphRenderer{p}
}

type paragraphRenderer struct{ p *Paragraph }

func (r *paragraphRenderer) Destroy()                     {}
func (r *paragraphRenderer) Objects() []fyne.CanvasObject { return r.p.parts }
func (r *paragraphRenderer) MinSize() fyne.Size           { return r.p.MinSize() }

func (r *paragraphRenderer) Layout(s fyne.Size) {
	if s.Width > 0 && r.p.width != s.Width {
		r.p.set(s.Width)
		canvas.Refresh(r.p)
	}
}

func (r *paragraphRenderer) Refresh() {
	if w := r.p.Size().Width; w > 0 {
		r.p.lines = nil
		r.p.set(w)
	}
	canvas.Refresh(r.p)
}

// link is an address within a paragraph.
type link struct {
	control
	text *Label
	line *canvas.Rectangle
}

func newLink(s span, style Style, open func(string)) *link {
	l := &link{text: NewLabel(s.text, style, Accent), line: canvas.NewRectangle(nil)}
	l.Name = s.link
	l.OnTap = func() {
		if open != nil {
			open(s.link)
		}
	}
	l.ExtendBaseWidget(l)
	return l
}

var _ desktop.Hoverable = (*link)(nil)

// CreateRenderer is for Fyne.
func (l *link) CreateRenderer() fyne.WidgetRenderer {
	paint := func() {
		l.line.FillColor = colorOf(None)
		if l.hovered || l.focused {
			l.line.FillColor = colorOf(Accent)
		}
		l.line.Refresh()
	}
	paint()
	return &renderer{
		objects: []fyne.CanvasObject{l.text, l.line},
		layout: func(s fyne.Size) {
			l.text.Resize(s)
			Place(l.line, 0, s.Height-2, s.Width, 1)
		},
		min:     func() fyne.Size { return l.text.MinSize() },
		refresh: func() { paint(); l.text.Refresh() },
	}
}

// Width is the width of the text on one line.
func (p *Paragraph) Width() float32 { return textWidth(p.text, p.style) }
