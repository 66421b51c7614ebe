//go:build !linux && !windows

package device

import "parley/media"

// pictures is empty: cameras and screens of this system are missing (docs/PLATFORMS.md).
func pictures(media.PixelConverter) []driver { return nil }
