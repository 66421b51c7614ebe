package widget

import (
	"bytes"
	"fmt"
	"image/color"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fw "fyne.io/fyne/v2/widget"

	"parley/assets"
)

// strokeUnits is the width of the icons' lines, in units of their 24-unit grid.
const strokeUnits = 1.75

// Icon is a line icon in a theme colour.
type Icon struct {
	fw.BaseWidget
	img   *canvas.Image
	name  string
	color fyne.ThemeColorName
	size  float32
}

// NewIcon makes the icon assets/icons/NAME.svg, size wide and high.
func NewIcon(name string, color fyne.ThemeColorName, size float32) *Icon {
	i := &Icon{img: &canvas.Image{FillMode: canvas.ImageFillContain}, name: name, color: color, size: size}
	i.ExtendBaseWidget(i)
	return i
}

// Set changes icon and colour.
func (i *Icon) Set(name string, color fyne.ThemeColorName) {
	if i.name == name && i.color == color {
		return
	}
	i.name, i.color = name, color
	i.Refresh()
}

// CreateRenderer is for Fyne.
func (i *Icon) CreateRenderer() fyne.WidgetRenderer {
	paint := func() {
		i.img.Resource = iconResource(i.name, colorOf(i.color), i.size*scaleOf(i))
		i.img.Image = nil
		i.img.Refresh()
	}
	paint()
	return &renderer{
		objects: []fyne.CanvasObject{i.img},
		layout: func(s fyne.Size) {
			Place(i.img, (s.Width-i.size)/2, (s.Height-i.size)/2, i.size, i.size)
		},
		min:     func() fyne.Size { return fyne.NewSquareSize(i.size) },
		refresh: paint,
	}
}

func scaleOf(o fyne.CanvasObject) float32 {
	if c := fyne.CurrentApp().Driver().CanvasForObject(o); c != nil {
		return c.Scale()
	}
	return 1
}

type iconKey struct {
	name  string
	color color.Color
	px    int
}

// icons caches coloured icons. Like all drawing, it belongs to the UI goroutine.
var icons = map[iconKey]fyne.Resource{}

// iconResource colours an icon. Fyne's SVG painter scales shapes but not strokes, so the stroke width is set for
// the size in pixels.
func iconResource(name string, c color.Color, px float32) fyne.Resource {
	key := iconKey{name, c, int(math.Round(float64(px)))}
	if r, ok := icons[key]; ok {
		return r
	}
	svg, err := assets.Icons.ReadFile("icons/" + name + ".svg")
	if err != nil {
		panic(err) // embedded: only a bug has a wrong name
	}
	r, g, b, _ := c.RGBA()
	hex := fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
	stroke := strokeUnits * math.Max(float64(key.px), 17) / 24 // thinner than 1.25 px would vanish
	svg = bytes.ReplaceAll(svg, []byte("currentColor"), []byte(hex))
	svg = bytes.ReplaceAll(svg, []byte(`stroke-width="1.75"`), fmt.Appendf(nil, `stroke-width="%.2f"`, stroke))
	res := fyne.NewStaticResource(fmt.Sprintf("%s-%s-%d.svg", name, hex, key.px), svg)
	icons[key] = res
	return res
}

// Logo is the app's logo.
type Logo struct {
	fw.BaseWidget
	img  *canvas.Image
	size float32
}

// NewLogo makes the logo, size wide and high.
func NewLogo(size float32) *Logo {
	l := &Logo{img: &canvas.Image{FillMode: canvas.ImageFillContain}, size: size}
	l.ExtendBaseWidget(l)
	return l
}

// CreateRenderer is for Fyne.
func (l *Logo) CreateRenderer() fyne.WidgetRenderer {
	paint := func() {
		svg := recolor(assets.IconSVG, palette[Accent][0], colorOf(Accent))
		svg = recolor(svg, palette[OnAccent][0], colorOf(OnAccent))
		l.img.Resource = fyne.NewStaticResource(fmt.Sprintf("logo-%v.svg", colorOf(Accent)), svg)
		l.img.Image = nil
		l.img.Refresh()
	}
	paint()
	return &renderer{
		objects: []fyne.CanvasObject{l.img},
		layout:  l.img.Resize,
		min:     func() fyne.Size { return fyne.NewSquareSize(l.size) },
		refresh: paint,
	}
}

func recolor(svg []byte, from, to color.Color) []byte {
	hex := func(c color.Color) []byte {
		r, g, b, _ := c.RGBA()
		return fmt.Appendf(nil, "#%02x%02x%02x", r>>8, g>>8, b>>8)
	}
	return bytes.ReplaceAll(svg, hex(from), hex(to))
}
