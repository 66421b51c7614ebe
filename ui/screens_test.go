package ui

import (
	"fmt"
	"image"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"parley/media"
	"parley/media/call"
	"parley/signal"
	"parley/signal/phrase"
	"parley/signal/room"
	"parley/signal/roster"
	"parley/ui/widget"
)

func message(i int, from, text string, mine bool, st room.Delivery) room.Message {
	return room.Message{
		ID: from + text, From: "id-" + "x", Name: from, Text: text, Mine: mine, Status: st,
		At: clock.Add(time.Duration(i-6) * 6 * time.Minute),
	}
}

var conversation = []room.Message{
	message(1, "Amara Okafor", "Second draft is up: the calm version.", false, room.Delivered),
	message(3, "Rafael Costa", "Can we keep the bar always visible on small screens?", false, room.Delivered),
	message(4, "Nia Koroma", "Yes, it hides only in full screen. https://docs.example.org/stage", true, room.Delivered),
	message(5, "Nia Koroma", "One more thing that could not be sent", true, room.Failed),
	message(6, "Nia Koroma", "And one on its way", true, room.Sending),
}

// longCode is the state of a meeting whose code nobody is to say aloud.
func longCode(s call.State) call.State {
	s.Code += "-c4fe-9k2m-x7p0"
	s.Link += "-c4fe-9k2m-x7p0"
	return s
}

// states are the golden pictures: the name, the state, and the user's actions.
var states = []struct {
	name  string
	state func() call.State
	act   func(w *Window)
	prep  func(Preferences)
}{
	{"home", func() call.State { return base(call.Idle) }, nil, someRecents},
	{"home-empty", func() call.State { s := base(call.Idle); s.Name = ""; return s }, nil, nil},
	{"home-error", func() call.State {
		s := base(call.Idle)
		s.Problem = call.Problem{Kind: call.BadCode}
		return s
	}, func(w *Window) { w.home.code.Entry.SetText("hello") }, someRecents},
	{"home-edit", func() call.State { return base(call.Idle) }, func(w *Window) { w.home.startEdit() }, someRecents},
	{"lobby", func() call.State { return with(base(call.Lobby), 4) }, func(w *Window) {
		w.call.(*fakeCall).levels[call.Self] = -27
		w.display.pulsed = time.Time{}
		w.tick(time.Now())
	}, nil},
	{"lobby-long-code", func() call.State { return longCode(with(base(call.Lobby), 4)) }, nil, nil},
	{"stage-alone-long-code", func() call.State { return longCode(base(call.Live)) }, nil, nil},
	{"home-long-code", func() call.State { return base(call.Idle) }, nil, func(p Preferences) {
		s := longCode(base(call.Live))
		p.AddRecent(Recent{Code: s.Code, Link: s.Link, When: clock.AddDate(0, 0, -2), Duration: 48 * time.Minute, People: 6, Names: []string{"Amara Okafor", "Jonas Lindqvist", "Mei Tanaka"}})
	}},
	{"lobby-nobody", func() call.State { s := base(call.Lobby); s.Mic.On, s.Camera.On = false, false; return s }, nil, nil},
	{"lobby-connecting", func() call.State { s := base(call.Lobby); s.Room.Link = room.Connecting; return s }, nil, nil},
	{"lobby-problems", func() call.State {
		s := base(call.Lobby)
		s.Room.Link = room.Reconnecting
		s.Mic = call.Local{On: true, Problem: call.Problem{Kind: call.DeviceMissing, Device: media.Microphone}}
		s.Camera = call.Local{On: true, Problem: call.Problem{Kind: call.DeviceBusy, Device: media.Camera}, Device: media.Device{Name: "FaceTime HD"}}
		return s
	}, nil, nil},
	{"lobby-speaker", func() call.State {
		s := base(call.Lobby)
		s.Speaker.Testing = true
		return s
	}, nil, nil},
	{"lobby-speaker-menu", func() call.State {
		s := base(call.Lobby)
		s.Speaker.Problem = call.Problem{Kind: call.DeviceBusy, Device: media.Speaker}
		return s
	}, func(w *Window) { w.lobby.cards[1].OnTap() }, nil},
	{"lobby-menu", func() call.State { return with(base(call.Lobby), 1) }, func(w *Window) { w.lobby.cards[2].OnTap() }, nil},
	{"joining", func() call.State { return base(call.Joining) }, nil, nil},
	{"stage-alone", func() call.State { return with(base(call.Live), 0) }, nil, nil},
	{"stage-alone-here", hosted(call.HostedHere, 0), nil, nil},
	{"stage-alone-anywhere", hosted(call.HostedAnywhere, 0), nil, nil},
	{"stage-alone-ipv6", hosted(call.HostedIPv6, 0), nil, nil},
	{"stage-people-here", hosted(call.HostedHere, 2), func(w *Window) { w.stage.togglePanel(peoplePanel) }, nil},
	{"stage-people-anywhere", hosted(call.HostedAnywhere, 2), func(w *Window) { w.stage.togglePanel(peoplePanel) }, nil},
	{"stage-two", func() call.State { return with(base(call.Live), 1) }, nil, nil},
	{"stage-connecting", func() call.State {
		s := with(base(call.Live), 3)
		s.Peers[0].Phase, s.Peers[0].Speaking = call.PeerReconnecting, false
		s.Peers[1].Phase = call.PeerConnecting
		s.Peers[2].Phase = call.PeerFailed
		s.Peers[2].Camera = false
		return s
	}, nil, nil},
	{"stage-unreachable", func() call.State {
		s := with(base(call.Live), 3)
		s.AddressHidden = true
		s.Room.ICE = nil
		for i, k := range []call.ProblemKind{call.WithoutUDP, call.HiddenWithoutRelay, call.TheirNetwork} {
			s.Peers[i].Phase, s.Peers[i].Problem = call.PeerFailed, call.Problem{Kind: k}
		}
		return s
	}, nil, nil},
	{"stage-reconnecting-long", func() call.State {
		s := with(base(call.Live), 4)
		for i := range s.Peers {
			s.Peers[i].Phase, s.Peers[i].Speaking, s.Peers[i].Camera = call.PeerReconnecting, false, i != 1
		}
		s.Peers[3].Phase = call.PeerFailed
		return s
	}, func(w *Window) { w.now = func() time.Time { return clock.Add(longLost) } }, nil},
	{"stage-frozen", func() call.State { return with(base(call.Live), 1) }, func(w *Window) {
		for _, v := range w.call.(*fakeCall).views {
			v.frozen = true
		}
		w.now = func() time.Time { return clock.Add(frozenAfter + time.Second) }
	}, nil},
	{"lobby-silenced", func() call.State { s := base(call.Lobby); s.Mic.Silenced = true; return s }, nil, nil},
	{"stage-silenced", func() call.State { s := with(base(call.Live), 3); s.Mic.Silenced = true; return s }, nil, nil},
	{"stage-broken", func() call.State {
		s := with(base(call.Live), 1)
		s.Mic = call.Local{On: true, Problem: call.Problem{Kind: call.DeviceMissing, Device: media.Microphone}}
		s.Camera = call.Local{On: true, Problem: call.Problem{Kind: call.DeviceDenied, Device: media.Camera}}
		return s
	}, func(w *Window) { w.stage.togglePanel(peoplePanel) }, nil},
	{"lobby-message", func() call.State {
		s := with(base(call.Lobby), 3)
		s.Problem = call.Problem{Kind: call.DeviceReplaced, Device: media.Camera, Name: "FaceTime HD"}
		return s
	}, nil, nil},
	{"lobby-no-name", func() call.State { s := base(call.Lobby); s.Name = ""; return s }, nil, nil},
	{"stage-sharing-minimised", func() call.State {
		s := with(base(call.Live), 3)
		s.Screen = call.Local{On: true, Live: true, Hidden: true, Device: media.Device{Name: "Roadmap, winter — Editor"}}
		return s
	}, nil, nil},
	{"stage-upright", shapes(image.Pt(720, 1280)), nil, nil},
	{"stage-upright-two", shapes(image.Pt(720, 1280), image.Pt(720, 1280)), nil, nil},
	{"stage-shapes", shapes(image.Pt(720, 1280), image.Pt(1000, 1000), image.Pt(640, 480), image.Pt(2560, 1080)), nil, nil},
	{"stage-present-upright", func() call.State {
		s := shapes(image.Pt(720, 1280), image.Pt(1000, 1000), image.Pt(2560, 1080))()
		s.Peers[1].Screen = true
		return s
	}, nil, nil},
	{"stage-banner-alone", troubled(func() call.State { return with(base(call.Live), 0) }), nil, nil},
	{"stage-banner-two", troubled(func() call.State { return with(base(call.Live), 1) }), nil, nil},
	{"stage-banner-grid", troubled(func() call.State { return with(base(call.Live), 5) }), nil, nil},
	{"stage-banner-chat", troubled(func() call.State { return with(base(call.Live), 5) }), func(w *Window) {
		w.stage.togglePanel(chatPanel)
		w.win.Canvas().Unfocus()
	}, nil},
	{"stage-banner-sharing", troubled(func() call.State {
		s := with(base(call.Live), 3)
		s.Screen = call.Local{On: true, Live: true, Device: media.Device{Name: "Entire screen"}}
		return s
	}), nil, nil},
	{"stage-reconnecting", func() call.State { return with(base(call.Reconnecting), 2) }, nil, nil},
	{"stage-six-chat", func() call.State {
		s := with(base(call.Live), 5)
		s.Mic.On = false
		s.Room.Chat = conversation
		for i := range s.Peers {
			s.Peers[i].Quality = 4 - i
		}
		return s
	}, func(w *Window) { w.stage.togglePanel(chatPanel); w.win.Canvas().Unfocus() }, nil},
	{"stage-chat-empty", func() call.State { return with(base(call.Live), 1) }, func(w *Window) { w.stage.togglePanel(chatPanel) }, nil},
	{"stage-people", func() call.State {
		s := with(base(call.Live), 8)
		s.Peers[3].Phase = call.PeerReconnecting
		s.Peers[0].Report = call.Report{Path: "host", RTT: 8 * time.Millisecond, W: 1280, H: 720, Limit: "none"}
		s.Peers[1].Report = call.Report{Path: "relay", Why: call.DetourRouters, RTT: 145 * time.Millisecond}
		s.Peers[2].Report = call.Report{Path: "srflx", RTT: 40 * time.Millisecond, W: 640, H: 360, Limit: "bandwidth"}
		s.Peers[4].Report = call.Report{Path: "srflx", RTT: 60 * time.Millisecond, W: 640, H: 360, Lossy: true}
		return s
	}, func(w *Window) { w.stage.togglePanel(peoplePanel) }, nil},
	{"stage-safety", compared(func(s *room.State) { s.Safety.Phrase, s.Safety.Known = somePhrase, true }), openSafety, nil},
	{"stage-safety-waiting", compared(func(s *room.State) { s.Safety.Missing = []signal.ID{s.Members[1].ID} }), openSafety, nil},
	{"stage-safety-alone", func() call.State { return base(call.Live) }, openSafety, nil},
	{"stage-verified", compared(func(s *room.State) {
		for i := range s.Members {
			s.Members[i].Verified = true
		}
	}), func(w *Window) { w.stage.togglePanel(peoplePanel) }, nil},
	{"stage-verified-not-all", compared(func(s *room.State) {
		s.Members[0].Verified, s.Members[2].Verified = true, true
		s.Safety.Changed = []signal.ID{s.Members[1].ID}
	}), func(w *Window) { w.stage.togglePanel(peoplePanel) }, nil},
	{"waiting", func() call.State {
		s := base(call.Waiting)
		s.Room.Standing = roster.Waiting
		return s
	}, nil, nil},
	{"waiting-locked", func() call.State {
		s := base(call.Waiting)
		s.Room.Standing = roster.LockedOut
		return s
	}, nil, nil},
	{"ended-removed", func() call.State {
		s := base(call.Ended)
		s.Reason = call.Removed
		return s
	}, nil, nil},
	{"stage-knock", hosting(1), nil, nil},
	{"stage-knocks", hosting(3), func(w *Window) { w.stage.togglePanel(peoplePanel) }, nil},
	{"stage-host-menu", hosting(0), func(w *Window) {
		w.stage.togglePanel(peoplePanel)
		w.stage.people.more.OnTap()
	}, nil},
	{"stage-person-menu", hosting(0), func(w *Window) {
		w.stage.togglePanel(peoplePanel)
		w.stage.people.rows[1].SetMore(true).OnTap()
	}, nil},
	{"stage-muted-by-host", func() call.State {
		s := with(base(call.Live), 3)
		s.Mic.On = false
		s.Told = call.Told{N: 1, Order: roster.Mute, By: "Ada Lovelace"}
		return s
	}, nil, nil},
	{"stage-busy", func() call.State {
		s := with(base(call.Live), 3)
		s.Shed = call.ShedLayer
		return s
	}, nil, nil},
	{"stage-crowd", func() call.State {
		s := with(base(call.Live), 20)
		s.Room.Chat = conversation[:2]
		return s
	}, nil, nil},
	{"stage-crowd-last", func() call.State { return with(base(call.Live), 20) }, func(w *Window) { w.stage.turnPage(1) }, nil},
	{"stage-present", func() call.State {
		s := with(base(call.Live), 3)
		s.Peers[2].Screen = true
		s.Problem = call.Problem{Kind: call.DeviceReplaced, Device: media.Camera, Name: "FaceTime HD"}
		return s
	}, nil, nil},
	{"stage-question", func() call.State { return with(base(call.Live), 2) }, func(w *Window) { w.click(farLink) }, nil},
	{"stage-share", func() call.State { return choosing(some()) }, func(w *Window) { w.openShare() }, nil},
	{"stage-share-window", func() call.State { return choosing(some()) }, func(w *Window) {
		w.openShare()
		w.sharing.choose("window:0x2")
		w.win.Canvas().Focus(w.sharing.motion)
		w.sharing.motion.OnTap()
	}, nil},
	{"stage-share-region", func() call.State { return choosing(some()) }, func(w *Window) {
		w.openShare()
		w.sharing.choose(regionCard)
		w.sharing.region.TypedKey(&fyne.KeyEvent{Name: fyne.KeyLeft})
	}, nil},
	{"stage-share-looking", func() call.State { return choosing(call.Shareables{}) }, func(w *Window) { w.openShare() }, nil},
	{"stage-share-wayland", func() call.State {
		return choosing(call.Shareables{Known: true, Problem: call.Problem{Kind: call.ScreenUnsupported}})
	}, func(w *Window) { w.openShare() }, nil},
	{"stage-sharing", func() call.State {
		s := with(base(call.Live), 3)
		s.Screen = call.Local{On: true, Live: true, Sound: true, Device: media.Device{Name: "Roadmap, winter — Editor"}}
		return s
	}, nil, nil},
	{"stage-sharing-problem", func() call.State {
		s := with(base(call.Live), 1)
		s.Screen = call.Local{On: true, Live: true, Device: media.Device{Name: "Entire screen"}}
		s.Problem = call.Problem{Kind: call.SoundFailed}
		return s
	}, nil, nil},
	{"stage-more", func() call.State { return with(base(call.Live), 1) }, func(w *Window) { w.stage.bar.more.OnTap() }, nil},
	{"stage-focus", func() call.State { return with(base(call.Live), 1) }, func(w *Window) { w.win.Canvas().Focus(w.stage.bar.camera) }, nil},
	{"stage-long-names", func() call.State {
		s := with(base(call.Live), 4)
		for i := range s.Peers {
			s.Peers[i].Name = "Dr. Wolfeschlegelsteinhausenbergerdorff-Featherstonehaugh of the Northern Territories"
			s.Peers[i].Mic = false
		}
		s.Peers[1].Name = "Ελένη Παπαδοπούλου"
		return s
	}, nil, nil},
	{"ended", func() call.State { return base(call.Ended) }, nil, someRecents},
	{"ended-unreachable", func() call.State {
		s := base(call.Ended)
		s.Reason = call.Unreachable
		s.Problem = call.Problem{Kind: call.NotRendezvous, Host: "meet.example.org"}
		return s
	}, nil, nil},
}

// shapes is a meeting in which the others have cameras of these sizes.
func shapes(sizes ...image.Point) func() call.State {
	return func() call.State {
		s := with(base(call.Live), len(sizes))
		for i, size := range sizes {
			s.Peers[i].Camera = true
			s.Peers[i].Name += " " + sizePrefix(size)
			s.Peers[i].ID = signal.ID(sizePrefix(size) + string(s.Peers[i].ID))
		}
		return s
	}
}

// sizePrefix is the prefix of an ID from which the fake call reads the camera's size.
func sizePrefix(size image.Point) string { return fmt.Sprintf("%dx%d", size.X, size.Y) }

// hosted is a meeting of n others that this machine hosts.
func hosted(h call.Hosting, n int) func() call.State {
	return func() call.State {
		s := with(base(call.Live), n)
		s.Hosting = h
		return s
	}
}

// troubled is a state with connection problems and a banner.
func troubled(state func() call.State) func() call.State {
	return func() call.State {
		s := state()
		s.Camera.Problem = call.Problem{Kind: call.DeviceBusy, Device: media.Camera}
		for i := range s.Peers {
			s.Peers[i].Quality = 1 + i%4
		}
		return s
	}
}

// choosing is a meeting in which the user chooses what to share.
func choosing(list call.Shareables) call.State {
	s := with(base(call.Live), 2)
	s.Shareables = list
	return s
}

// some is two screens and a few windows, one of them without a picture.
func some() call.Shareables {
	screen := func(id, name, seed string, at int) media.Shareable {
		return media.Shareable{
			Device: media.Device{Kind: media.Screen, ID: id, Name: name}, Size: image.Pt(1920, 1080), Origin: image.Pt(at, 0),
			Preview: previewOf(seed, 640, 360),
		}
	}
	window := func(id, name string, w, h int) media.Shareable {
		return media.Shareable{
			Device: media.Device{Kind: media.Screen, ID: id, Name: name}, Window: true, Size: image.Pt(w, h),
			Preview: previewOf("", w/3, h/3),
		}
	}
	l := call.Shareables{Known: true, List: []media.Shareable{
		screen("screen:DP-1", "Screen DP-1", "left", 0), screen("screen:HDMI-1", "Screen HDMI-1", "right", 1920),
		window("window:0x1", "Roadmap, winter — Editor", 1200, 900), window("window:0x2", "Inbox (3) — Mail", 900, 900),
		window("window:0x3", "Quarterly figures with a very long title that does not fit — Spreadsheet", 1600, 700),
	}}
	l.List[4].Preview = nil
	return l
}

// previews are created once: a new pointer means a new picture.
var previews = map[string]*image.RGBA{}

func previewOf(seed string, w, h int) *image.RGBA {
	key := fmt.Sprint(seed, w, h)
	if previews[key] == nil {
		previews[key] = slide(w, h)
		if seed != "" {
			previews[key] = photo(seed, w, h)
		}
	}
	return previews[key]
}

func someRecents(p Preferences) {
	p.AddRecent(Recent{Code: "c4v9-mmr2-x0te", Link: "https://meet.example.org/#c4v9-mmr2-x0te", When: clock.AddDate(0, 0, -3), Duration: 12 * time.Minute, People: 2, Names: []string{"Jonas Lindqvist"}})
	p.AddRecent(Recent{Code: "7k3m-q9xt-2w8p", Link: "https://meet.example.org/#7k3m-q9xt-2w8p", When: clock.AddDate(0, 0, -2), Duration: 48 * time.Minute, People: 6, Names: names[:5]})
}

// TestScreens compares every screen and state with its golden picture, and checks that every button is large
// enough to hit. The smallest size runs in the long tests only.
func TestScreens(t *testing.T) {
	for _, size := range []struct {
		suffix string
		size   fyne.Size
	}{{"", start}, {"-small", smallest}} {
		if testing.Short() && size.size == smallest {
			continue
		}
		for _, s := range states {
			t.Run(s.name+size.suffix, func(t *testing.T) {
				w, _ := openScaled(t, size.size, s.prep)
				show(w, s.state())
				if s.act != nil {
					s.act(w)
					show(w, s.state())
				}
				golden(t, w, s.name+size.suffix)
				checkTargets(t, w)
			})
		}
	}
}

// checkTargets fails for every button that is smaller than widget.Target in either direction.
func checkTargets(t *testing.T, w *Window) {
	t.Helper()
	for _, o := range test.LaidOutObjects(w.win.Canvas().Content()) {
		switch o.(type) {
		case *widget.RoundButton, *widget.Button, *copyButton, *widget.DeviceCard, *widget.Row, *widget.Field:
		default:
			continue
		}
		size := o.Size()
		if !o.Visible() || size.IsZero() {
			continue // or inside a hidden object
		}
		if size.Height < widget.Target || size.Width < widget.Target {
			t.Errorf("%T is %v", o, size)
		}
	}
}

func TestLight(t *testing.T) {
	light := func(p Preferences) { someRecents(p); p.SetTheme(widget.Light) }
	w, _ := openScaled(t, start, light)
	show(w, base(call.Idle))
	golden(t, w, "home-light")
	show(w, with(base(call.Lobby), 4))
	golden(t, w, "lobby-light")
	s := with(base(call.Live), 5)
	s.Room.Chat = conversation
	show(w, s)
	w.stage.togglePanel(chatPanel)
	show(w, s)
	golden(t, w, "stage-light")
}

// TestLarge draws a meeting on a 4K display.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("8 million pixels")
	}
	w, _ := open(t, fyne.NewSize(3840, 2160))
	show(w, with(base(call.Live), 5))
	golden(t, w, "stage-4k")
}

// somePhrase is of the longest words that there are.
var somePhrase = phrase.Phrase{
	Words: [4]string{"breadline", "businessman", "steamship", "belowground"}, Emoji: [5]string{"\U0001f419", "\U0001f332", "\U0001f355", "\U0001f6b2", "\u2693"},
}

// compared is a meeting of four in which the safety phrase is as change makes it.
func compared(change func(*room.State)) func() call.State {
	return func() call.State {
		s := with(base(call.Live), 3)
		s.Room.Members = nil
		for _, p := range s.Peers {
			s.Room.Members = append(s.Room.Members, room.Member{ID: p.ID, Name: p.Name, Present: true})
		}
		change(&s.Room)
		return s
	}
}

func openSafety(w *Window) {
	w.stage.togglePanel(peoplePanel)
	w.stage.people.safe.button.OnTap()
}

// hosting is the meeting of its owner, with a co-host, and so many who knock.
func hosting(knocking int) func() call.State {
	return func() call.State {
		s := with(base(call.Live), 3)
		s.Room.Hosted, s.Room.Me.Role, s.Room.Policy.Waiting = true, roster.Owner, true
		s.Room.Members[1].Role = roster.CoHost
		for i, p := range s.Peers {
			s.Room.Members[i].Mic = p.Mic
		}
		for i, name := range []string{"Grace Hopper", "Emmy Noether", "Alan Turing"}[:knocking] {
			s.Room.Knocking = append(s.Room.Knocking, room.Member{ID: signal.ID(fmt.Sprintf("knock%011d", i)), Name: name})
		}
		return s
	}
}
