package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"parley/media"
	"parley/media/call"
)

// bindKeys binds the shortcuts: Ctrl+D microphone, Ctrl+E camera, Ctrl+Alt+C chat, Escape closes what is
// open, Page Up and Page Down turn the grid's pages, and holding Space is push-to-talk.
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

// toggle switches the microphone or camera, in the lobby and in a meeting.
func (w *Window) toggle(kind media.Kind) {
	switch w.state.Phase {
	case call.Lobby, call.Joining, call.Waiting, call.Live, call.Reconnecting:
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

// keyDown and keyUp are called only while nothing has the focus: in a field Space types a space, and on a focused
// button it presses the button.
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

// stopTalking ends push-to-talk: when Space is released, and when the window loses the keyboard and would miss
// the release.
func (w *Window) stopTalking() {
	if !w.talking {
		return
	}
	w.talking = false
	w.send(call.Turn{Kind: media.Microphone, On: false})
}
