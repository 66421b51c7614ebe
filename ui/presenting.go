package ui

import (
	"fyne.io/fyne/v2"

	"parley/media/call"
	"parley/ui/widget"
)

// presentingBar is the bar above the tiles while we share a screen, with the button that stops it.
type presentingBar struct {
	w    *Window
	box  *widget.Box
	icon *widget.Icon
	text *widget.Label
	stop *widget.Button
}

func newPresentingBar(w *Window) *presentingBar {
	p := &presentingBar{
		w: w, box: widget.NewBox(widget.Surface2, widget.Accent, widget.RadiusTile),
		icon: widget.NewIcon("screen", widget.Accent, 18),
		text: widget.NewLabel("", widget.BodyMedium, widget.Text1),
	}
	p.stop = widget.NewButton(say("presenting.stop"), "", widget.Danger, widget.Target, func() { w.do(call.StopScreen{}) })
	p.show(false)
	return p
}

func (p *presentingBar) objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{p.box, p.icon, p.text, p.stop}
}

func (p *presentingBar) show(on bool) {
	for _, o := range p.objects() {
		widget.Show(o, on)
	}
}

func (p *presentingBar) update(st call.State) {
	p.show(st.Screen.On)
	p.text.SetText(presentingText(st.Screen))
}

// presentingText says what is shared and how.
func presentingText(l call.Local) string {
	name := fill{"Name": l.Device.Name}
	switch {
	case !l.Live || l.Device.Name == "":
		return say("presenting.starting")
	case l.Hidden:
		return sayWith("presenting.minimised", name)
	case l.Sound:
		return sayWith("presenting.with-sound", name)
	}
	return sayWith("presenting.on", name)
}

// place puts the bar at the top of a and returns the rest.
func (p *presentingBar) place(a rect) rect {
	if !p.box.Visible() {
		return a
	}
	const high = 48
	stop := p.stop.MinSize().Width
	extra := widget.Space4 + 18 + widget.Space2 + widget.Space3 + stop + widget.Space2
	text := min(p.text.Width()+1, min(a.w, 640)-extra)
	x, y := floor(a.x+(a.w-text-extra)/2), a.y
	widget.Place(p.box, x, y, text+extra, high)
	widget.Place(p.icon, x+widget.Space4, y+(high-18)/2, 18, 18)
	widget.Place(p.text, x+widget.Space4+18+widget.Space2, y+(high-20)/2, text, 20)
	widget.Place(p.stop, x+text+extra-widget.Space2-stop, y+(high-widget.Target)/2, stop, widget.Target)
	return a.below(high)
}
