package device

import (
	"parley/media"
	"parley/media/device/gdi"
	"parley/media/device/mf"
)

// pictures are the drivers of this system's cameras and screens.
func pictures(convert media.PixelConverter) []driver {
	return []driver{mf.New(convert), gdi.New(convert)}
}
