package widget

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"parley/assets"
)

// Mode selects the window's palette.
type Mode uint8

// The modes.
const (
	System Mode = iota // follows the desktop
	Dark
	Light
)

// The theme's colours, by role.
const (
	Background fyne.ThemeColorName = "background"
	Surface1   fyne.ThemeColorName = "surface1"
	Surface2   fyne.ThemeColorName = "surface2"
	Surface3   fyne.ThemeColorName = "surface3"
	Line       fyne.ThemeColorName = "line"
	Text1      fyne.ThemeColorName = "text1"
	Text2      fyne.ThemeColorName = "text2"
	Text3      fyne.ThemeColorName = "text3"
	Accent     fyne.ThemeColorName = "accent"
	OnAccent   fyne.ThemeColorName = "onAccent"
	Warning    fyne.ThemeColorName = "warning"
	Error      fyne.ThemeColorName = "error"
	OnError    fyne.ThemeColorName = "onError"

	// Colours over pictures are the same in both palettes.
	Picture      fyne.ThemeColorName = "picture"      // chips and buttons over a picture
	OnPicture    fyne.ThemeColorName = "onPicture"    // their text
	PictureOff   fyne.ThemeColorName = "pictureOff"   // their icon for "off"
	PictureAlert fyne.ThemeColorName = "pictureAlert" // their icon for a problem
	Notice       fyne.ThemeColorName = "notice"       // the banner
	NoticeLine   fyne.ThemeColorName = "noticeLine"
	OnNotice     fyne.ThemeColorName = "onNotice"

	None fyne.ThemeColorName = "none"
)

// The theme's spaces and sizes, in canvas units.
const (
	Space1 float32 = 4
	Space2 float32 = 8
	Space3 float32 = 12
	Space4 float32 = 16
	Space5 float32 = 24
	Space6 float32 = 32

	RadiusChip  float32 = 6
	RadiusTile  float32 = 12
	RadiusPanel float32 = 20

	RoundSize float32 = 48 // round buttons
	BarHeight float32 = 72 // the stage's bottom bar
	Target    float32 = 32 // minimum size of anything to press
)

func rgb(v uint32) color.NRGBA {
	return color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 0xff}
}

func rgba(v uint32, a uint8) color.NRGBA {
	c := rgb(v)
	c.A = a
	return c
}

var palette = map[fyne.ThemeColorName][2]color.NRGBA{ // dark, light
	Background:   {rgb(0x0d1014), rgb(0xf6f7f9)},
	Surface1:     {rgb(0x151a20), rgb(0xffffff)},
	Surface2:     {rgb(0x1d232b), rgb(0xeef1f4)},
	Surface3:     {rgb(0x28303a), rgb(0xe1e6eb)},
	Line:         {rgb(0x2a323c), rgb(0xdde2e8)},
	Text1:        {rgb(0xeef2f6), rgb(0x14191f)},
	Text2:        {rgb(0x9aa7b4), rgb(0x5a6773)},
	Text3:        {rgb(0x6b7885), rgb(0x8894a0)},
	Accent:       {rgb(0x37c6a0), rgb(0x0a7d61)},
	OnAccent:     {rgb(0x06281f), rgb(0xffffff)},
	Warning:      {rgb(0xf2b84b), rgb(0x9a6a00)},
	Error:        {rgb(0xef5b66), rgb(0xc9313f)},
	OnError:      {rgb(0xffffff), rgb(0xffffff)},
	Picture:      {rgba(0x090c0f, 184), rgba(0x090c0f, 184)},
	OnPicture:    {rgb(0xffffff), rgb(0xffffff)},
	PictureOff:   {rgb(0xff8f97), rgb(0xff8f97)},
	PictureAlert: {rgb(0xf2b84b), rgb(0xf2b84b)},
	Notice:       {rgba(0x33270f, 245), rgba(0x33270f, 245)},
	NoticeLine:   {rgb(0x5c4414), rgb(0x5c4414)},
	OnNotice:     {rgb(0xfad28a), rgb(0xfad28a)},
	None:         {{}, {}},
}

// toolkit maps the colours of Fyne's own widgets to roles. Entries are inside a Field, which draws their box.
var toolkit = map[fyne.ThemeColorName]fyne.ThemeColorName{
	theme.ColorNameBackground:          Background,
	theme.ColorNameForeground:          Text1,
	theme.ColorNameInputBackground:     None,
	theme.ColorNameInputBorder:         None,
	theme.ColorNamePlaceHolder:         Text2,
	theme.ColorNameDisabled:            Text3,
	theme.ColorNamePrimary:             Accent,
	theme.ColorNameForegroundOnPrimary: OnAccent,
	theme.ColorNameHyperlink:           Accent,
	theme.ColorNameError:               Error,
	theme.ColorNameWarning:             Warning,
	theme.ColorNameSuccess:             Accent,
	theme.ColorNameMenuBackground:      Surface2,
	theme.ColorNameOverlayBackground:   Surface2,
	theme.ColorNameButton:              Surface2,
	theme.ColorNameHover:               Surface3,
	theme.ColorNamePressed:             Surface3,
	theme.ColorNameScrollBar:           Surface3,
	theme.ColorNameScrollBarBackground: None,
	theme.ColorNameSeparator:           Line,
	theme.ColorNameShadow:              None,
}

// Theme is Parley's Fyne theme.
type Theme struct{ Mode Mode }

// Color looks up the colour of a role or of one of Fyne's own names.
func (t Theme) Color(name fyne.ThemeColorName, variant fyne.ThemeVariant) color.Color {
	if own, ok := toolkit[name]; ok {
		name = own
	}
	light := t.Mode == Light || t.Mode == System && variant == theme.VariantLight
	pair, ok := palette[name]
	switch {
	case ok && light:
		return pair[1]
	case ok:
		return pair[0]
	case name == theme.ColorNameSelection || name == theme.ColorNameFocus:
		c := t.Color(Accent, variant).(color.NRGBA)
		c.A = 80
		return c
	case light:
		return theme.DefaultTheme().Color(name, theme.VariantLight)
	}
	return theme.DefaultTheme().Color(name, theme.VariantDark)
}

// Font is Inter for text that the toolkit lays out itself: text in entries.
func (t Theme) Font(style fyne.TextStyle) fyne.Resource {
	switch {
	case style.Monospace || style.Symbol:
		return theme.DefaultTheme().Font(style)
	case style.Bold:
		return interSemiBold
	}
	return interRegular
}

// Icon returns Fyne's default icons.
func (t Theme) Icon(name fyne.ThemeIconName) fyne.Resource {
	return theme.DefaultTheme().Icon(name)
}

// Size sets the sizes inside Fyne's own widgets.
func (t Theme) Size(name fyne.ThemeSizeName) float32 {
	switch name {
	case theme.SizeNameText:
		return Body.Size
	case theme.SizeNameCaptionText:
		return Caption.Size
	case theme.SizeNameInnerPadding:
		return Space3
	case theme.SizeNamePadding:
		return Space1
	case theme.SizeNameInputBorder:
		return 0
	case theme.SizeNameScrollBar:
		return 6
	case theme.SizeNameScrollBarSmall:
		return 4
	case theme.SizeNameScrollBarRadius:
		return 3
	}
	return theme.DefaultTheme().Size(name)
}

// Style is a text style: font, size and line height.
type Style struct {
	Size, Line float32
	// Font is set explicitly, so that the toolkit loads others only for letters that it lacks. For a font from
	// the theme it would always load its own font and the system's too.
	Font fyne.Resource
}

var (
	interRegular  = font("Inter-Regular.otf")
	interMedium   = font("Inter-Medium.otf")
	interSemiBold = font("Inter-SemiBold.otf")
)

// The text styles.
var (
	Tiny       = Style{Size: 11, Line: 16, Font: interSemiBold} // badges
	Caption    = Style{Size: 12, Line: 16, Font: interRegular}
	CaptionOn  = Style{Size: 12, Line: 16, Font: interSemiBold}
	OnPictures = Style{Size: 13, Line: 18, Font: interMedium}
	Body       = Style{Size: 14, Line: 20, Font: interRegular}
	BodyMedium = Style{Size: 14, Line: 20, Font: interMedium}
	Strong     = Style{Size: 14, Line: 20, Font: interSemiBold}
	Lead       = Style{Size: 16, Line: 24, Font: interRegular}
	LeadStrong = Style{Size: 16, Line: 24, Font: interSemiBold}
	Title      = Style{Size: 18, Line: 24, Font: interSemiBold}
	Heading    = Style{Size: 28, Line: 36, Font: interSemiBold}
	Display    = Style{Size: 40, Line: 48, Font: interSemiBold}
	CodeSmall  = code(12, 16)
	Code       = code(14, 20)
	CodeLarge  = code(16, 24)
)

func code(size, line float32) Style {
	return Style{size, line, theme.DefaultTextMonospaceFont()}
}

func font(name string) fyne.Resource {
	data, err := assets.Fonts.ReadFile("fonts/" + name)
	if err != nil {
		panic(err) // embedded: cannot be missing
	}
	return fyne.NewStaticResource(name, data)
}

// colorOf is a role's colour in the current palette.
func colorOf(name fyne.ThemeColorName) color.Color {
	s := fyne.CurrentApp().Settings()
	return s.Theme().Color(name, s.ThemeVariant())
}

// people are the colours of avatars. White text is readable on each in both palettes.
var people = []color.NRGBA{
	rgb(0x3f8fa0), rgb(0x8b5cf0), rgb(0x3b82c4), rgb(0xcf6339), rgb(0x2f9a6b),
	rgb(0x6f7f2c), rgb(0xb84f8a), rgb(0x5b6fd6), rgb(0xa0703a), rgb(0x4a7f55),
}
