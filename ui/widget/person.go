package widget

import (
	"fyne.io/fyne/v2"
	fw "fyne.io/fyne/v2/widget"
)

// personHeight is that of a line without a detail.
const personHeight float32 = 52

// Person is a line in the list of people.
type Person struct {
	fw.BaseWidget
	avatar              *Avatar
	name, note, detail  *Label
	mic, camera, screen *Icon
	verified            *Icon
	more                *RoundButton
	marks               [2]Mark // microphone and camera
}

// NewPerson makes an empty line. More is what the button for further choices is called.
func NewPerson(more string) *Person {
	p := &Person{
		avatar: NewAvatar("", 0), name: NewLabel("", BodyMedium, Text1), note: NewLabel("", Caption, Text2), detail: NewLabel("", Caption, Text2),
		mic: NewIcon("mic", Text2, 18), camera: NewIcon("camera", Text2, 18), screen: NewIcon("screen", Accent, 18), verified: NewIcon("verified", Accent, 16),
	}
	p.more = NewSmallButton(more, "more", nil)
	p.more.Hide()
	p.screen.Hide()
	p.verified.Hide()
	p.ExtendBaseWidget(p)
	return p
}

// Mark is the state of a person's microphone or camera.
type Mark uint8

// The marks.
const (
	MarkOn Mark = iota
	MarkOff
	MarkBroken // switched on but unusable
)

// MarkOf is the mark of a device that is on or off.
func MarkOf(on bool) Mark {
	if on {
		return MarkOn
	}
	return MarkOff
}

// Set changes the person, the note and its detail below the name, and the marks. Both may be empty, a detail needs a note.
func (p *Person) Set(name, note, detail string, mic, camera Mark, sharing bool) {
	p.avatar.SetName(name)
	p.name.SetText(name)
	p.note.SetText(note)
	p.detail.SetText(detail)
	p.marks = [2]Mark{mic, camera}
	show := func(i *Icon, name string, m Mark) {
		switch m {
		case MarkBroken:
			i.Set(name+"-alert", Warning)
		case MarkOff:
			i.Set(name+"-off", Error)
		default:
			i.Set(name, Text2)
		}
	}
	show(p.mic, "mic", mic)
	show(p.camera, "camera", camera)
	Show(p.screen, sharing)
	p.place(p.Size())
}

// SetVerified shows whether the safety phrase was compared with the person.
func (p *Person) SetVerified(verified bool) {
	Show(p.verified, verified)
	p.place(p.Size())
}

// SetMore shows or hides the button for further choices, and returns it.
func (p *Person) SetMore(on bool) *RoundButton {
	Show(p.more, on)
	p.place(p.Size())
	return p.more
}

func (p *Person) place(s fyne.Size) {
	Place(p.avatar, 0, (s.Height-36)/2, 36, 36)
	x := s.Width - 18
	if p.more.Visible() {
		Place(p.more, s.Width-36, (s.Height-36)/2, 36, 36)
		x -= 40
	}
	Place(p.camera, x, (s.Height-18)/2, 18, 18)
	Place(p.mic, x-30, (s.Height-18)/2, 18, 18)
	x -= 30
	if p.screen.Visible() {
		x -= 30
		Place(p.screen, x, (s.Height-18)/2, 18, 18)
	}
	y := (s.Height - 20) / 2
	for _, l := range []*Label{p.note, p.detail} {
		if l.full != "" {
			y -= 8
		}
	}
	name := x - 48 - Space2
	if p.verified.Visible() {
		name = min(name-20, p.name.Width())
		Place(p.verified, 48+name+4, y+2, 16, 16)
	}
	Place(p.name, 48, y, name, 20)
	Place(p.note, 48, y+20, x-48-Space2, 16)
	detail := y + 36
	if p.note.full == "" {
		detail = y + 20
	}
	Place(p.detail, 48, detail, x-48-Space2, 16)
}

// Height is that of a line with this note and detail.
func (p *Person) Height() float32 {
	if p.detail.full != "" {
		return personHeight + 16
	}
	return personHeight
}

// MinSize is narrow: lines take the available width.
func (p *Person) MinSize() fyne.Size { return fyne.NewSize(1, 1) }

// CreateRenderer is for Fyne.
func (p *Person) CreateRenderer() fyne.WidgetRenderer {
	objects := []fyne.CanvasObject{p.avatar, p.name, p.note, p.detail, p.verified, p.screen, p.mic, p.camera, p.more}
	return &renderer{
		objects: objects,
		layout:  p.place,
		refresh: func() { refreshAll(objects) },
	}
}

// Shows returns the note and the marks last set, for tests.
func (p *Person) Shows() (note string, mic, camera Mark) { return p.note.full, p.marks[0], p.marks[1] }
