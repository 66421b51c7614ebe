package call

import (
	"image"
	"time"

	"parley/media"
	"parley/media/pipe"
)

// Shareables is what the user can share now. Names may be document titles and previews show the screen:
// both are for the user's eyes only.
type Shareables struct {
	Known   bool // the list was fetched
	List    []media.Shareable
	Problem Problem // why the list is empty
}

const (
	// browsePause is the time between two lookups of what can be shared.
	browsePause = 2 * time.Second
	// previewWidth and previewHeight bound the previews. The user draws regions on them.
	previewWidth, previewHeight = 640, 400
)

// browse starts or stops looking up what can be shared.
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

// browse looks up what can be shared.
func (x *executor) browse(e browse) {
	list, err := x.cfg.Devices.Shareables(image.Pt(previewWidth, previewHeight))
	x.put(browsed{e.round, list, err})
}

// openScreen opens a screen for capture and sets the encoder accordingly: text keeps every pixel, a film
// every frame.
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

// motionFrameRate is enough for films, in frames a second.
const motionFrameRate = 30
