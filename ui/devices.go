package ui

import (
	"fyne.io/fyne/v2"

	"parley/media"
	"parley/media/call"
	"parley/ui/widget"
)

// What the window shows of our own devices is what the others get of them. A device that the user
// wants on and that cannot be had is neither on nor off: it has an icon and words of its own.

// broken says whether a device is wanted but cannot be used.
func broken(d call.Local) bool { return d.On && !d.Live && d.Problem != (call.Problem{}) }

// silent says whether nobody can hear a microphone that is on.
func silent(mic call.Local) bool { return mic.On && mic.Live && (mic.Device.Muted || mic.Silenced) }

// mark is how a list or a tile shows one of our devices.
func mark(d call.Local) widget.Mark {
	switch {
	case broken(d):
		return widget.MarkBroken
	case !d.On:
		return widget.MarkOff
	}
	return widget.MarkOn
}

// brokenText says in a few words why a device cannot be used; it is empty when nothing is wrong.
func brokenText(d call.Local) string {
	if !broken(d) {
		return ""
	}
	name := d.Problem.Kind.String() + "." + d.Problem.Device.String()
	return say("broken." + name)
}

// micIcon is the icon before the name on our own tile.
func micIcon(mic call.Local) string {
	switch mark(mic) {
	case widget.MarkBroken:
		return "mic-alert"
	case widget.MarkOff:
		return "mic-off"
	}
	return ""
}

// setSwitch makes a button say and show how a device stands, and what pressing it does.
func setSwitch(b *widget.RoundButton, kind media.Kind, d call.Local, plain, off widget.Look) {
	icon := "mic"
	if kind == media.Camera {
		icon = "camera"
	}
	b.SetInk("")
	switch {
	case broken(d):
		b.SetInk(alarm(plain))
		b.Set(brokenText(d), icon+"-alert", plain)
	case kind == media.Microphone && silent(d):
		b.SetInk(alarm(plain))
		b.Set(say("bar.silenced"), icon+"-off", plain)
	case d.On:
		b.Set(say("turn-off."+kind.String()), icon, plain)
	default:
		b.Set(say("turn-on."+kind.String()), icon+"-off", off)
	}
}

// alarm is the ink of a warning on a button of this look.
func alarm(l widget.Look) fyne.ThemeColorName {
	if l == widget.Over {
		return widget.PictureAlert
	}
	return widget.Warning
}

// command is the last one that switched a device.
type command struct {
	count int // as Local.Switched
	on    bool
}

// on says whether a device is on once everything that the user did has been carried out. The
// picture may be older: a second click counts from the first, not from what is still painted.
func (w *Window) on(kind media.Kind) bool {
	if d := w.local(kind); w.switched[kind].count <= d.Switched {
		return d.On
	}
	return w.switched[kind].on
}

// send hands a command to the call, and counts those that switch a device.
func (w *Window) send(c call.Command) {
	if kind, on, ok := call.Switches(c); ok {
		last := max(w.switched[kind].count, w.local(kind).Switched)
		w.switched[kind] = command{last + 1, on}
	}
	w.call.Do(c)
}
