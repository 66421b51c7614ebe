package device

import (
	"parley/media"
	"parley/media/device/gdi"
)

// pictures are the drivers of this system's screens. Cameras are missing (docs/PLATFORMS.md).
func pictures(convert media.PixelConverter) []driver { return []driver{gdi.New(convert)} }
