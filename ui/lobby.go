package ui

import (
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"

	"parley/media"
	"parley/media/call"
	"parley/signal/room"
	"parley/signal/roster"
	"parley/ui/widget"
)

// maxFaces is how many avatars the lobby shows.
const maxFaces = 4

// lobby is the screen before the meeting: a preview, the devices, and who is there.
type lobby struct {
	w    *Window
	root *fyne.Container
	top  *topbar
	flow *flow
	size fyne.Size
	low  bool // a small window: name and join stay at the bottom

	preview *videoTile
	mic     *widget.RoundButton
	camera  *widget.RoundButton
	meter   *widget.LevelMeter
	cards   [3]*widget.DeviceCard // microphone, speaker, camera
	test    *widget.Button        // plays the test sound

	title   *widget.Label
	code    *widget.Label
	copy    *copyButton
	faces   [maxFaces]*widget.Avatar
	who     *widget.Paragraph
	notice  *widget.Paragraph   // what is wrong
	dismiss *widget.RoundButton // of the notice
	label   *widget.Label
	name    *widget.Field
	join    *widget.Button
	back    *widget.Button
	lock    *widget.Icon
	e2e     *widget.Label
	line    *widget.Box         // above the bottom part
	shown   int                 // how many faces are shown
	inner   []fyne.CanvasObject // scrolls in every window
}

func newLobby(w *Window) *lobby {
	l := &lobby{w: w, top: newTopbar(w), meter: widget.NewLevelMeter()}
	l.preview = w.newTile(call.Self, media.Camera)
	l.mic = widget.NewRoundButton("", "mic", widget.Over, func() { w.toggle(media.Microphone) })
	l.camera = widget.NewRoundButton("", "camera", widget.Over, func() { w.toggle(media.Camera) })
	for i, kind := range []media.Kind{media.Microphone, media.Speaker, media.Camera} {
		var meter *widget.LevelMeter
		if kind == media.Microphone {
			meter = l.meter
		}
		icon := map[media.Kind]string{media.Microphone: "mic", media.Speaker: "speaker", media.Camera: "camera"}[kind]
		l.cards[i] = widget.NewDeviceCard(say("choose."+kind.String()), icon, meter, func() {
			w.openMenu(l.cards[i], false, func() []widget.Item {
				items := w.cardItems(kind)
				if kind == media.Camera { // the last card has the settings to choose before we connect to others
					items = append(items, w.networkItems()...)
				}
				return items
			})
		})
	}
	l.test = widget.NewButton(say("speaker.test"), "", widget.Link, widget.Target, w.testSpeaker)
	l.cards[1].SetAction(l.test)
	l.title = widget.NewLabel(say("lobby.title"), widget.Heading, widget.Text1)
	l.code = widget.NewLabel("", widget.Code, widget.Text2)
	l.copy = newCopyButton(w, say("copy-link"), widget.Quiet, widget.Target)
	for i := range l.faces {
		l.faces[i] = widget.NewAvatar("", 2)
	}
	l.who = widget.NewParagraph("", widget.Body, widget.Text2, 3)
	l.notice = widget.NewParagraph("", widget.Body, widget.Warning, 4)
	l.dismiss = widget.NewSmallButton(say("banner.dismiss"), "close", func() { w.do(call.Dismiss{}) })
	l.line = widget.NewBox(widget.Line, widget.None, 0)
	l.label = widget.NewLabel(say("your-name"), widget.Caption, widget.Text2)
	l.name = widget.NewField(say("your-name"), say("your-name"), 40, nil)
	l.name.Entry.MaxRunes = maxName
	l.name.Entry.OnChanged = func(string) { l.typed() }
	l.name.Entry.OnSubmitted = func(string) { l.submit() }
	l.join = widget.NewButton(say("lobby.join"), "", widget.Primary, 52, l.submit)
	l.back = widget.NewButton(say("back"), "", widget.Quiet, 40, func() { w.do(call.Leave{}) })
	l.lock = widget.NewIcon("lock", widget.Accent, 16)
	l.e2e = widget.NewLabel(say("lobby.encrypted"), widget.Caption, widget.Accent)

	l.inner = []fyne.CanvasObject{l.preview, l.mic, l.camera, l.title, l.code, l.copy}
	for _, f := range l.faces {
		l.inner = append(l.inner, f)
	}
	l.inner = append(l.inner, l.who, l.notice, l.dismiss, l.label, l.back, l.lock, l.e2e)
	for _, c := range l.cards {
		l.inner = append(l.inner, c)
	}
	l.flow = newFlow(l.place)
	l.root = widget.Area(smallest, l.placeAll)
	l.arrange()
	return l
}

// arrange moves the name field and the join button into the scrolling column, or to the bottom of a small window.
func (l *lobby) arrange() {
	root := append([]fyne.CanvasObject{l.flow.scroll}, l.top.parts()...)
	l.flow.box.Objects = l.inner
	if l.low {
		root = append(root, l.line, l.name, l.join)
	} else { // the order for Tab
		l.flow.box.Objects = slices.Insert(slices.Clone(l.inner), slices.Index(l.inner, fyne.CanvasObject(l.back)), fyne.CanvasObject(l.name), fyne.CanvasObject(l.join))
	}
	l.root.Objects = root
	widget.Show(l.label, !l.low)
}

func (l *lobby) content() fyne.CanvasObject { return l.root }
func (l *lobby) tiles() []*videoTile        { return []*videoTile{l.preview} }

// enter prepares the lobby for a new meeting.
func (l *lobby) enter() { l.name.Entry.SetText(l.w.state.Name) }

// entered focuses the name field if it is empty.
func (l *lobby) entered() {
	if strings.TrimSpace(l.name.Entry.Text) == "" {
		l.w.focus(l.name.Entry)
	}
}

func (l *lobby) update(s call.State) {
	l.top.update()
	tile := widget.TileState{
		Name: l.shownName(s), Label: l.shownName(s),
		Picture: s.Camera.On && s.Camera.Problem == (call.Problem{}), Foot: widget.RoundSize + 2*widget.Space3,
		Icon: micIcon(s.Mic), Status: brokenText(s.Camera),
	}
	l.preview.SetState(tile)
	setSwitch(l.mic, media.Microphone, s.Mic, widget.Over, widget.OverOff)
	setSwitch(l.camera, media.Camera, s.Camera, widget.Over, widget.OverOff)
	l.setCard(0, media.Microphone, s.Mic)
	l.setCard(1, media.Speaker, s.Speaker)
	l.setCard(2, media.Camera, s.Camera)
	if s.Speaker.Testing {
		l.test.SetText(say("speaker.playing"))
	} else {
		l.test.SetText(say("speaker.test"))
	}
	l.code.SetText(s.Code)
	l.title.SetText(say("lobby.title"))
	if s.Phase == call.Waiting {
		l.setWaiting(s)
	} else {
		l.setWho(s)
	}
	l.setNotice(s)
	l.typed()
	widget.Relayout(l.root)
}

func (l *lobby) shownName(s call.State) string {
	if n := strings.TrimSpace(l.name.Entry.Text); n != "" {
		return n
	}
	return s.Name
}

func (l *lobby) setCard(i int, kind media.Kind, d call.Local) {
	off := !d.On || d.Choice == media.SpecOff
	title := d.Device.Name
	switch {
	case title != "":
	case d.Problem == (call.Problem{}) && !d.Live: // off, or about to open
		title = say("device." + kind.String())
	default:
		title = say("none." + kind.String())
	}
	note := formatText(d.Format)
	problem := d.Problem != (call.Problem{})
	switch {
	case problem:
		note = problemText(d.Problem)
	case silent(d):
		note, problem = say("microphone.silenced"), true
	case off:
		note = say("lobby.off")
	case kind != media.Camera:
		note = "" // the meter or the test sound says more
	}
	l.cards[i].Set(title, note, problem)
}

// setWho shows who is in the meeting and, separately, what is wrong.
func (l *lobby) setWho(s call.State) {
	there := s.Room.Present()
	line := ""
	switch {
	case len(there) > 0:
		names := make([]string, len(there))
		for i, m := range there {
			names[i] = m.Name
		}
		people := fill{"People": who(names)}
		line = sayWith("lobby.are-in", people)
		if len(there) == 1 {
			line = sayWith("lobby.is-in", people)
		}
	case s.Room.Link == room.Connecting:
		line = say("lobby.looking")
	case s.Room.Link == room.Connected:
		line = say("lobby.nobody")
	}
	l.shown = min(len(there), maxFaces)
	for i, f := range l.faces {
		widget.Show(f, i < l.shown)
		if i < l.shown {
			f.SetName(there[i].Name)
		}
	}
	l.who.Set(line, widget.Text2)
}

// setWaiting says that a host has to let us in. Whoever waits learns of nobody, but may change name and devices.
func (l *lobby) setWaiting(s call.State) {
	title, line := say("wait.knocking"), say("wait.knocking.note")
	if s.Room.Standing == roster.LockedOut {
		title, line = say("wait.locked"), say("wait.locked.note")
	}
	l.title.SetText(title)
	l.who.Set(line, widget.Text2)
	l.shown = 0
	for _, f := range l.faces {
		f.Hide()
	}
}

func (l *lobby) setNotice(s call.State) {
	notice := problemText(s.Problem)
	switch {
	case notice != "":
	case s.Room.Link == room.Reconnecting:
		notice = say("lobby.reconnecting")
	case s.Room.Link == room.Closed:
		notice = say("lobby.unreachable")
	}
	l.notice.Set(notice, widget.Warning)
	widget.Show(l.dismiss, s.Problem != (call.Problem{}))
}

func (l *lobby) typed() {
	name := strings.TrimSpace(l.name.Entry.Text)
	able := name != ""
	switch {
	case l.w.state.Phase != call.Waiting:
		l.join.SetText(say("lobby.join"))
	case name == l.w.state.Name || name == "":
		l.join.SetText(say("wait.button"))
		able = false
	default:
		l.join.SetText(say("wait.rename"))
	}
	if able {
		l.join.Enable()
	} else {
		l.join.Disable()
	}
	if s := l.preview.State(); name != "" && s.Label != name {
		s.Name, s.Label = name, name
		l.preview.SetState(s)
	}
}

func (l *lobby) submit() {
	name := strings.TrimSpace(l.name.Entry.Text)
	if name == "" || l.w.pending.is(call.Join{}, l.w.state) {
		return
	}
	if name != l.w.state.Name {
		l.w.do(call.SetName{Name: name})
	}
	if l.w.state.Phase != call.Waiting {
		l.w.do(call.Join{})
	}
}

func (l *lobby) pulse(now time.Time) {
	if l.top.pulse(now) {
		widget.Relayout(l.root)
	}
	level := media.LevelFloor
	if l.w.state.Mic.On {
		level = l.w.call.Level(call.Self)
	}
	l.meter.SetLevel(level)
	l.copy.pulse(now)
}
