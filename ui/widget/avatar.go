package widget

import (
	"hash/fnv"
	"image/color"
	"strings"
	"unicode"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fw "fyne.io/fyne/v2/widget"
)

// Avatar is a person's initials on a circle in the person's colour.
type Avatar struct {
	fw.BaseWidget
	name   string
	disc   *canvas.Circle
	text   *canvas.Text
	border float32
}

// NewAvatar makes an avatar; border is the width of a rim in the background's colour, which
// sets overlapping avatars apart.
func NewAvatar(name string, border float32) *Avatar {
	a := &Avatar{disc: &canvas.Circle{}, text: canvas.NewText("", color.White), border: border}
	a.text.FontSource = interSemiBold
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
	a.text.Text = Initials(a.name)
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

// PersonColor is the colour that goes with a name, always the same one.
func PersonColor(name string) color.NRGBA {
	h := fnv.New32a()
	_, _ = h.Write([]byte(strings.ToLower(strings.TrimSpace(name))))
	return people[h.Sum32()%uint32(len(people))]
}

// Initials are the first letters of the first and the last word of a name, or ? where there
// is no letter or digit.
func Initials(name string) string {
	var letters []rune
	for _, word := range strings.Fields(name) {
		for _, r := range word {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				letters = append(letters, unicode.ToUpper(r))
				break
			}
		}
	}
	switch len(letters) {
	case 0:
		return "?"
	case 1:
		return string(letters)
	}
	return string([]rune{letters[0], letters[len(letters)-1]})
}
