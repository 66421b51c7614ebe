package widget

import (
	"bytes"
	"os"
	"strings"
	"sync"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
	gotext "github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/font/opentype"
	"github.com/go-text/typesetting/font/opentype/tables"
	"github.com/go-text/typesetting/fontscan"
)

// coverage is the set of code points in a font.
type coverage struct{ cmap gotext.Cmap }

// Contains reports whether the font has a code point.
func (c coverage) Contains(r rune) bool {
	if c.cmap == nil {
		return false
	}
	_, ok := c.cmap.Lookup(r)
	return ok
}

var coverages sync.Map // by fyne.Resource

// coverageOf reads only the font's character map: loading a whole emoji font takes megabytes.
func coverageOf(f fyne.Resource) coverage {
	if c, ok := coverages.Load(f); ok {
		return c.(coverage)
	}
	var c coverage
	if ld, err := opentype.NewLoader(bytes.NewReader(f.Content())); err == nil {
		if raw, err := ld.RawTable(opentype.MustNewTag("cmap")); err == nil {
			if table, _, err := tables.ParseCmap(raw); err == nil {
				c.cmap, _, _ = gotext.ProcessCmap(table, tables.FPNone)
			}
		}
	}
	coverages.Store(f, c)
	return c
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// systemFonts are the installed fonts. The toolkit searches the same list; the process has one copy.
var systemFonts = sync.OnceValue(func() []fontscan.Footprint {
	list, err := fontscan.SystemFonts(quiet{}, "")
	if err != nil {
		return nil // as in the toolkit: only embedded fonts
	}
	return list
})

var known sync.Map // by code point: whether an installed font has it

func systemHas(r rune) bool {
	if has, ok := known.Load(r); ok {
		return has.(bool)
	}
	has := false
	for _, f := range systemFonts() {
		if f.Runes.Contains(r) {
			has = true
			break
		}
	}
	known.Store(r, has)
	return has
}

// colourFont is an installed font with colour emoji.
type colourFont struct {
	runes fontscan.RuneSet
	font  fyne.Resource
}

var colourFonts = sync.OnceValue(func() []colourFont {
	var out []colourFont
	for _, f := range systemFonts() {
		if strings.Contains(f.Family, "emoji") && drawable(f.Location.File) {
			// For letters that a font lacks, the toolkit searches the family of the font's name.
			name := fyne.NewStaticResource(f.Family, theme.DefaultSymbolFont().Content())
			out = append(out, colourFont{f.Runes, name})
		}
	}
	return out
})

// drawable reports whether the toolkit can draw a font's colour glyphs: bitmaps and SVG. For a font that has only
// layered outlines (COLR) it draws nothing.
func drawable(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	ld, err := opentype.NewLoader(f)
	if err != nil {
		return false
	}
	for _, tag := range []string{"CBDT", "sbix", "SVG "} {
		if ld.HasTable(opentype.MustNewTag(tag)) {
			return true
		}
	}
	return false
}

// emojiFont is the font that has all of a cluster in colour: an installed one, or the toolkit's own, which has no
// emoji newer than 2016. It is nil if neither has it.
func emojiFont(cluster []rune) fyne.Resource {
	for _, f := range colourFonts() {
		if all(cluster, f.runes.Contains) {
			return f.font
		}
	}
	if toolkitEmoji != nil && all(cluster, coverageOf(toolkitEmoji).Contains) {
		return toolkitEmoji
	}
	return nil
}

func all(cluster []rune, has func(rune) bool) bool {
	for _, r := range cluster {
		if !joiner(r) && !has(r) {
			return false
		}
	}
	return true
}
