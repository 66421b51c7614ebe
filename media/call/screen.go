package call

import "parley/media"

// openScreen opens a screen as the user wants it captured.
func (x *executor) openScreen(o media.ScreenOptions) func(id string) (media.VideoSource, error) {
	return func(id string) (media.VideoSource, error) { return x.cfg.Devices.OpenScreen(id, o) }
}
