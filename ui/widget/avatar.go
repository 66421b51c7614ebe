package widget

import (
	"hash/fnv"
	"image/color"
	"slices"
	"strings"
	"unicode"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fw "fyne.io/fyne/v2/widget"
	"github.com/rivo/uniseg"
)

// Avatar is a person's initials on a circle in the person's colour.
type Avatar struct {
	fw.BaseWidget
	name   string
	disc   *canvas.Circle
	text   *canvas.Text
	border float32
}

// NewAvatar makes an avatar. border is the width of a rim in the background's colour, which separates
// overlapping avatars.
func NewAvatar(name string, border float32) *Avatar {
	a := &Avatar{disc: &canvas.Circle{}, text: canvas.NewText("", color.White), border: border}
	a.text.Alignment = fyne.TextAlignCenter
	a.ExtendBaseWidget(a)
	a.name = name
	a.paint()
	return a
}

// SetName changes the person.
func (a *Avatar) SetName(name string) {
	if a.name == name {
		return
	}
	a.name = name
	a.Refresh()
}

func (a *Avatar) paint() {
	a.disc.FillColor = PersonColor(a.name)
	a.disc.StrokeWidth, a.disc.StrokeColor = a.border, colorOf(Background)
	a.text.Text, a.text.FontSource = "?", interSemiBold
	// A line of the toolkit has one font. If the initials need several, only the first run is drawn.
	first := slices.MinFunc(runs(Initials(a.name), interSemiBold), func(a, b run) int { return a.at - b.at })
	if first.font != nil {
		a.text.Text, a.text.FontSource = first.shown(), first.font
	}
}

// CreateRenderer is for Fyne.
func (a *Avatar) CreateRenderer() fyne.WidgetRenderer {
	return &renderer{
		objects: []fyne.CanvasObject{a.disc, a.text},
		layout: func(s fyne.Size) {
			a.disc.Resize(s)
			a.text.TextSize = max(s.Height*0.38, 9)
			a.text.Resize(s)
			a.text.Refresh()
		},
		refresh: func() { a.paint(); a.disc.Refresh(); a.text.Refresh() },
	}
}

// PersonColor is the colour for a name. The same name always has the same colour.
func PersonColor(name string) color.NRGBA {
	h := fnv.New32a()
	_, _ = h.Write([]byte(strings.ToLower(strings.TrimSpace(name))))
	return people[h.Sum32()%uint32(len(people))]
}

// Initials are the first letters of the first and the last word of a name. A letter is what a reader sees as
// one: with its combining marks, or an emoji. A leading emoji is used alone. Without any letter, the result is
// "?".
func Initials(name string) string {
	var letters []string
	for word := range strings.FieldsSeq(name) {
		for g := uniseg.NewGraphemes(word); g.Next(); {
			if c := g.Runes(); unicode.IsLetter(c[0]) || unicode.IsDigit(c[0]) || emoji(c) {
				letters = append(letters, strings.ToUpper(g.Str()))
				break
			}
		}
	}
	switch len(letters) {
	case 0:
		return "?"
	case 1:
		return letters[0]
	}
	if emoji([]rune(letters[0])) {
		return letters[0] // a leading emoji is used alone
	}
	return letters[0] + letters[len(letters)-1]
}
