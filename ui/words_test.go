package ui

import (
	"encoding/json"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"parley/assets"
	"parley/media"
	"parley/media/call"
)

// saidOf is all that the window may say of the call's State, by its key.
func saidOf() map[string]string {
	said := map[string]string{}
	for _, k := range call.ProblemKinds() {
		p := call.Problem{Kind: k, Name: "USB camera", Host: "meet.example.org:8443", By: "proxy.example.org:3128", Port: 8443, Status: 407, Names: "example.net", Time: clock, Now: clock}
		if !k.OfDevice() {
			said["problem."+k.String()] = problemText(p)
			continue
		}
		for _, p.Device = range []media.Kind{media.Camera, media.Microphone, media.Speaker} {
			said["problem."+k.String()+"."+p.Device.String()] = problemText(p)
		}
	}
	for s := call.ShedTiles; s <= call.ShedRate; s++ {
		said["shed."+s.String()] = shedText(s)
	}
	return said
}

// english is the file that every other language is made from.
func english(t *testing.T) map[string]string {
	t.Helper()
	b, err := assets.Words.ReadFile("words/en.json")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	if err := json.Unmarshal(b, &texts); err != nil {
		t.Fatal(err)
	}
	return texts
}

// speaks has the window speak another language for the length of a test.
func speaks(t *testing.T, files fs.FS, locale string) {
	t.Helper()
	before := catalogue.Load()
	t.Cleanup(func() { catalogue.Store(before) })
	if err := speak(files, "words", locale); err != nil {
		t.Fatal(err)
	}
}

// TestEveryStateHasWords: one sentence or two, each filled in, and none that nobody says.
func TestEveryStateHasWords(t *testing.T) {
	speaks(t, assets.Words, "en")
	said, texts := saidOf(), english(t)
	for key, text := range said {
		first := text[:1]
		if texts[key] == "" || first != strings.ToUpper(first) || !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "?") ||
			strings.ContainsAny(text, "{}<>\n") || len(text) > 150 {
			t.Errorf("%s: not a line for a person: %q", key, text)
		}
	}
	for key := range texts {
		if _, ok := said[key]; !ok && (strings.HasPrefix(key, "problem.") || strings.HasPrefix(key, "shed.")) {
			t.Errorf("nothing says %s", key)
		}
	}
	if problemText(call.Problem{}) != "" || shedText(call.ShedNothing) != "" || formatText(call.Format{}) != "" {
		t.Error("something is said where there is nothing to say")
	}
	if got := formatText(call.Format{Width: 1280, Height: 720, FrameRate: 29.97}); got != "1280×720 · 30 fps" {
		t.Errorf("a format reads %q", got)
	}
}

// TestAnotherLanguageIsOneFile: beside the English one, with some of its keys missing.
func TestAnotherLanguageIsOneFile(t *testing.T) {
	const missing = "problem.meeting-full"
	texts := map[string]string{}
	for key, text := range english(t) {
		if key != missing {
			texts[key] = "Esperante: " + text
		}
	}
	esperanto, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	en, err := assets.Words.ReadFile("words/en.json")
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{"words/en.json": {Data: en}, "words/eo.json": {Data: esperanto}}

	speaks(t, files, "eo-FR")
	for key, text := range saidOf() {
		if translated := strings.HasPrefix(text, "Esperante: "); translated == (key == missing) || text == key {
			t.Errorf("%s in Esperanto: %q", key, text)
		}
	}
	// A language that the toolkit knows and we do not.
	speaks(t, files, "de-DE")
	for key, text := range saidOf() {
		if strings.HasPrefix(text, "Esperante") || text == key {
			t.Errorf("%s in German: %q", key, text)
		}
	}
}
