package ui

import (
	"fyne.io/fyne/v2"

	"parley/media/call"
	"parley/signal/room"
	"parley/ui/widget"
)

// banner is the warning line above the tiles.
type banner struct {
	s         *stage
	box       *widget.Box
	icon      *widget.Icon
	text      *widget.Paragraph
	close     *widget.RoundButton
	dismissed string // not shown again while it stays the same
	heard     int    // what hosts have told us that was dismissed
	from      bannerSource
}

// bannerSource is where the line comes from; it decides what dismissing does.
type bannerSource uint8

const (
	fromNothing bannerSource = iota
	fromProblem              // the call's problem: dismissing clears it there
	fromDevice               // a device or this computer: dismissing hides the line
	fromLink                 // our connection: the line disappears by itself
	fromHost                 // what a host told us: dismissing hides it until they tell us more
)

func newBanner(s *stage) *banner {
	b := &banner{
		s: s, box: widget.NewBox(widget.Notice, widget.NoticeLine, widget.RadiusTile),
		icon: widget.NewIcon("alert", widget.OnNotice, 18),
		text: widget.NewParagraph("", widget.BodyMedium, widget.OnNotice, 3),
	}
	b.close = widget.NewSmallButton(say("banner.dismiss"), "close", b.dismiss)
	b.close.SetInk(widget.OnNotice)
	b.show(false)
	return b
}

func (b *banner) objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{b.box, b.icon, b.text, b.close}
}

func (b *banner) show(on bool) {
	for _, o := range b.objects() {
		widget.Show(o, on)
	}
}

func (b *banner) update(st call.State) {
	text, from := trouble(st)
	if from == fromDevice && text == b.dismissed {
		text, from = "", fromNothing
	}
	if told := toldText(st); told != "" && st.Told.N != b.heard && (text == "" || from == fromDevice) {
		text, from = told, fromHost
	}
	b.from = from
	b.text.Set(text, widget.OnNotice)
	b.show(text != "")
	widget.Show(b.close, from == fromProblem || from == fromDevice || from == fromHost)
}

// trouble is the most pressing line: the connection, the call, our devices, who is not verified, then this computer.
func trouble(st call.State) (string, bannerSource) {
	switch {
	case st.Phase == call.Reconnecting && st.Problem != (call.Problem{}):
		return problemText(st.Problem), fromLink
	case st.Phase == call.Reconnecting || st.Room.Link == room.Reconnecting:
		return say("banner.connection-lost"), fromLink
	case st.Problem != (call.Problem{}):
		return problemText(st.Problem), fromProblem
	}
	if p := st.RelayMissing(); p != (call.Problem{}) {
		return problemText(p), fromDevice
	}
	for _, d := range []call.Local{st.Mic, st.Camera, st.Screen, st.Speaker} {
		if d.Problem != (call.Problem{}) {
			return problemText(d.Problem), fromDevice
		}
	}
	if silent(st.Mic) {
		return say("microphone.silenced"), fromDevice
	}
	if changed := st.Room.Safety.Changed; len(changed) > 0 {
		return sayWith("banner.not-verified", fill{"Names": namesOf(st, changed)}), fromDevice
	}
	return shedText(st.Shed), fromDevice
}

func (b *banner) dismiss() {
	if b.from == fromProblem {
		b.s.w.do(call.Dismiss{})
		return
	}
	if b.from == fromHost {
		b.heard = b.s.w.state.Told.N
	} else {
		b.dismissed = b.text.Text()
	}
	b.update(b.s.w.state)
	widget.Relayout(b.s.root)
}

// place puts the banner at the top of a and returns the rest.
func (b *banner) place(a rect) rect {
	if !b.box.Visible() {
		return a
	}
	const side = 18 + widget.Space2
	end := float32(widget.Space4)
	if b.close.Visible() {
		end = 36 + widget.Space1
	}
	maxWidth := min(a.w, 640) - widget.Space4 - side - end
	width := min(b.text.Width(), maxWidth)
	h := b.text.HeightFor(width + 1)
	high := max(h+22, 42)
	total := widget.Space4 + side + width + 1 + end
	x, y := floor(a.x+(a.w-total)/2), a.y
	widget.Place(b.box, x, y, total, high)
	widget.Place(b.icon, x+widget.Space4, y+(high-18)/2, 18, 18)
	widget.Place(b.text, x+widget.Space4+side, y+(high-h)/2, width+1, h)
	widget.Place(b.close, x+total-36-2, y+(high-36)/2, 36, 36)
	return a.below(high)
}
