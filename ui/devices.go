package ui

import (
	"fyne.io/fyne/v2"

	"parley/media"
	"parley/media/call"
	"parley/signal/room"
	"parley/ui/widget"
)

// The window shows our devices as others receive them. A device that is switched on but unusable has an icon
// and text of its own.

// broken reports whether a device is switched on but cannot be used.
func broken(d call.Local) bool { return d.On && !d.Live && d.Problem != (call.Problem{}) }

// silent reports whether a microphone is on but delivers only zeros.
func silent(mic call.Local) bool { return mic.On && mic.Live && (mic.Device.Muted || mic.Silenced) }

// mark is the icon for one of our devices in the list of people.
func mark(d call.Local) widget.Mark {
	switch {
	case broken(d):
		return widget.MarkBroken
	case !d.On:
		return widget.MarkOff
	}
	return widget.MarkOn
}

// brokenText is a short reason why a device cannot be used, empty when nothing is wrong.
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

// setSwitch sets a button's name, icon and colours from the state of a device.
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

// alarm is the warning colour for a button's style.
func alarm(l widget.Look) fyne.ThemeColorName {
	if l == widget.Over {
		return widget.PictureAlert
	}
	return widget.Warning
}

// command is the last command that switched a device.
type command struct {
	count int // compared with Local.Switched
	on    bool
}

// on reports whether a device will be on once all commands so far have been carried out. The State on screen
// may be older, so a second click toggles the first one's result, not what is painted.
func (w *Window) on(kind media.Kind) bool {
	if d := w.local(kind); w.switched[kind].count <= d.Switched {
		return d.On
	}
	return w.switched[kind].on
}

// send passes a command to the call and counts those that switch a device.
func (w *Window) send(c call.Command) {
	if w.pending.is(c, w.state) {
		return
	}
	if kind, on, ok := call.Switches(c); ok {
		last := max(w.switched[kind].count, w.local(kind).Switched)
		w.switched[kind] = command{last + 1, on}
	}
	w.sent = max(w.sent, w.state.Handled) + 1
	if once(c) {
		w.pending = pending{c, w.sent}
	}
	w.call.Do(c)
}

// once reports whether a repeated command counts as one, as after a double click or a second press of Enter.
func once(c call.Command) bool {
	switch c := c.(type) {
	case call.NewMeeting, call.Open, call.Join, call.Leave, call.Close, call.StopScreen, call.TestSpeaker, call.Dismiss:
		return true
	case call.Room:
		_, resend := c.Command.(room.Resend)
		return resend
	}
	return false
}

// pending is the last command for which once holds.
type pending struct {
	command call.Command
	number  int // compared with State.Handled
}

// is reports whether c is that command and not handled yet.
func (p pending) is(c call.Command, s call.State) bool {
	return once(c) && p.command == c && p.number > s.Handled
}
