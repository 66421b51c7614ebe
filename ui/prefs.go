package ui

import (
	"encoding/json"
	"slices"
	"time"

	"parley/media"
	"parley/media/call"
	"parley/signal/room"
	"parley/signal/trust"
	"parley/ui/widget"
)

// maxRecent is how many meetings are remembered.
const maxRecent = 10

// Store keeps values by key between runs.
type Store interface {
	String(key string) string
	StringWithFallback(key, fallback string) string
	SetString(key, value string)
	// UpdateString changes a text atomically, from its current value, which another window may have set.
	UpdateString(key string, update func(old string) string)
	Bool(key string) bool
	BoolWithFallback(key string, fallback bool) bool
	SetBool(key string, value bool)
}

// Preferences are the settings kept between runs.
type Preferences struct{ store Store }

// NewPreferences returns preferences kept in a store.
func NewPreferences(s Store) Preferences { return Preferences{s} }

// Recent is a past meeting.
type Recent struct {
	Code     string        `json:"code"`
	Link     string        `json:"link"`
	When     time.Time     `json:"when"`
	Duration time.Duration `json:"duration"`
	People   int           `json:"people"` // the most at one time, us included
	Names    []string      `json:"names"`  // the others
}

// Name is the user's name as others see it. It is empty at first.
func (p Preferences) Name() string { return p.store.String("name") }

// SetName remembers the name.
func (p Preferences) SetName(name string) { p.store.SetString("name", name) }

// Choice is the chosen device of a kind, by default media.SpecDefault.
func (p Preferences) Choice(kind media.Kind) string {
	return p.store.StringWithFallback("device."+kind.String(), media.SpecDefault)
}

// SetChoice remembers a device. A screen is not remembered: it is chosen each time.
func (p Preferences) SetChoice(kind media.Kind, id string) {
	if kind != media.Screen {
		p.store.SetString("device."+kind.String(), id)
	}
}

// On reports whether a kind of device starts switched on. The default is true.
func (p Preferences) On(kind media.Kind) bool {
	return p.store.BoolWithFallback("on."+kind.String(), true)
}

// SetOn remembers whether a kind of device is switched on.
func (p Preferences) SetOn(kind media.Kind, on bool) {
	if kind != media.Screen {
		p.store.SetBool("on."+kind.String(), on)
	}
}

// Sound is the processing of the microphone. By default, noise is suppressed.
func (p Preferences) Sound() call.Sound {
	return call.Sound{
		Noise:    p.store.BoolWithFallback("sound.noise", true),
		Original: p.store.Bool("sound.original"),
	}
}

// SetSound remembers the processing of the microphone.
func (p Preferences) SetSound(s call.Sound) {
	p.store.SetBool("sound.noise", s.Noise)
	p.store.SetBool("sound.original", s.Original)
}

// AddressHidden reports whether we connect through relays only, so that others do not learn our address.
func (p Preferences) AddressHidden() bool { return p.store.Bool("address.hidden") }

// SetAddressHidden remembers it.
func (p Preferences) SetAddressHidden(on bool) { p.store.SetBool("address.hidden", on) }

var modes = map[widget.Mode]string{widget.System: "system", widget.Dark: "dark", widget.Light: "light"}

// ShowsDevice says whether others are shown the key of this device. It begins when the user has verified somebody.
func (p Preferences) ShowsDevice(verified bool) bool {
	if verified {
		p.store.SetBool("device.shown", true)
	}
	return p.store.Bool("device.shown")
}

// Known is the people the user has met, by their devices. It is empty if the stored list cannot be read.
func (p Preferences) Known() trust.Book { return readKnown(p.store.String("known")) }

func readKnown(text string) trust.Book {
	b, err := trust.Parse(text)
	if err != nil {
		return trust.Book{}
	}
	return b
}

// UpdateKnown changes that list. It keeps what other windows added.
func (p Preferences) UpdateKnown(update func(trust.Book) trust.Book) {
	p.store.UpdateString("known", func(old string) string { return update(readKnown(old)).String() })
}

// Theme is the chosen palette, by default the desktop's.
func (p Preferences) Theme() widget.Mode {
	name := p.store.String("theme")
	for m, n := range modes {
		if n == name {
			return m
		}
	}
	return widget.System
}

// SetTheme remembers the palette.
func (p Preferences) SetTheme(m widget.Mode) { p.store.SetString("theme", modes[m]) }

// Recents are the last meetings, newest first. It is empty if the stored list cannot be read.
func (p Preferences) Recents() []Recent { return readRecents(p.store.String("recent")) }

func readRecents(text string) []Recent {
	var list []Recent
	if json.Unmarshal([]byte(text), &list) != nil {
		return nil
	}
	// The file may have been edited, or written by another version.
	list = slices.DeleteFunc(list, func(r Recent) bool { return r.Code == "" })
	for i, r := range list {
		list[i].Code = room.CleanLine(r.Code)
		for j, name := range r.Names {
			r.Names[j] = room.CleanName(name)
		}
		list[i].Names = slices.DeleteFunc(r.Names, func(name string) bool { return name == "" })
	}
	return list[:min(len(list), maxRecent)]
}

// AddRecent puts a meeting first and removes its earlier entry. It keeps what other windows added.
func (p Preferences) AddRecent(r Recent) {
	p.store.UpdateString("recent", func(old string) string {
		list := slices.DeleteFunc(readRecents(old), func(old Recent) bool { return old.Code == r.Code })
		list = slices.Insert(list, 0, r)
		data, err := json.Marshal(list[:min(len(list), maxRecent)])
		if err != nil { // a year above 9999
			return old
		}
		return string(data)
	})
}
