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

// A field that was never drawn, or whose renderer the toolkit has thrown away because it was
// hidden for a minute, gets the keyboard all the same.
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

// Only focus moves the keyboard: the toolkit's own Focus finds only what was drawn.
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
