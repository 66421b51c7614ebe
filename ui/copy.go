package ui

import (
	"time"

	"parley/ui/widget"
)

// copiedFor is how long a copy button reads "Copied".
const copiedFor = 2 * time.Second

// copyButton copies the meeting's link to the clipboard and briefly confirms it.
type copyButton struct {
	*widget.Button
	text string
	did  time.Time
}

func newCopyButton(w *Window, text string, look widget.Look, height float32) *copyButton {
	c := &copyButton{text: text}
	c.Button = widget.NewButton(text, "copy", look, height, func() {
		w.copyLink()
		c.did = w.now()
		c.SetIcon("check")
		c.SetText(say("copied"))
	})
	return c
}

func (c *copyButton) pulse(now time.Time) {
	if !c.did.IsZero() && now.Sub(c.did) > copiedFor {
		c.did = time.Time{}
		c.SetIcon("copy")
		c.SetText(c.text)
	}
}
