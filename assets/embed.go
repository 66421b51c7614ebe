// Package assets embeds the fonts, icons and words of the window.
package assets

import "embed"

// Fonts holds Inter, under the SIL Open Font License that stands beside it.
//
//go:embed fonts/*.otf fonts/OFL.txt
var Fonts embed.FS

// Icons holds the line icons: a 24-unit grid, a stroke of 1.75 in currentColor.
//
//go:embed icons/*.svg
var Icons embed.FS

// Icon is the app's picture, 512 pixels square, made from IconSVG.
//
//go:embed icon.png
var Icon []byte

// IconSVG is the drawing that Icon was made from.
//
//go:embed icon.svg
var IconSVG []byte

// Words holds the window's texts: one JSON file for each language, named by its tag (BCP 47).
//
//go:embed words/*.json
var Words embed.FS
