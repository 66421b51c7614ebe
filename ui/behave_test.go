package ui

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"parley/media"
	"parley/media/call"
	"parley/signal/room"
	"parley/ui/widget"
)

// wants fails unless exactly these commands were sent since the last check.
func wants(t *testing.T, c *fakeCall, want ...call.Command) {
	t.Helper()
	got := c.take()
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("commands %#v, want %#v", got, want)
	}
}

func press(w *Window, key fyne.KeyName, mod fyne.KeyModifier) {
	c := w.win.Canvas()
	s := &desktop.CustomShortcut{KeyName: key, Modifier: mod}
	if f, ok := c.Focused().(fyne.Shortcutable); ok {
		f.TypedShortcut(s)
		return
	}
	c.(fyne.Shortcutable).TypedShortcut(s)
}

func TestHome(t *testing.T) {
	w, c := openScaled(t, start, someRecents)
	show(w, base(call.Idle))
	h := w.home

	test.Tap(h.start)
	wants(t, c, call.NewMeeting{})

	if !h.join.Disabled() {
		t.Error("Join can be pressed with nothing to join")
	}
	test.Tap(h.join)
	wants(t, c)
	test.Type(h.code.Entry, " 7k3m-q9xt-2w8p ")
	test.Tap(h.join)
	wants(t, c, call.Open{Text: "7k3m-q9xt-2w8p"})
	show(w, base(call.Idle))
	h.code.Entry.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	wants(t, c, call.Open{Text: "7k3m-q9xt-2w8p"})

	test.Tap(h.recent.Objects[1].(*widget.Row))
	wants(t, c, call.Open{Text: "https://meet.example.org/#c4v9-mmr2-x0te"})

	test.Tap(h.edit)
	h.entry.Entry.SetText("  Nia K.  ")
	test.Tap(h.save)
	wants(t, c, call.SetName{Name: "Nia K."})
	if got := w.prefs.Name(); got != "Nia K." {
		t.Errorf("remembered name %q", got)
	}
	test.Tap(h.edit)
	h.entry.Entry.SetText("   ")
	h.entry.Entry.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	wants(t, c) // an empty name is ignored

	test.Tap(h.top.theme)
	if w.prefs.Theme() != widget.Light || !w.light() {
		t.Error("the switch did not turn on the light")
	}
	test.Tap(h.top.theme)
	if w.prefs.Theme() != widget.Dark || w.light() {
		t.Error("the switch did not turn off the light")
	}
}

func TestLobby(t *testing.T) {
	w, c := open(t, start)
	s := base(call.Lobby)
	show(w, s)
	l := w.lobby

	test.Tap(l.mic)
	test.Tap(l.camera)
	wants(t, c, call.Turn{Kind: media.Microphone}, call.Turn{Kind: media.Camera})
	if w.prefs.On(media.Camera) {
		t.Error("the camera's being off was not remembered")
	}

	test.Tap(l.cards[2])
	pick(t, w, "Desk view")
	wants(t, c, call.Choose{Kind: media.Camera, ID: "desk"})
	if got := w.prefs.Choice(media.Camera); got != "desk" {
		t.Errorf("remembered camera %q", got)
	}

	test.Tap(l.test)
	wants(t, c, call.TestSpeaker{})
	show(w, s)
	test.Tap(l.cards[1])
	pick(t, w, say("speaker.test"))
	wants(t, c, call.TestSpeaker{})

	for _, tt := range []struct {
		now  call.Sound
		pick string
		then call.Sound
	}{
		{call.Sound{Noise: true}, "Reduce background noise", call.Sound{}},
		{call.Sound{}, "Reduce background noise", call.Sound{Noise: true}},
		{call.Sound{Noise: true}, "Original sound, for music", call.Sound{Noise: true, Original: true}},
		{call.Sound{Noise: true, Original: true}, "Original sound, for music", call.Sound{Noise: true}},
		{call.Sound{Original: true}, "Reduce background noise", call.Sound{Noise: true}},
	} {
		s.Sound = tt.now
		w.prefs.SetSound(tt.now) // as the last command set it
		show(w, s)
		test.Tap(l.cards[0])
		pick(t, w, tt.pick)
		wants(t, c, call.SetSound{Sound: tt.then})
		if got := w.prefs.Sound(); got != tt.then {
			t.Errorf("%q at %+v: remembered %+v", tt.pick, tt.now, got)
		}
	}

	for _, on := range []bool{true, false} { // the lobby too: it applies before we connect to others
		test.Tap(l.cards[2])
		pick(t, w, say("menu.hide-address"))
		wants(t, c, call.HideAddress{On: on})
		if w.prefs.AddressHidden() != on {
			t.Errorf("an address that is hidden (%v) is not remembered", on)
		}
		s.AddressHidden = on
		show(w, s)
	}

	test.Tap(l.copy.Button)
	if got := w.app.Clipboard().Content(); got != s.Link {
		t.Errorf("copied %q", got)
	}

	test.Tap(l.join)
	wants(t, c, call.Join{})
	show(w, s)
	l.name.Entry.SetText("")
	test.Tap(l.join)
	l.name.Entry.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	wants(t, c) // nobody joins without a name
	test.Type(l.name.Entry, "Nia")
	l.name.Entry.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	wants(t, c, call.SetName{Name: "Nia"}, call.Join{})

	test.Tap(l.back)
	wants(t, c, call.Leave{})
}

// TestNoNoiseSwitch: a build that cannot remove noise shows no switch for it, and the other one for sound.
func TestNoNoiseSwitch(t *testing.T) {
	w, _ := open(t, start)
	for _, stays := range []bool{false, true} {
		s := base(call.Lobby)
		s.NoiseStays = stays
		show(w, s)
		test.Tap(w.lobby.cards[0])
		var labels []string
		for _, it := range w.menu.closing() {
			labels = append(labels, it.Label)
		}
		if slices.Contains(labels, say("menu.noise")) == stays || !slices.Contains(labels, say("menu.original")) {
			t.Errorf("noise stays: %v, and the menu has %q", stays, labels)
		}
		w.typed(&fyne.KeyEvent{Name: fyne.KeyEscape})
	}
}

// pick chooses an item of the open menu.
func pick(t *testing.T, w *Window, label string) {
	t.Helper()
	if w.menu == nil {
		t.Fatal("no menu is open")
	}
	for _, it := range w.menu.closing() {
		if it.Label == label && it.OnTap != nil {
			it.OnTap()
			if w.menu != nil || w.win.Canvas().Overlays().Top() != nil {
				t.Error("the menu stays open")
			}
			return
		}
	}
	t.Fatalf("the menu has no %q", label)
}

func TestBar(t *testing.T) {
	w, c := open(t, start)
	s := with(base(call.Live), 2)
	show(w, s)
	b := w.stage.bar

	test.Tap(b.mic)
	test.Tap(b.camera)
	test.Tap(b.leave)
	wants(t, c, call.Turn{Kind: media.Microphone}, call.Turn{Kind: media.Camera}, call.Leave{})

	s.Screen.On, s.Mic.On = true, false
	show(w, s)
	test.Tap(b.mic)
	test.Tap(b.screen)
	wants(t, c, call.Turn{Kind: media.Microphone, On: true}, call.StopScreen{})

	test.Tap(b.copy.Button)
	if got := w.app.Clipboard().Content(); got != s.Link {
		t.Errorf("copied %q", got)
	}
	test.Tap(b.more)
	pick(t, w, "Light")
	if !w.light() {
		t.Error("the menu did not turn on the light")
	}
}

func TestMenuFollowsState(t *testing.T) {
	w, c := open(t, start)
	s := with(base(call.Live), 1)
	show(w, s)
	test.Tap(w.stage.bar.more)
	s.Devices = map[media.Kind][]media.Device{media.Camera: {{ID: "new", Name: "New camera"}}}
	show(w, s)
	pick(t, w, "New camera")
	wants(t, c, call.Choose{Kind: media.Camera, ID: "new"})

	test.Tap(w.stage.bar.more)
	w.typed(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if w.menu != nil {
		t.Error("Escape leaves the menu open")
	}
	test.Tap(w.stage.bar.more)
	s.Phase = call.Ended
	show(w, s)
	if w.menu != nil || w.win.Canvas().Overlays().Top() != nil {
		t.Error("the menu outlives its screen")
	}
}

func TestNarrowMenuHasTheRest(t *testing.T) {
	w, c := open(t, smallest)
	show(w, with(base(call.Live), 2))
	b := w.stage.bar
	for name, o := range map[string]fyne.CanvasObject{"screen": b.screen, "people": b.people, "chat": b.chat} {
		if o.Visible() {
			t.Errorf("%s is on the narrow bar", name)
		}
	}
	test.Tap(b.more)
	for _, item := range w.stage.moreItems() {
		if item.Label == "Share a screen" {
			item.OnTap()
		}
	}
	wants(t, c, call.Browse{On: true})
	w.typed(&fyne.KeyEvent{Name: fyne.KeyEscape})
	wants(t, c, call.Browse{})
	test.Tap(b.more)
	pick(t, w, "People (3)")
	if !w.stage.people.root.Visible() {
		t.Error("people did not open")
	}
	for _, tile := range w.stage.all {
		if tile.w != 0 {
			t.Errorf("the tile of %q is decoded behind the panel", tile.id)
		}
	}
}

func TestChat(t *testing.T) {
	w, c := open(t, start)
	s := with(base(call.Live), 2)
	s.Room.Chat = conversation[:2]
	show(w, s)
	st := w.stage
	if st.chat.unread != 2 {
		t.Errorf("%d unread, want 2", st.chat.unread)
	}
	press(w, fyne.KeyC, fyne.KeyModifierControl|fyne.KeyModifierAlt)
	if !st.chat.root.Visible() || st.chat.unread != 0 {
		t.Error("the chat is not open and read")
	}
	if w.win.Canvas().Focused() != st.chat.field.Entry {
		t.Error("one cannot type at once")
	}
	test.Type(st.chat.field.Entry, "  hello ")
	st.chat.field.Entry.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	wants(t, c, call.Room{Command: room.Say{Text: "hello"}})
	if st.chat.field.Entry.Text != "" {
		t.Error("the text stays in the field")
	}
	test.Tap(st.chat.send)
	wants(t, c) // nothing to say

	s.Room.Chat = conversation
	show(w, s)
	if st.chat.unread != 0 {
		t.Error("what comes while the chat is open is unread")
	}
	test.Tap(retry(t, st.chat.lines[3]))
	wants(t, c, call.Room{Command: room.Resend{ID: conversation[3].ID}})

	st.chat.field.Entry.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if st.chat.root.Visible() {
		t.Error("Escape leaves the chat open")
	}
	s.Room.Chat = append(conversation[:5:5], message(7, "Mei Tanaka", "Hello", false, room.Delivered))
	show(w, s)
	if st.chat.unread != 1 {
		t.Errorf("%d unread after one more, want 1", st.chat.unread)
	}
}

// Typed text is not lost: the field gets the focus whenever the chat opens, drafts are kept, and letters typed
// after selecting text in a message go to the field too.
func TestTypeIntoChat(t *testing.T) {
	w, c := open(t, start)
	s := with(base(call.Live), 2)
	s.Room.Chat = conversation
	show(w, s)
	chat := w.stage.chat
	for i := range 3 {
		press(w, fyne.KeyC, fyne.KeyModifierControl|fyne.KeyModifierAlt)
		if w.win.Canvas().Focused() != fyne.Focusable(chat.field.Entry) {
			t.Fatalf("opened %d times, the keyboard is at %T", i+1, w.win.Canvas().Focused())
		}
		test.Type(chat.field.Entry, "m c ") // shortcuts are off while typing
		press(w, fyne.KeyC, fyne.KeyModifierControl|fyne.KeyModifierAlt)
	}
	wants(t, c)
	press(w, fyne.KeyC, fyne.KeyModifierControl|fyne.KeyModifierAlt)
	first, second := chat.lines[0].Text, chat.lines[1].Text
	first.DoubleTapped(&fyne.PointEvent{})
	if w.win.Canvas().Focused() != fyne.Focusable(first) || first.SelectedText() == "" {
		t.Errorf("%q selected, the keyboard is at %T", first.SelectedText(), w.win.Canvas().Focused())
	}
	second.DoubleTapped(&fyne.PointEvent{})
	if first.SelectedText() != "" || second.SelectedText() == "" {
		t.Error("two messages have a selection")
	}
	second.TypedShortcut(&fyne.ShortcutSelectAll{})
	second.TypedShortcut(&fyne.ShortcutCopy{Clipboard: w.app.Clipboard()})
	if got := w.app.Clipboard().Content(); got != conversation[1].Text {
		t.Errorf("copied %q", got)
	}
	second.TypedRune('!')
	if got := chat.field.Entry.Text; got != "m c m c m c !" {
		t.Errorf("the draft reads %q", got)
	}
	if w.win.Canvas().Focused() != fyne.Focusable(chat.field.Entry) {
		t.Error("the next letter would be lost")
	}
	second.TappedSecondary(nil)
	if w.menu == nil || w.menu.shown[0].Label != "Copy" {
		t.Fatal("the right button offers no Copy")
	}
	second.Unselect()
	w.menu.shown[0].OnTap()
	if got := w.app.Clipboard().Content(); got != conversation[1].Text {
		t.Errorf("the menu copied %q", got)
	}
	w.menu.close()
	second.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	show(w, with(base(call.Reconnecting), 2))
	show(w, s)
	if got := chat.field.Entry.Text; got != "m c m c m c !" {
		t.Errorf("after a loss of connection the draft reads %q", got)
	}
}

// retry finds the button that resends a message.
func retry(t *testing.T, line *widget.Message) *widget.Button {
	t.Helper()
	for _, o := range test.WidgetRenderer(line).Objects() {
		if b, ok := o.(*widget.Button); ok && b.Visible() {
			return b
		}
	}
	t.Fatal("the message cannot be sent again")
	return nil
}

func TestBanner(t *testing.T) {
	w, c := open(t, start)
	s := with(base(call.Live), 2)
	s.Problem = call.Problem{Kind: call.SoundFailed}
	s.Camera.Problem = call.Problem{Kind: call.DeviceUnplugged, Device: media.Camera}
	show(w, s)
	b := w.stage.banner
	test.Tap(b.close)
	wants(t, c, call.Dismiss{})
	s.Problem = call.Problem{}
	show(w, s)
	if got := b.text.Text(); got != problemText(s.Camera.Problem) {
		t.Errorf("the banner says %q", got)
	}
	test.Tap(b.close)
	wants(t, c)
	show(w, s)
	if b.box.Visible() {
		t.Error("a dismissed line is back")
	}
	s.Camera.Problem = call.Problem{Kind: call.DeviceBusy, Device: media.Camera}
	show(w, s)
	if !b.box.Visible() {
		t.Error("another line does not show")
	}
	s.Phase = call.Reconnecting
	show(w, s)
	if b.close.Visible() {
		t.Error("being without connection can be dismissed")
	}
}

func TestKeys(t *testing.T) {
	w, c := open(t, start)
	show(w, base(call.Idle))
	press(w, fyne.KeyD, fyne.KeyModifierControl)
	wants(t, c) // no meeting, no microphone

	s := with(base(call.Live), 20)
	show(w, s)
	press(w, fyne.KeyD, fyne.KeyModifierControl)
	press(w, fyne.KeyE, fyne.KeyModifierControl)
	wants(t, c, call.Turn{Kind: media.Microphone}, call.Turn{Kind: media.Camera})

	show(w, s) // turned on in another way
	w.stage.togglePanel(chatPanel)
	press(w, fyne.KeyD, fyne.KeyModifierControl) // works while typing too
	wants(t, c, call.Turn{Kind: media.Microphone})
	w.typed(&fyne.KeyEvent{Name: fyne.KeyEscape})

	w.typed(&fyne.KeyEvent{Name: fyne.KeyPageDown})
	if w.stage.page != 1 {
		t.Error("Page Down does not turn the page")
	}
	w.typed(&fyne.KeyEvent{Name: fyne.KeyPageDown})
	w.typed(&fyne.KeyEvent{Name: fyne.KeyPageUp})
	if w.stage.page != 0 {
		t.Error("Page Up does not turn back")
	}
}

func TestPushToTalk(t *testing.T) {
	w, c := open(t, start)
	s := with(base(call.Live), 2)
	s.Mic.On = false
	show(w, s)
	space := &fyne.KeyEvent{Name: fyne.KeySpace}
	on, off := call.Turn{Kind: media.Microphone, On: true}, call.Turn{Kind: media.Microphone}

	w.keyDown(space)
	wants(t, c, on)
	s.Mic.On = true
	show(w, s)
	w.keyUp(space)
	wants(t, c, off)
	if !w.prefs.On(media.Microphone) {
		t.Error("holding Space was remembered as a choice")
	}

	show(w, s) // turned on by its button: Space changes nothing
	w.keyDown(space)
	w.keyUp(space)
	wants(t, c)

	s.Mic.On = false
	show(w, s)
	w.keyDown(space)
	wants(t, c, on)
	w.stopTalking() // the window lost the keyboard
	wants(t, c, off)
	w.keyUp(space)
	wants(t, c)

	w.keyDown(space)
	wants(t, c, on)
	s.Phase = call.Ended
	show(w, s)
	wants(t, c, off)
}

func TestLeavingScreens(t *testing.T) {
	w, c := open(t, start)
	show(w, base(call.Joining))
	test.Tap(w.wait.cancel)
	wants(t, c, call.Leave{})
	show(w, base(call.Ended))
	test.Tap(w.ended.rejoin)
	test.Tap(w.ended.back)
	wants(t, c, call.Join{}, call.Close{})
}

// TestByKeyboardAlone tabs through every screen.
func TestByKeyboardAlone(t *testing.T) {
	s := with(base(call.Live), 1)
	for _, tt := range []struct {
		state call.State
		want  []string
	}{
		{base(call.Idle), []string{"New meeting", "Code or link", say("home.new-short"), "Edit", "Amara, Jonas and 3 more", "Jonas Lindqvist", "Use light colours"}},
		{base(call.Lobby), []string{
			"Turn microphone off", "Turn camera off", "Copy link", "Your name", "Join now", "Back to start",
			"Choose a microphone", "Choose a speaker", say("speaker.test"), "Choose a camera", "Use light colours",
		}},
		{base(call.Joining), []string{"Cancel"}},
		{s, []string{
			"Copy link", "Turn microphone off", "Turn camera off", "Share a screen", "More", "Leave", "People", "Chat",
		}},
		{base(call.Ended), []string{"Rejoin", "Back to start", "Use light colours"}},
	} {
		w, c := openScaled(t, start, someRecents)
		show(w, tt.state)
		got := tabOrder(w)
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%v: Tab goes to %q, want %q", tt.state.Phase, got, tt.want)
		}
		c.take()
		w.win.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	}
}

// tabOrder lists what Tab focuses until it is back at the start, 20 at most.
func tabOrder(w *Window) []string {
	var names []string
	for range 20 {
		test.FocusNext(w.win.Canvas())
		name := withoutIsolates(focusName(w.win.Canvas().Focused()))
		if len(names) > 0 && name == names[0] {
			break
		}
		names = append(names, name)
	}
	return names
}

func focusName(f fyne.Focusable) string {
	v := reflect.ValueOf(f)
	if !v.IsValid() {
		return ""
	}
	if n := v.Elem().FieldByName("Name"); n.IsValid() {
		return n.String()
	}
	return v.Type().String()
}

func TestEnterPresses(t *testing.T) {
	w, c := open(t, start)
	show(w, with(base(call.Live), 1))
	leave := w.stage.bar.leave
	for _, key := range []fyne.KeyName{fyne.KeyReturn, fyne.KeyEnter, fyne.KeySpace} {
		show(w, with(base(call.Live), 1))
		leave.TypedKey(&fyne.KeyEvent{Name: key})
		wants(t, c, call.Leave{})
	}
}

func TestRingFollowsVoice(t *testing.T) {
	w, c := open(t, start)
	s := with(base(call.Live), 2)
	s.Peers[0].Speaking = false
	now := clock
	w.now = func() time.Time { return now }
	show(w, s)
	tile := w.stage.faces[s.Peers[0].ID]
	rings := func() bool { w.stage.pulse(now); return tile.State().Speaking }
	if rings() {
		t.Error("a ring around somebody silent")
	}
	c.levels[s.Peers[0].ID] = -20
	if !rings() {
		t.Error("no ring around a voice")
	}
	c.levels[s.Peers[0].ID] = -80
	now = now.Add(ringStays / 2)
	if !rings() {
		t.Error("the ring flickers between words")
	}
	now = now.Add(ringStays)
	if rings() {
		t.Error("the ring stays")
	}
	c.levels[s.Peers[1].ID] = -20 // muted, so the level is ignored
	if w.stage.pulse(now); w.stage.faces[s.Peers[1].ID].State().Speaking {
		t.Error("a ring around somebody muted")
	}
}

func TestRejoiningRemembersWhatWasRead(t *testing.T) {
	w, _ := open(t, start)
	s := with(base(call.Live), 2)
	s.Room.Chat = conversation[:2]
	show(w, s)
	w.stage.togglePanel(chatPanel)
	show(w, base(call.Ended))
	show(w, s)
	if n := w.stage.chat.unread; n != 0 {
		t.Errorf("%d unread after coming back", n)
	}
	show(w, base(call.Ended))
	s.Code = "c4v9-mmr2-x0te"
	show(w, s)
	if n := w.stage.chat.unread; n != 2 {
		t.Errorf("%d unread in another meeting, want 2", n)
	}
}

func TestProblemGoesWithItsCause(t *testing.T) {
	w, c := open(t, start)
	s := base(call.Idle)
	s.Problem = call.Problem{Kind: call.BadCode}
	show(w, s)
	test.Type(w.home.code.Entry, "7")
	wants(t, c, call.Dismiss{})
}
