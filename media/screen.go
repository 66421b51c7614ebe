package media

import "image"

// ScreenOptions is how a screen, a window or a region is captured.
type ScreenOptions struct {
	Pointer bool // the mouse pointer is part of the picture
	Motion  bool // for films: up to 30 frames a second rather than 15
}

// Shareable is a screen or a window as somebody who chooses sees it. Its Name may be the
// title of a document and is for the user's eyes only.
type Shareable struct {
	Device
	Window  bool
	Size    image.Point // in pixels of the screen
	Origin  image.Point // of a screen, where it is among all screens
	Preview *image.RGBA // a small picture of it, never written to again; nil where there is none
}
