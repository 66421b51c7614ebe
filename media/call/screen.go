package call

import (
	"image"
	"time"

	"parley/media"
	"parley/media/pipe"
)

// Shareables is what the user could share now. Names may be titles of documents, and the
// pictures are what is on the screen: both are for the user's eyes only.
type Shareables struct {
	Known   bool // it was looked up
	List    []media.Shareable
	Problem Problem // why there is nothing
}

const (
	// browsePause is how long a list of what can be shared counts as fresh.
	browsePause = 2 * time.Second
	// previewWidth and previewHeight bound the pictures in it: large enough to draw a region on.
	previewWidth, previewHeight = 640, 400
)

// browse begins or ends to look at what can be shared.
func (m model) browse(c Browse) (model, []effect) {
	switch {
	case !c.On || !m.inside():
		m.Shareables, m.browsing = Shareables{}, false
		return m, nil
	case m.browsing:
		return m, nil
	}
	m.browsing = true
	m.round++
	return m, []effect{browse{m.round}}
}

func (m model) browsed(ev browsed) (model, []effect) {
	if !m.browsing || ev.round != m.round {
		return m, nil
	}
	m.Shareables = Shareables{Known: true, List: ev.list}
	if ev.err != nil {
		m.Shareables.Problem = screenProblem("", ev.err)
	}
	return m, []effect{later{browsePause, browseAgain{m.round}}}
}

func (m model) browseAgain(ev browseAgain) (model, []effect) {
	if !m.browsing || ev.round != m.round {
		return m, nil
	}
	if !m.inside() {
		return m.browse(Browse{})
	}
	m.round++
	return m, []effect{browse{m.round}}
}

// browse looks what can be shared.
func (x *executor) browse(e browse) {
	list, err := x.cfg.Devices.Shareables(image.Pt(previewWidth, previewHeight))
	x.put(browsed{e.round, list, err})
}

// openScreen opens a screen as the user wants it captured, and has it coded to match: what
// is read keeps every pixel, a film every frame.
func (x *executor) openScreen(o media.ScreenOptions) func(id string) (media.VideoSource, error) {
	limits := pipe.VideoLimits{FrameRate: screenFrameRate, Screen: true}
	if o.Motion {
		limits = pipe.VideoLimits{FrameRate: motionFrameRate}
	}
	return func(id string) (media.VideoSource, error) {
		src, err := x.cfg.Devices.OpenScreen(id, o)
		if err == nil {
			x.screen.SetLimits(limits)
		}
		return src, err
	}
}

// motionFrameRate is that of films, frames a second.
const motionFrameRate = 30
