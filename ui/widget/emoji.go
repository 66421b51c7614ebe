package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// toolkitEmoji is the toolkit's emoji font, nil in a build without. Labels name it as their font where they need it.
//
// For text in fields the toolkit parses this font as soon as it measures the first one, whatever is in it, which takes
// 12 MB. So the resource that the toolkit falls back to has a small font in it until a field needs more (showsEmoji).
var toolkitEmoji = func() fyne.Resource {
	shared, ok := theme.DefaultEmojiFont().(*fyne.StaticResource)
	if !ok || shared == nil {
		return theme.DefaultEmojiFont()
	}
	own := *shared
	shared.StaticContent = theme.DefaultSymbolFont().Content()
	return &own
}()

// showsEmoji makes fields able to show emoji, before they show a text that may have some. The first such text of the
// process makes the toolkit load its fonts again.
func showsEmoji(text string) {
	shared, ok := theme.DefaultEmojiFont().(*fyne.StaticResource)
	if !ok || plain(text) || &shared.StaticContent[0] == &toolkitEmoji.Content()[0] {
		return
	}
	shared.StaticContent = toolkitEmoji.Content()
	settings := fyne.CurrentApp().Settings()
	settings.SetTheme(settings.Theme()) // forgets the fonts that were loaded
}
