package ui

import (
	"image/color"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"

	"parley/assets"
	"parley/media"
	"parley/media/call"
	"parley/signal"
	"parley/ui/widget"
)

// Call is the part of the call that the window uses.
type Call interface {
	// Do passes on a command. It never blocks.
	Do(call.Command)
	// View returns a member's camera or screen; call.Self is our own.
	View(id signal.ID, kind media.Kind) media.View
	// Level is a member's current level in dBFS; call.Self is our own microphone.
	Level(id signal.ID) float64
}

// smallest is the minimum size that every screen supports; start is the size of the first window.
var (
	smallest = fyne.NewSize(480, 360)
	start    = fyne.NewSize(1280, 720)
)

// Smallest is the minimum size of the window.
func Smallest() fyne.Size { return smallest }

// narrow is the width below which a screen has one column.
const narrow float32 = 640

// screen is one of the window's screens. All methods run on the UI goroutine.
type screen interface {
	content() fyne.CanvasObject
	// update shows s.
	update(s call.State)
	// tiles are the screen's video tiles, visible and hidden.
	tiles() []*videoTile
	// pulse is called several times a second to update clocks and levels.
	pulse(now time.Time)
}

// blank shows until the first state is known. Most screens have a text field, which loads 6 MB of fonts. A
// meeting that is joined at once needs none.
type blank struct{ nothing fyne.CanvasObject }

func (b blank) content() fyne.CanvasObject { return b.nothing }
func (blank) update(call.State)            {}
func (blank) tiles() []*videoTile          { return nil }
func (blank) pulse(time.Time)              {}

// Window is the app's window.
type Window struct {
	app   fyne.App
	win   fyne.Window
	call  Call
	prefs Preferences
	now   func() time.Time

	newest atomic.Pointer[call.State]
	queued atomic.Bool

	// The fields below belong to the UI goroutine.
	state    call.State
	shown    bool // a state was drawn
	home     *home
	lobby    *lobby
	wait     *wait
	stage    *stage
	ended    *ended
	screen   screen
	root     *fyne.Container
	menu     *openMenu
	sharing  *share     // the share panel; nil while closed
	talking  bool       // the microphone is on because Space is held
	switched [4]command // by media.Kind
	sent     int        // commands sent so far; compared with State.Handled
	pending  pending
	recents  recorder
	people   acquaintances
	display  display

	question *question // about opening a meeting; nil while there is none
	raise    func()    // brings the window to the front
	server   *url.URL  // opened without a question, like own; see Trust
	own      func(host string) bool
}

// New makes the window. Nothing is visible until FyneWindow is shown.
func New(app fyne.App, prefs Preferences, c Call) *Window {
	w := &Window{
		app: app, win: app.NewWindow("Parley"), call: c,
		prefs: prefs, now: time.Now,
	}
	w.raise = w.win.RequestFocus
	w.display.init()
	app.Settings().SetTheme(widget.Theme{Mode: w.prefs.Theme()})
	w.win.SetIcon(fyne.NewStaticResource("icon.png", assets.Icon))
	w.win.SetPadded(false)

	w.home, w.lobby, w.wait = newHome(w), newLobby(w), newWait(w)
	w.stage, w.ended = newStage(w), newEnded(w)
	w.root = widget.Area(smallest, func(s fyne.Size) { w.screen.content().Resize(s) })
	w.open(blank{canvas.NewRectangle(color.Transparent)})
	w.win.SetContent(w.root)
	w.win.Resize(start)
	w.bindKeys()
	app.Lifecycle().SetOnExitedForeground(w.stopTalking)
	return w
}

// FyneWindow is the toolkit's window.
func (w *Window) FyneWindow() fyne.Window { return w.win }

// Limit keeps the first window no larger than the screen. A size of 0 means that the screen is unknown.
func (w *Window) Limit(screen fyne.Size) {
	if !screen.IsZero() {
		w.win.Resize(start.Min(screen).Max(smallest))
	}
}

// Preferences are the settings kept between runs.
func (w *Window) Preferences() Preferences { return w.prefs }

// Show draws s. Any goroutine may call it. A newer state replaces one that is not drawn yet.
func (w *Window) Show(s call.State) {
	w.newest.Store(&s)
	if w.queued.CompareAndSwap(false, true) {
		fyne.Do(w.apply)
	}
}

func (w *Window) apply() {
	w.queued.Store(false)
	s := w.newest.Swap(nil)
	if s == nil {
		return
	}
	*s = fromSystem(*s)
	w.recents.follow(w.prefs, *s, w.now())
	w.people.follow(w.prefs, *s, w.now())
	before := w.state.Candidates
	w.state, w.shown = *s, true
	next := w.screenFor(*s)
	if e, ok := next.(interface{ enter() }); ok && next != w.screen {
		e.enter()
	}
	entered := next != w.screen
	next.update(*s)
	w.open(next)
	if e, ok := next.(interface{ entered() }); ok && entered && w.question == nil {
		e.entered()
	}
	w.menu.update()
	w.sharing.update(*s)
	w.display.resize(w)
	w.offer(before)
}

// offer asks which meeting to open if a pasted text has several links. before are the candidates of the previous
// state.
func (w *Window) offer(before []signal.Link) {
	links := w.state.Candidates
	same := slices.EqualFunc(links, before, func(a, b signal.Link) bool { return a.String() == b.String() })
	switch {
	case same:
	case len(links) > 0:
		w.openChoice(links, func(l signal.Link) { w.do(call.Open{Text: l.String()}) }, func() { w.do(call.Dismiss{}) })
	case w.question != nil && w.question.cancel != nil:
		w.question.close() // the user opened a meeting in another way
	}
}

func (w *Window) screenFor(s call.State) screen {
	switch s.Phase {
	case call.Lobby, call.Waiting:
		return w.lobby
	case call.Joining:
		return w.wait
	case call.Live, call.Reconnecting:
		return w.stage
	case call.Ended:
		return w.ended
	}
	return w.home
}

// open shows another screen.
func (w *Window) open(s screen) {
	if w.screen == s {
		return
	}
	if old := w.screen; old != nil {
		w.menu.close()
		w.sharing.gone()
		w.stopTalking()
		if w.question == nil { // it covers every screen and keeps the focus
			w.win.Canvas().Unfocus()
		}
		w.display.hide(old)
	}
	w.screen = s
	w.root.Objects = []fyne.CanvasObject{s.content()}
	s.content().Resize(w.root.Size())
	w.root.Refresh()
}

// do sends a command and stores the choice in it, if any.
func (w *Window) do(c call.Command) {
	switch c := c.(type) {
	case call.SetName:
		w.prefs.SetName(c.Name)
	case call.Turn:
		w.prefs.SetOn(c.Kind, c.On)
	case call.Choose:
		w.prefs.SetChoice(c.Kind, c.ID)
	case call.SetSound:
		w.prefs.SetSound(c.Sound)
	case call.HideAddress:
		w.prefs.SetAddressHidden(c.On)
	}
	w.send(c)
}

func (w *Window) setTheme(m widget.Mode) {
	w.prefs.SetTheme(m)
	w.app.Settings().SetTheme(widget.Theme{Mode: m})
	if w.shown {
		w.screen.update(w.state)
	}
}

// toggleTheme switches between the dark and the light palette.
func (w *Window) toggleTheme() {
	if w.light() {
		w.setTheme(widget.Dark)
	} else {
		w.setTheme(widget.Light)
	}
}

func (w *Window) light() bool {
	s := w.app.Settings()
	return widget.Theme{Mode: w.prefs.Theme()}.Color(widget.Background, s.ThemeVariant()) ==
		widget.Theme{Mode: widget.Light}.Color(widget.Background, s.ThemeVariant())
}

func (w *Window) copyLink() { w.app.Clipboard().SetContent(w.state.Link) }

// desktopCanvas is the canvas with key-down and key-up events, nil in tests.
func (w *Window) desktopCanvas() desktop.Canvas {
	c, _ := w.win.Canvas().(desktop.Canvas)
	return c
}
