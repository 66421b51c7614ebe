package ui

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"sync/atomic"

	"fyne.io/fyne/v2/lang"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"parley/assets"
	"parley/media"
	"parley/media/call"
	"parley/signal/room"
	"parley/ui/widget"
)

// catalogue has the window's texts in the language that fits the user's locale best. It works like
// fyne.io/fyne/v2/lang but is separate: that package shows keys instead of English if the toolkit has the
// user's language and we do not.
var catalogue atomic.Pointer[i18n.Localizer]

func init() {
	if err := speak(assets.Words, "words", lang.SystemLocale().String()); err != nil {
		panic(err) // the files are part of the program, and a test reads them
	}
}

// speak loads every language of a folder and chooses the one that fits locale best, or English.
func speak(files fs.FS, folder, locale string) error {
	bundle := i18n.NewBundle(language.English)
	bundle.RegisterUnmarshalFunc("json", json.Unmarshal)
	list, err := fs.ReadDir(files, folder)
	if err != nil {
		return fmt.Errorf("list languages: %w", err)
	}
	for _, f := range list {
		if _, err := bundle.LoadMessageFileFS(files, folder+"/"+f.Name()); err != nil {
			return fmt.Errorf("read words: %w", err)
		}
	}
	catalogue.Store(i18n.NewLocalizer(bundle, locale))
	return nil
}

// fill is the data for a text's template. Its strings are names and the like, not our words: each is isolated, so
// that its direction does not change that of the sentence.
type fill map[string]any

func (f fill) isolated() fill {
	out := fill{}
	for name, v := range f {
		if text, ok := v.(string); ok {
			v = widget.Isolate(text)
		}
		out[name] = v
	}
	return out
}

// say looks up the text for a key. It falls back to English if the language lacks the text.
func say(key string) string { return localize(key, nil) }

// sayWith is say for a text with a template, filled from f.
func sayWith(key string, f fill) string { return localize(key, f.isolated()) }

func localize(key string, data any) string {
	text, err := catalogue.Load().Localize(&i18n.LocalizeConfig{MessageID: key, TemplateData: data})
	if text == "" && err != nil {
		return key
	}
	return text
}

// problemText says what is wrong and what to do about it. It is empty if there is no problem.
func problemText(p call.Problem) string {
	if p.Kind == call.NoProblem {
		return ""
	}
	name := p.Kind.String()
	if p.Kind.OfDevice() {
		name += "." + p.Device.String()
	}
	return sayWith("problem."+name, fill{
		"Name": p.Name, "Host": p.Host, "Port": p.Port, "By": p.By, "Status": p.Status, "Names": p.Names,
		"Date": word(dated("long", p.Time)), "Now": word(dated("long-time", p.Now)),
	})
}

// shedText says what a busy computer has given up. It is empty for nothing.
func shedText(s call.Shed) string {
	if s == call.ShedNothing {
		return ""
	}
	return say("shed." + s.String())
}

// formatText is a picture's size and rate, empty if there is no picture.
func formatText(f call.Format) string {
	if f == (call.Format{}) {
		return ""
	}
	return sayWith("format", fill{"Width": f.Width, "Height": f.Height, "Rate": math.Round(f.FrameRate)})
}

// fromSystem cleans the names in a State that come from the system, from servers and from files: devices, windows,
// hosts and certificates can have any name. People's names are already clean.
func fromSystem(s call.State) call.State {
	for _, l := range []*call.Local{&s.Mic, &s.Camera, &s.Screen, &s.Speaker} {
		l.Device.Name = systemName(l.Device.Name)
		l.Problem = systemProblem(l.Problem)
	}
	s.Problem = systemProblem(s.Problem)
	s.Shareables.Problem = systemProblem(s.Shareables.Problem)
	devices := make(map[media.Kind][]media.Device, len(s.Devices))
	for kind, list := range s.Devices {
		list = slices.Clone(list)
		for i := range list {
			list[i].Name = systemName(list[i].Name)
		}
		devices[kind] = list
	}
	s.Devices = devices
	s.Shareables.List = slices.Clone(s.Shareables.List)
	for i := range s.Shareables.List {
		s.Shareables.List[i].Name = systemName(s.Shareables.List[i].Name)
	}
	return s
}

func systemProblem(p call.Problem) call.Problem {
	p.Name, p.Names = systemName(p.Name), systemName(p.Names)
	p.Host, p.By = systemName(p.Host), systemName(p.By)
	return p
}

// systemName is a name on one line, without invisible characters and direction controls. A name without visible
// characters is replaced by a word.
func systemName(name string) string {
	clean := room.CleanLine(name)
	if clean == "" && name != "" {
		return say("unnamed")
	}
	return clean
}
