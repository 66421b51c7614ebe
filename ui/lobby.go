package ui

import (
	"strings"
	"time"

	"fyne.io/fyne/v2"

	"parley/media"
	"parley/media/call"
	"parley/signal/room"
	"parley/ui/widget"
)

// maxFaces is how many avatars stand in the lobby.
const maxFaces = 4

// lobby is the room before the meeting: how do I look and sound, and who is there.
type lobby struct {
	w    *Window
	root *fyne.Container
	top  *topbar
	flow *flow
	size fyne.Size

	preview *videoTile
	mic     *widget.RoundButton
	camera  *widget.RoundButton
	meter   *widget.LevelMeter
	cards   [3]*widget.DeviceCard // microphone, speaker, camera
	test    *widget.Button        // of the speaker

	title *widget.Label
	code  *widget.Label
	copy  *copyButton
	faces [maxFaces]*widget.Avatar
	who   *widget.Paragraph
	label *widget.Label
	name  *widget.Field
	join  *widget.Button
	back  *widget.Button
	lock  *widget.Icon
	e2e   *widget.Label
	shown int // faces
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
			w.openMenu(l.cards[i], false, func() []widget.Item { return w.cardItems(kind) })
		})
	}
	l.test = widget.NewButton(say("speaker.test"), "", widget.Link, widget.Target, func() { w.do(call.TestSpeaker{}) })
	l.cards[1].SetAction(l.test)
	l.title = widget.NewLabel(say("lobby.title"), widget.Heading, widget.Text1)
	l.code = widget.NewLabel("", widget.Code, widget.Text2)
	l.copy = newCopyButton(w, say("copy-link"), widget.Quiet, widget.Target)
	for i := range l.faces {
		l.faces[i] = widget.NewAvatar("", 2)
	}
	l.who = widget.NewParagraph("", widget.Body, widget.Text2, 3)
	l.label = widget.NewLabel(say("your-name"), widget.Caption, widget.Text2)
	l.name = widget.NewField(say("your-name"), say("your-name"), 40, nil)
	l.name.Entry.MaxRunes = maxName
	l.name.Entry.OnChanged = func(string) { l.typed() }
	l.name.Entry.OnSubmitted = func(string) { l.submit() }
	l.join = widget.NewButton(say("lobby.join"), "", widget.Primary, 52, l.submit)
	l.back = widget.NewButton(say("back"), "", widget.Quiet, 40, func() { w.do(call.Leave{}) })
	l.lock = widget.NewIcon("lock", widget.Accent, 16)
	l.e2e = widget.NewLabel(say("lobby.encrypted"), widget.Caption, widget.Accent)

	parts := []fyne.CanvasObject{l.preview, l.mic, l.camera, l.title, l.code, l.copy}
	for _, f := range l.faces {
		parts = append(parts, f)
	}
	parts = append(parts, l.who, l.label, l.name, l.join, l.back, l.lock, l.e2e)
	for _, c := range l.cards {
		parts = append(parts, c)
	}
	l.flow = newFlow(l.place, parts...)
	l.root = widget.Area(smallest, func(s fyne.Size) {
		l.size = s
		l.top.place(s)
		y := l.top.bottom(s)
		l.flow.fit(0, y, s.Width, s.Height-y)
	}, append([]fyne.CanvasObject{l.flow.scroll}, l.top.parts()...)...)
	return l
}

func (l *lobby) content() fyne.CanvasObject { return l.root }
func (l *lobby) tiles() []*videoTile        { return []*videoTile{l.preview} }

// enter prepares the lobby for a meeting that was just chosen.
func (l *lobby) enter() { l.name.Entry.SetText(l.w.state.Name) }

func (l *lobby) update(s call.State) {
	l.top.update()
	tile := widget.TileState{
		Name: l.shownName(s), Label: l.shownName(s),
		Picture: s.Camera.On && s.Camera.Problem == (call.Problem{}), Foot: widget.RoundSize + 2*widget.Space3,
	}
	if !s.Mic.On {
		tile.Icon = "mic-off"
	}
	l.preview.SetState(tile)
	setSwitch(l.mic, media.Microphone, s.Mic.On, widget.Over, widget.OverOff)
	setSwitch(l.camera, media.Camera, s.Camera.On, widget.Over, widget.OverOff)
	l.setCard(0, media.Microphone, s.Mic)
	l.setCard(1, media.Speaker, s.Speaker)
	l.setCard(2, media.Camera, s.Camera)
	if s.Speaker.Testing {
		l.test.SetText(say("speaker.playing"))
	} else {
		l.test.SetText(say("speaker.test"))
	}
	l.code.SetText(s.Code)
	l.setWho(s)
	l.typed()
	widget.Relayout(l.root)
}

func (l *lobby) shownName(s call.State) string {
	if n := strings.TrimSpace(l.name.Entry.Text); n != "" {
		return n
	}
	return s.Name
}

// silent says whether nobody can hear a microphone that is on.
func silent(mic call.Local) bool { return mic.On && mic.Live && (mic.Device.Muted || mic.Silenced) }

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

func (l *lobby) setWho(s call.State) {
	there := s.Room.Present()
	line, color := "", widget.Text2
	switch {
	case s.Problem != (call.Problem{}):
		line, color = problemText(s.Problem), widget.Warning
	case s.Room.Link == room.Connecting:
		line = say("lobby.looking")
	case s.Room.Link == room.Reconnecting:
		line, color = say("lobby.reconnecting"), widget.Warning
	case s.Room.Link == room.Closed:
		line, color = say("lobby.unreachable"), widget.Warning
	case len(there) == 0:
		line = say("lobby.nobody")
	}
	l.shown = 0
	if line == "" {
		names := make([]string, len(there))
		for i, m := range there {
			names[i] = m.Name
		}
		line = sayWith("lobby.are-in", fill{"People": who(names)})
		if len(there) == 1 {
			line = sayWith("lobby.is-in", fill{"People": who(names)})
		}
		l.shown = min(len(there), maxFaces)
	}
	for i, f := range l.faces {
		widget.Show(f, i < l.shown)
		if i < l.shown {
			f.SetName(there[i].Name)
		}
	}
	l.who.Set(line, color)
}

func (l *lobby) typed() {
	name := strings.TrimSpace(l.name.Entry.Text)
	if name == "" {
		l.join.Disable()
	} else {
		l.join.Enable()
	}
	if s := l.preview.State(); name != "" && s.Label != name {
		s.Name, s.Label = name, name
		l.preview.SetState(s)
	}
}

func (l *lobby) submit() {
	name := strings.TrimSpace(l.name.Entry.Text)
	if name == "" {
		return
	}
	if name != l.w.state.Name {
		l.w.do(call.SetName{Name: name})
	}
	l.w.do(call.Join{})
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

// place lays out the picture beside the door, or above it, and returns the height.
func (l *lobby) place(width float32) float32 {
	if width < 1000 {
		return l.placeNarrow(width)
	}
	const side, gap = 384, 64
	margin := max((width-1152)/2, widget.Space6)
	room := l.size.Height - topHeight
	left := width - 2*margin - side - gap
	// As wide as there is room, but the cards shall be seen without scrolling.
	left = min(left, max((room-3*widget.Space5-widget.CardHeight)*16/9, 320))
	high := left * 9 / 16
	top := max(widget.Space5, floor((room-high-widget.Space5-widget.CardHeight)/2)-46)
	y := l.placePreview(margin, top, left, high)
	y = l.placeCards(margin, y+widget.Space5, left, 3)
	door := l.placeDoor(margin+left+gap, top, side)
	return max(y, door) + widget.Space5
}

func (l *lobby) placeNarrow(width float32) float32 {
	margin := max(widget.Space5, (width-640)/2)
	inner := width - 2*margin
	high := min(inner*9/16, max(l.size.Height*0.45, 160))
	y := l.placePreview(margin, 0, inner, high)
	y = l.placeDoor(margin, y+widget.Space5, inner)
	columns := 3
	if inner < 520 {
		columns = 1
	}
	return l.placeCards(margin, y+widget.Space5, inner, columns) + widget.Space5
}

func (l *lobby) placePreview(x, y, width, height float32) float32 {
	widget.Place(l.preview, x, y, width, height)
	by := y + height - widget.RoundSize - widget.Space4
	mid := x + width/2
	widget.Place(l.mic, mid-widget.RoundSize-6, by, widget.RoundSize, widget.RoundSize)
	widget.Place(l.camera, mid+6, by, widget.RoundSize, widget.RoundSize)
	return y + height
}

func (l *lobby) placeCards(x, y, width float32, columns int) float32 {
	if columns == 1 {
		for _, c := range l.cards {
			h := c.HeightFor(width)
			widget.Place(c, x, y, width, h)
			y += h + widget.Space3
		}
		return y - widget.Space3
	}
	left := func(i int) float32 { return floor(float32(i) * (width + widget.Space3) / float32(columns)) }
	wide := func(i int) float32 { return left(i+1) - left(i) - widget.Space3 }
	h := float32(0)
	for i, c := range l.cards {
		h = max(h, c.HeightFor(wide(i)))
	}
	for i, c := range l.cards {
		widget.Place(c, x+left(i), y, wide(i), h)
	}
	return y + h
}

func (l *lobby) placeDoor(x, y, width float32) float32 {
	widget.Place(l.title, x, y, width, widget.Heading.Line)
	y += 42
	cw := l.code.Width()
	widget.Place(l.code, x, y, cw, widget.Code.Line)
	widget.PlaceMin(l.copy, x+cw+widget.Space2, y-6)
	y += 44
	text := x
	for i := range l.shown {
		widget.Place(l.faces[i], x+float32(i)*28, y, 36, 36)
		text = x + float32(i)*28 + 36 + widget.Space3
	}
	room := x + width - text
	h := l.who.HeightFor(room)
	widget.Place(l.who, text, y+max(36-h, 0)/2, room, h)
	y += max(36, h) + widget.Space5
	widget.Place(l.label, x, y, width, widget.Caption.Line)
	widget.Place(l.name, x, y+22, width, 40)
	y += 22 + 40 + widget.Space4
	widget.Place(l.join, x, y, width, 52)
	y += 52 + widget.Space3
	widget.Place(l.back, x, y, width, 40)
	y += 40 + widget.Space5
	w := l.e2e.Width() + 16 + 6
	widget.Place(l.lock, x, y, 16, 16)
	widget.Place(l.e2e, x+22, y, w, 16)
	return y + 16
}
