package ui

import (
	"net/url"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"parley/media/call"
	"parley/signal"
)

const (
	otherLink = "https://meet.example.org/#aaaa-bbbb-2222" // on the server of base
	farLink   = "https://far.example.net/#aaaa-bbbb-2222"
)

func TestClicked(t *testing.T) {
	known := func(scheme, host string) bool { return scheme == "https" && host == "meet.example.org" }
	same := base(call.Live).Link
	stay, open, leave := click{stay: true}, click{}, click{leave: true}
	far := click{host: "far.example.net"}
	for name, c := range map[string]struct {
		phase call.Phase
		link  string
		want  click
	}{
		"idle":                           {call.Idle, otherLink, open},
		"idle, new server":               {call.Idle, farLink, far},
		"idle, new second address":       {call.Idle, otherLink + "&at=far.example.net", far},
		"idle, known server without TLS": {call.Idle, "http://meet.example.org/#aaaa-bbbb-2222", click{host: "meet.example.org"}},
		"lobby, same":                    {call.Lobby, same, stay},
		"lobby, same by another server":  {call.Lobby, "https://far.example.net/#7k3m-q9xt-2w8p", far},
		"lobby":                          {call.Lobby, otherLink, open},
		"lobby, new server":              {call.Lobby, farLink, far},
		"joining, same":                  {call.Joining, same, stay},
		"joining":                        {call.Joining, otherLink, leave},
		"live, same":                     {call.Live, same, stay},
		"live, same for the app":         {call.Live, "parley://meet.example.org/#7K3MQ9XT2W8P", stay},
		"live":                           {call.Live, otherLink, leave},
		"live, new server":               {call.Live, farLink, click{leave: true, host: "far.example.net"}},
		"reconnecting":                   {call.Reconnecting, otherLink, leave},
		"reconnecting, same":             {call.Reconnecting, same, stay},
		"ended, same":                    {call.Ended, same, open},
		"ended":                          {call.Ended, otherLink, open},
		"ended, new server":              {call.Ended, farLink, far},
	} {
		link, err := signal.ParseLink(c.link, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := clicked(base(c.phase), link, known); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// openTrusting opens a window that trusts the server of base, and counts how often it comes to the front.
func openTrusting(t *testing.T, phase call.Phase) (w *Window, c *fakeCall, front *int) {
	t.Helper()
	w, c = open(t, start)
	server, err := signal.ParseServer("https://meet.example.org")
	if err != nil {
		t.Fatal(err)
	}
	w.Trust(server, func(host string) bool { return host == "127.0.0.1" })
	front = new(int)
	w.raise = func() { *front++ }
	show(w, with(base(phase), 1))
	return w, c, front
}

func TestClickInMeeting(t *testing.T) {
	w, c, front := openTrusting(t, call.Live)
	w.Click(w.state.Link)
	w.Click("")
	wants(t, c)
	if *front != 2 || w.question != nil {
		t.Errorf("the window came to the front %d times, want 2; question %v, want none", *front, w.question)
	}

	w.Click(otherLink)
	wants(t, c) // the call goes on until the user answers
	if w.question == nil {
		t.Fatal("nobody is asked before a meeting ends")
	}
	if got := w.question.title.Text(); got != "Leave this meeting and open the other?" {
		t.Errorf("the question is %q", got)
	}
	test.Tap(w.question.no)
	wants(t, c)
	if w.question != nil || w.win.Canvas().Overlays().Top() != nil {
		t.Error("the question stays after its answer")
	}

	w.Click(farLink)
	w.Click(otherLink) // the last click wins
	if n := len(w.win.Canvas().Overlays().List()); n != 1 {
		t.Errorf("%d questions lie on the window, want 1", n)
	}
	test.Tap(w.question.yes)
	wants(t, c, call.Open{Text: otherLink})

	w.Click(farLink)
	w.typed(&fyne.KeyEvent{Name: fyne.KeyEscape})
	wants(t, c)
	if w.question != nil {
		t.Error("Escape is no answer")
	}
	w.Click("parley://meet.example.org/#7k3m") // damaged: the call reports it
	wants(t, c, call.Open{Text: "parley://meet.example.org/#7k3m"})
}

func TestClickToNewServer(t *testing.T) {
	w, c, _ := openTrusting(t, call.Idle)
	for _, link := range []string{otherLink, "http://127.0.0.1:9/#aaaa-bbbb-2222"} {
		w.Click(link)
		wants(t, c, call.Open{Text: link})
	}
	w.Click("parley://far.example.net/#aaaa-bbbb-2222")
	wants(t, c)
	if w.question == nil {
		t.Fatal("nobody is asked about a new server")
	}
	if got := withoutIsolates(w.question.text.Text()); got != "This meeting is at far.example.net, where you have not been before." {
		t.Errorf("the question is %q", got)
	}
	test.Tap(w.question.yes)
	wants(t, c, call.Open{Text: farLink})

	show(w, base(call.Idle))
	w.prefs.AddRecent(Recent{Code: "7k3m-q9xt-2w8p", Link: "https://far.example.net/#7k3m-q9xt-2w8p"})
	w.Click(farLink)
	wants(t, c, call.Open{Text: farLink}) // a known server

	w.Click("https://" + strings.Repeat("meet.example.org.", 12) + "far.example/#aaaa-bbbb-2222")
	if got := withoutIsolates(w.question.text.Text()); !strings.Contains(got, "far.example,") || len(got) > 150 {
		t.Errorf("the question hides the end of the host: %q", got)
	}
}

// TestQuestionKeepsKeyboard: the focus stays on the answer that changes nothing, even when the screen
// underneath changes.
func TestQuestionKeepsKeyboard(t *testing.T) {
	w, c := open(t, start) // no state yet, as with a link on the command line
	w.Click(farLink)
	for _, phase := range []call.Phase{call.Idle, call.Live, call.Ended} {
		show(w, base(phase))
		if w.question == nil || w.win.Canvas().Focused() != w.question.no {
			t.Fatalf("%v: the keyboard is at %v, want the question's first answer", phase, w.win.Canvas().Focused())
		}
	}
	w.question.no.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	wants(t, c)
	if w.question != nil {
		t.Error("the question stays after its answer")
	}
}

// TestLateAnswer: the answer to a question that did not mention leaving does not end a meeting.
func TestLateAnswer(t *testing.T) {
	w, c, _ := openTrusting(t, call.Idle)
	w.Click(farLink)
	show(w, with(base(call.Live), 1))
	test.Tap(w.question.yes)
	wants(t, c)
	if w.question == nil {
		t.Fatal("nobody is asked before a meeting ends")
	}
	test.Tap(w.question.yes)
	wants(t, c, call.Open{Text: farLink})
}

func TestClickDamaged(t *testing.T) {
	w, c, front := openTrusting(t, call.Ended)
	w.Click("parley://meet.example.org/#7k3m")
	wants(t, c, call.Close{}, call.Open{Text: "parley://meet.example.org/#7k3m"})
	if *front != 1 {
		t.Error("the problem shows behind other windows")
	}
}

func TestMeetingLink(t *testing.T) {
	for address, want := range map[string]bool{
		otherLink:                  true,
		otherLink + "&at=10.0.0.1": true,
		"https://example.org/meet/#aaaa-bbbb-2222":    true,
		"parley://meet.example.org/#aaaabbbb2222":     true,
		"parley://meet.example.org/#aaaa":             true, // the window says what is wrong with it
		"https://docs.example.org/guide#installation": false,
		"https://example.org/":                        false,
		"https://github.com/x/y#L10-L20":              false,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := meetingLink(u); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}

// TestChatLinkAsks: a meeting link in chat, in any form, does not end a call without a question.
func TestChatLinkAsks(t *testing.T) {
	for _, address := range []string{otherLink, "parley://meet.example.org/#aaaa-bbbb-2222"} {
		w, c, _ := openTrusting(t, call.Live)
		w.stage.chat.openLink(address)
		wants(t, c)
		if w.question == nil {
			t.Fatalf("%s: nobody is asked", address)
		}
		test.Tap(w.question.yes)
		wants(t, c, call.Open{Text: otherLink})
	}
}

// TestFirstWindowFits: the window starts no larger than the screen and no smaller than its minimum.
func TestFirstWindowFits(t *testing.T) {
	for screen, want := range map[fyne.Size]fyne.Size{
		{}:                       start,
		fyne.NewSize(1920, 1080): start,
		fyne.NewSize(800, 600):   fyne.NewSize(800, 600),
		fyne.NewSize(1366, 700):  fyne.NewSize(1280, 700),
		fyne.NewSize(300, 200):   smallest,
	} {
		w, _ := open(t, start)
		w.Limit(screen)
		if got := w.win.Canvas().Size(); got != want {
			t.Errorf("on %v the window is %v, want %v", screen, got, want)
		}
	}
}
