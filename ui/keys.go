package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"parley/media"
	"parley/media/call"
)

// bindKeys connects the keyboard: Ctrl+D microphone, Ctrl+E camera, Ctrl+Alt+C chat,
// Escape closes what is open, Page Up and Down turn the grid's pages, Space held down
// talks while muted.
func (w *Window) bindKeys() {
	c := w.win.Canvas()
	bind := func(key fyne.KeyName, mod fyne.KeyModifier, f func()) {
		c.AddShortcut(&desktop.CustomShortcut{KeyName: key, Modifier: mod}, func(fyne.Shortcut) { f() })
	}
	bind(fyne.KeyD, fyne.KeyModifierControl, func() { w.toggle(media.Microphone) })
	bind(fyne.KeyE, fyne.KeyModifierControl, func() { w.toggle(media.Camera) })
	bind(fyne.KeyC, fyne.KeyModifierControl|fyne.KeyModifierAlt, func() {
		if w.screen == w.stage {
			w.stage.togglePanel(chatPanel)
		}
	})
	c.SetOnTypedKey(w.typed)
	if d := w.desktopCanvas(); d != nil {
		d.SetOnKeyDown(w.keyDown)
		d.SetOnKeyUp(w.keyUp)
	}
}

// toggle switches the microphone or camera, where there is one to switch.
func (w *Window) toggle(kind media.Kind) {
	switch w.state.Phase {
	case call.Lobby, call.Joining, call.Live, call.Reconnecting:
	default:
		return
	}
	w.talking = false
	w.do(call.Turn{Kind: kind, On: !w.on(kind)})
}

func (w *Window) typed(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyEscape:
		switch {
		case w.question.refuse():
		case w.menu.close():
		case w.sharing.escape():
		case w.screen == w.stage:
			w.stage.closePanel()
		}
	case fyne.KeyPageUp, fyne.KeyPageDown:
		if w.screen == w.stage {
			w.stage.turnPage(map[fyne.KeyName]int{fyne.KeyPageUp: -1, fyne.KeyPageDown: 1}[e.Name])
		}
	}
}

// keyDown and keyUp hear keys only while nothing has the focus: Space typed into a field
// is a space, and presses the button that Tab has come to.
func (w *Window) keyDown(e *fyne.KeyEvent) {
	if e.Name != fyne.KeySpace || w.screen != w.stage || w.on(media.Microphone) || w.talking {
		return
	}
	w.talking = true
	w.send(call.Turn{Kind: media.Microphone, On: true})
}

func (w *Window) keyUp(e *fyne.KeyEvent) {
	if e.Name == fyne.KeySpace {
		w.stopTalking()
	}
}

// stopTalking mutes again what keyDown let through: when Space comes up, and also when the
// window will not hear that because it lost the keyboard.
func (w *Window) stopTalking() {
	if !w.talking {
		return
	}
	w.talking = false
	w.send(call.Turn{Kind: media.Microphone, On: false})
}
