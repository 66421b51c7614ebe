package ui

import (
	"time"

	"fyne.io/fyne/v2"

	"parley/ui/widget"
)

// topHeight is the height of the top bar. Every screen except the stage has one.
const topHeight float32 = 88

// topbar shows the app's name, the time, and the switch between dark and light.
type topbar struct {
	w     *Window
	logo  *widget.Logo
	name  *widget.Label
	clock *widget.Label
	theme *widget.RoundButton
}

func newTopbar(w *Window) *topbar {
	return &topbar{
		w: w, logo: widget.NewLogo(28), name: widget.NewLabel("Parley", widget.Title, widget.Text1),
		clock: widget.NewLabel("", widget.Body, widget.Text2),
		theme: widget.NewSmallButton(say("topbar.light"), "sun", w.toggleTheme),
	}
}

func (t *topbar) parts() []fyne.CanvasObject {
	return []fyne.CanvasObject{t.logo, t.name, t.clock, t.theme}
}

func (t *topbar) update() {
	if t.w.light() {
		t.theme.Set(say("topbar.dark"), "moon", widget.Ghost)
	} else {
		t.theme.Set(say("topbar.light"), "sun", widget.Ghost)
	}
	t.pulse(t.w.now())
}

func (t *topbar) pulse(now time.Time) bool {
	text := dated("clock", now)
	if t.clock.Text() == text {
		return false
	}
	t.clock.SetText(text)
	return true
}

func (t *topbar) place(s fyne.Size) {
	y := float32(44)
	if s.Height < 480 {
		y = 32
	}
	widget.Place(t.logo, widget.Space5, y-14, 28, 28)
	widget.PlaceMin(t.name, 64, y-12)
	widget.Place(t.theme, s.Width-66, y-18, 36, 36)
	width := t.clock.Width()
	widget.Place(t.clock, s.Width-84-width, y-10, width, 20)
}

// bottom is the top bar's lower edge, where a screen's content begins.
func (t *topbar) bottom(s fyne.Size) float32 {
	if s.Height < 480 {
		return 64
	}
	return topHeight
}
