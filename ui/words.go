package ui

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"sync/atomic"

	"fyne.io/fyne/v2/lang"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"parley/assets"
	"parley/media/call"
	"parley/ui/widget"
)

// catalogue is what the window says, in the language that fits the user's locale best. It is
// built as fyne.io/fyne/v2/lang is, but apart from it: there, whoever speaks a language that the
// toolkit knows and we do not would read keys instead of English.
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

// fill is what a text's template names. Texts in it are names and the like, not ours: each is isolated, so
// that its direction does not turn the sentence around.
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

// say looks up the text for a key. A text that a language lacks comes in English.
func say(key string) string { return localize(key, nil) }

// sayWith is say for a text whose template f fills.
func sayWith(key string, f fill) string { return localize(key, f.isolated()) }

func localize(key string, data any) string {
	text, err := catalogue.Load().Localize(&i18n.LocalizeConfig{MessageID: key, TemplateData: data})
	if text == "" && err != nil {
		return key
	}
	return text
}

// problemText says what is wrong and what to do; it is empty when nothing is.
func problemText(p call.Problem) string {
	if p.Kind == call.NoProblem {
		return ""
	}
	name := p.Kind.String()
	if p.Kind.OfDevice() {
		name += "." + p.Device.String()
	}
	return sayWith("problem."+name, fill{
		"Name": p.Name, "Host": p.Host, "Port": p.Port, "By": p.By, "Status": p.Status, "Names": p.Names, "Time": p.Time, "Now": p.Now,
	})
}

// shedText says what a busy computer does without; it is empty when that is nothing.
func shedText(s call.Shed) string {
	if s == call.ShedNothing {
		return ""
	}
	return say("shed." + s.String())
}

// formatText is the size and rate of a picture; it is empty where there is none.
func formatText(f call.Format) string {
	if f == (call.Format{}) {
		return ""
	}
	return sayWith("format", fill{"Width": f.Width, "Height": f.Height, "Rate": math.Round(f.FrameRate)})
}
