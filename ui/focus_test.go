package ui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fyne.io/fyne/v2"

	"parley/media/call"
	"parley/ui/widget"
)

// A field gets the focus even if it was never drawn, or if the toolkit discarded its renderer after a minute
// of being hidden.
func TestFocusWithoutRenderer(t *testing.T) {
	w, _ := open(t, start)
	show(w, base(call.Live))
	f := widget.NewField("new", "", 40, nil)
	within := &fyne.Container{Objects: []fyne.CanvasObject{f}}
	w.stage.root.Objects = append(w.stage.root.Objects, within)
	w.focus(f.Entry)
	if w.win.Canvas().Focused() != fyne.Focusable(f.Entry) {
		t.Error("the keyboard is elsewhere")
	}
	within.Hide()
	w.focus(f.Entry)
	if w.win.Canvas().Focused() != nil {
		t.Error("something hidden keeps the keyboard")
	}
	w.focus(widget.NewField("elsewhere", "", 40, nil).Entry) // and logs nothing
	w.focus(nil)
}

// All code uses focus: the toolkit's own Focus finds only objects that were drawn.
func TestFocusIsOurs(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if name != "focus.go" && !strings.HasSuffix(name, "_test.go") && strings.Contains(string(text), ".Focus(") {
			t.Errorf("%s calls the canvas' Focus; use Window.focus", name)
		}
	}
}
