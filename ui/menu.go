package ui

import (
	"slices"

	"fyne.io/fyne/v2"

	"parley/media"
	"parley/media/call"
	"parley/ui/widget"
)

// openMenu is an open menu and the function that creates its items.
type openMenu struct {
	w     *Window
	menu  *widget.Menu
	items func() []widget.Item
	shown []widget.Item
	back  fyne.Focusable // had the focus before
}

// openMenu shows a menu at anchor. items is called again whenever the state changes.
func (w *Window) openMenu(anchor fyne.CanvasObject, above bool, items func() []widget.Item) {
	w.menu.close()
	m := &openMenu{w: w, items: items, back: w.win.Canvas().Focused()}
	w.menu = m
	m.menu = widget.ShowMenu(w.win.Canvas(), anchor, above, m.closing(), func() { m.close() })
}

// closing wraps the items: each closes the menu before it acts.
func (m *openMenu) closing() []widget.Item {
	items := m.items()
	m.shown = slices.Clone(items)
	for i := range items {
		if tap := items[i].OnTap; tap != nil {
			items[i].OnTap = func() {
				if m.close() {
					tap()
				}
			}
		}
	}
	return items
}

// update redraws an open menu if its items changed.
func (m *openMenu) update() {
	if m == nil || m.w.menu != m {
		return
	}
	same := func(a, b widget.Item) bool { return a.Label == b.Label && a.Checked == b.Checked }
	if !slices.EqualFunc(m.items(), m.shown, same) {
		m.menu.SetItems(m.closing())
	}
}

// close removes the menu and reports whether there was one.
func (m *openMenu) close() bool {
	if m == nil || m.w.menu != m {
		return false
	}
	m.w.menu = nil
	c := m.w.win.Canvas()
	m.menu.Close(c)
	if m.back != nil {
		m.w.focus(m.back)
	}
	return true
}

func (w *Window) local(kind media.Kind) call.Local {
	switch kind {
	case media.Microphone:
		return w.state.Mic
	case media.Speaker:
		return w.state.Speaker
	case media.Screen:
		return w.state.Screen
	}
	return w.state.Camera
}

// deviceItems lists the devices of one kind, except screens.
func (w *Window) deviceItems(kind media.Kind) []widget.Item {
	local := w.local(kind)
	choose := func(id string) func() {
		return func() { w.do(call.Choose{Kind: kind, ID: id}) }
	}
	var items []widget.Item
	found := local.Choice == media.SpecDefault || local.Choice == ""
	items = append(items, widget.Item{Label: say("menu.default"), Checked: found, OnTap: choose(media.SpecDefault)})
	for _, d := range w.state.Devices[kind] {
		checked := local.Choice == d.ID
		found = found || checked
		items = append(items, widget.Item{Label: d.Name, Checked: checked, OnTap: choose(d.ID)})
	}
	if !found && local.Device.Name != "" { // not in the list: a file
		items = append(items, widget.Item{Label: local.Device.Name, Checked: true, OnTap: choose(local.Choice)})
	}
	return items
}

// testSpeaker plays a sound, unless one is playing.
func (w *Window) testSpeaker() {
	if !w.state.Speaker.Testing {
		w.do(call.TestSpeaker{})
	}
}

// soundItems are the switches for microphone processing. One that has no effect in this build is not shown.
func (w *Window) soundItems() []widget.Item {
	s := w.prefs.Sound() // the last choice, which the state may not show yet
	set := func(s call.Sound) func() {
		return func() { w.do(call.SetSound{Sound: s}) }
	}
	items := []widget.Item{{Label: say("menu.sound")}}
	if !w.state.NoiseStays {
		items = append(items, widget.Item{
			Label: say("menu.noise"), Checked: s.Noise && !s.Original, OnTap: set(call.Sound{Noise: s.Original || !s.Noise}),
		})
	}
	return append(items, widget.Item{
		Label: say("menu.original"), Checked: s.Original, OnTap: set(call.Sound{Noise: s.Noise, Original: !s.Original}),
	})
}

// cardItems is the menu of a device card in the lobby.
func (w *Window) cardItems(kind media.Kind) []widget.Item {
	items := w.deviceItems(kind)
	switch kind {
	case media.Microphone:
		items = append(items, w.soundItems()...)
	case media.Speaker:
		label := say("speaker.test")
		if w.state.Speaker.Testing {
			label = say("speaker.playing")
		}
		items = append(items, widget.Item{Label: label, Icon: "speaker", OnTap: w.testSpeaker})
	}
	return items
}

// networkItems are the switches for how we connect to others.
func (w *Window) networkItems() []widget.Item {
	hidden := w.state.AddressHidden
	return []widget.Item{
		{Label: say("menu.network")},
		{Label: say("menu.hide-address"), Checked: hidden, OnTap: func() { w.do(call.HideAddress{On: !hidden}) }},
	}
}

// settingItems is the menu of the button "More".
func (w *Window) settingItems() []widget.Item {
	var items []widget.Item
	if w.stage.narrow {
		items = append(items, w.stage.moreItems()...)
	}
	for _, kind := range []media.Kind{media.Microphone, media.Camera, media.Speaker} {
		items = append(items, widget.Item{Label: say("device." + kind.String())})
		items = append(items, w.cardItems(kind)...)
	}
	items = append(items, w.networkItems()...)
	items = append(items, widget.Item{Label: say("menu.colours")})
	for _, m := range []struct {
		mode widget.Mode
		name string
	}{{widget.System, say("menu.colours.system")}, {widget.Dark, say("menu.colours.dark")}, {widget.Light, say("menu.colours.light")}} {
		items = append(items, widget.Item{
			Label: m.name, Checked: w.prefs.Theme() == m.mode, OnTap: func() { w.setTheme(m.mode) },
		})
	}
	return items
}
