package device

import (
	"parley/media"
	"parley/media/device/v4l2"
	"parley/media/device/x11"
)

// pictures are the drivers of this system's cameras and screens.
func pictures(convert media.PixelConverter) []driver {
	return []driver{v4l2.New(convert), x11.New(convert)}
}
