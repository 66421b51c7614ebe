package widget

import (
	"image"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
)

// TestFieldsShowEmoji puts an emoji into a field in each way there is. Its font is loaded then, and not before.
func TestFieldsShowEmoji(t *testing.T) {
	for name, put := range map[string]func(*Entry){
		"typed":  func(e *Entry) { e.TypedRune('\U0001f600') },
		"set":    func(e *Entry) { e.SetText("\U0001f600") },
		"pasted": func(e *Entry) { e.TypedShortcut(&fyne.ShortcutPaste{Clipboard: clipboard("\U0001f600")}) },
	} {
		t.Run(name, func(t *testing.T) {
			shared := theme.DefaultEmojiFont().(*fyne.StaticResource)
			shared.StaticContent = theme.DefaultSymbolFont().Content()
			look(t)
			f := NewField("Your name", "Your name", 48, nil)
			w := test.NewTempWindow(t, f)
			w.Resize(fyne.NewSize(200, 60))
			f.Entry.SetText("Zoë")
			if len(shared.StaticContent) > 100_000 {
				t.Fatal("the emoji font is loaded for a text without any")
			}
			put(f.Entry)
			if yellow := countYellow(w.Canvas().Capture()); yellow < 50 {
				t.Errorf("%d yellow pixels of a face in a field", yellow)
			}
		})
	}
}

type clipboard string

func (c clipboard) Content() string { return string(c) }
func (clipboard) SetContent(string) {}

func countYellow(img image.Image) (n int) {
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			if r, g, b, _ := img.At(x, y).RGBA(); r > 0xc000 && g > 0x9000 && b < 0x8000 {
				n++
			}
		}
	}
	return n
}
