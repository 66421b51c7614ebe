package ui

import (
	"errors"
	"net/url"

	"fyne.io/fyne/v2"

	"parley/media/call"
	"parley/signal"
)

// Links come from outside: clicked on the desktop or in chat, or given on the command line. They are not
// trusted: the user is asked before a link ends a meeting or contacts a new server.

// click is the decision about a clicked link.
type click struct {
	stay  bool   // the meeting is already open
	leave bool   // it would end the open meeting: ask
	host  string // a new server: ask; empty for a known one
}

// clicked decides about a link. known reports whether the user has used a server before.
func clicked(s call.State, link signal.Link, known func(scheme, host string) bool) click {
	same := s.Code == link.Code.String()
	if same && (s.Phase.Inside() || s.Phase == call.Lobby && s.Link == link.String()) {
		return click{stay: true}
	}
	c := click{leave: s.Phase.Inside()}
	for _, host := range append([]string{link.Server.Host}, link.At...) {
		if !known(link.Server.Scheme, host) {
			c.host = host
			break
		}
	}
	return c
}

// Trust sets the servers that need no question: the configured one, which may be nil, and this machine's
// own, for which own returns true.
func (w *Window) Trust(server *url.URL, own func(host string) bool) { w.server, w.own = server, own }

// Click handles a clicked link, from any goroutine. An empty link only brings the window to the front.
func (w *Window) Click(text string) { fyne.Do(func() { w.click(text) }) }

func (w *Window) click(text string) {
	w.raise()
	if text == "" {
		return
	}
	link, err := signal.ParseLink(text, w.server)
	if several := (*signal.Ambiguous)(nil); errors.As(err, &several) {
		w.openChoice(several.Links, w.follow, nil)
		return
	}
	if err != nil {
		if w.state.Phase == call.Ended {
			w.do(call.Close{})
		}
		w.do(call.Open{Text: text}) // the call reports what is wrong with it
		return
	}
	w.follow(link)
}

// follow opens the meeting of a clicked link, and asks first where that is needed.
func (w *Window) follow(link signal.Link) {
	c := clicked(w.state, link, w.known)
	var open func()
	open = func() {
		if w.state.Phase.Inside() && !c.leave { // a meeting started while the question was open
			c = click{leave: true}
			w.openQuestion(c, open)
			return
		}
		w.do(call.Open{Text: link.String()})
	}
	switch {
	case c.stay:
	case c.leave || c.host != "":
		w.openQuestion(c, open)
	default:
		w.question.close()
		open()
	}
}

// known reports whether the user has used this server before.
func (w *Window) known(scheme, host string) bool {
	is := func(server *url.URL) bool { return server != nil && server.Scheme == scheme && server.Host == host }
	if w.own != nil && w.own((&url.URL{Host: host}).Hostname()) || is(w.server) {
		return true
	}
	for _, r := range w.prefs.Recents() {
		link, err := signal.ParseLink(r.Link, nil)
		if err != nil {
			continue
		}
		for _, at := range append([]string{link.Server.Host}, link.At...) {
			if link.Server.Scheme == scheme && at == host {
				return true
			}
		}
	}
	return false
}

// meetingLink reports whether a URL in chat is a meeting link: a deep link, or an https link whose fragment
// has the exact form of a code. Other pages also use twelve-letter fragments.
func meetingLink(u *url.URL) bool {
	if u.Scheme == signal.DeepScheme {
		return true
	}
	link, err := signal.ParseLink(u.String(), nil)
	return err == nil && len(u.Fragment) >= len(link.Code.String()) && u.Fragment[:len(link.Code.String())] == link.Code.String()
}
