package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"parley/media"
	"parley/media/bot"
	"parley/media/call"
	"parley/signal"
	"parley/signal/room"
	"parley/test/harness"
)

// listener is a man in the middle between members and service. It reads everything and can change what members receive,
// like a malicious service.
type listener struct {
	t     testing.TB
	proxy *httputil.ReverseProxy
	ws    string // the service's WebSocket URL

	mu     sync.Mutex
	read   bytes.Buffer // every request line, header and message, in both directions
	sealed int          // sealed bodies among them
	conns  []*tapped    // in the order of joining
}

// tapped is one member's connection.
type tapped struct {
	l        *listener
	out      *websocket.Conn // to the member
	up       *websocket.Conn // to the service
	mu       sync.Mutex
	id       signal.ID
	said     []signal.Send // the messages that the member has sent
	count    uint64        // frames sent to the member
	upstream []uint64      // the service's count for each of our frames, for acknowledgements
	attack   func(signal.Message) []signal.Message
}

// startListener starts a listener in front of the service at addr and returns its own address.
func startListener(t testing.TB, addr string) (*listener, string) {
	t.Helper()
	target, err := url.Parse("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{t: t, proxy: httputil.NewSingleHostReverseProxy(target), ws: "ws://" + addr + signal.SocketPath}
	s := httptest.NewServer(l)
	t.Cleanup(s.Close)
	return l, strings.TrimPrefix(s.URL, "http://")
}

// note records passing data, also decoded from base64.
func (l *listener) note(text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read.Write(text)
	l.read.WriteByte('\n')
	f, err := signal.Decode(text)
	if err != nil {
		return
	}
	var body []byte
	switch f := f.(type) {
	case signal.Send:
		body = f.Body
	case signal.Message:
		body = f.Body
	}
	if body != nil {
		l.sealed++
		l.read.Write(body)
	}
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var head bytes.Buffer
	_ = r.Header.Write(&head)
	l.note([]byte(r.Method + " " + r.RequestURI + " " + r.Host + "\n" + head.String()))
	if r.URL.Path != signal.SocketPath {
		l.proxy.ServeHTTP(w, r)
		return
	}
	up, _, err := (&websocket.Dialer{Subprotocols: []string{signal.Subprotocol}}).Dial(l.ws, nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer up.Close()
	out, err := (&websocket.Upgrader{Subprotocols: []string{signal.Subprotocol}}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer out.Close()
	c := &tapped{l: l, out: out, up: up}
	l.mu.Lock()
	l.conns = append(l.conns, c)
	l.mu.Unlock()
	done := make(chan bool, 2)
	go func() { c.fromMember(); done <- true; out.Close(); up.Close() }()
	go func() { c.fromService(); done <- true; out.Close(); up.Close() }()
	<-done
	<-done
}

func (c *tapped) fromMember() {
	for {
		kind, text, err := c.out.ReadMessage()
		if err != nil {
			return
		}
		c.l.note(text)
		f, err := signal.Decode(text)
		if err != nil {
			c.l.t.Errorf("a member said what is no frame: %v", err)
		}
		c.mu.Lock()
		switch f := f.(type) {
		case signal.Join:
			c.id = f.ID
		case signal.Send:
			c.said = append(c.said, f)
		case signal.Ack:
			if f.N > uint64(len(c.upstream)) {
				c.l.t.Errorf("acknowledged %d of %d", f.N, len(c.upstream))
				break
			}
			text = signal.Encode(signal.Ack{N: c.upstream[f.N-1]})
		}
		c.mu.Unlock()
		if c.up.WriteMessage(kind, text) != nil {
			return
		}
	}
}

func (c *tapped) fromService() {
	for {
		kind, text, err := c.up.ReadMessage()
		if err != nil {
			return
		}
		c.l.note(text)
		f, err := signal.Decode(text)
		if err != nil {
			c.l.t.Errorf("the service said what is no frame: %v", err)
		}
		for _, text := range c.tell(text, f) {
			if c.out.WriteMessage(kind, text) != nil {
				return
			}
		}
	}
}

// tell renumbers a frame and sends it to the member.
func (c *tapped) tell(text []byte, f signal.Frame) [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := func(upstream uint64) uint64 {
		c.count++
		c.upstream = append(c.upstream, upstream)
		return c.count
	}
	switch f := f.(type) {
	case signal.Joined:
		return [][]byte{signal.Encode(signal.Joined{N: next(f.N), ID: f.ID})}
	case signal.Left:
		return [][]byte{signal.Encode(signal.Left{N: next(f.N), ID: f.ID})}
	case signal.Message:
		all := []signal.Message{f}
		if c.attack != nil {
			all = c.attack(f)
		}
		var texts [][]byte
		for _, m := range all {
			m.N = next(f.N)
			texts = append(texts, signal.Encode(m))
		}
		return texts
	}
	return [][]byte{text}
}

// arm sets how the next messages to the member are changed.
func (c *tapped) arm(attack func(signal.Message) []signal.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attack = attack
}

// TestE2EPrivacy reads everything that passes through the service: no names, messages, addresses or code. A service that
// tampers with messages only raises a counter.
func TestE2EPrivacy(t *testing.T) {
	harness.EndToEnd(t)
	service, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	tap, front := startListener(t, addr)
	const name, text = "Ada Lovelace", "the harbour at noon"
	ada := harness.CallInside(t, name, "http://"+front, func(c *call.Config) { c.Camera, c.Microphone = media.SpecTest, media.SpecTone })
	ada.Do(call.NewMeeting{Join: true})
	harness.AwaitTrue(t, "live", func() bool { return ada.State().Phase == call.Live }, func() string { return ada.State().Problem.String() })
	link := ada.State().Link
	ben := harness.CallInside(t, "Benjamin", "", func(c *call.Config) { c.Camera, c.Microphone = media.SpecTest, media.SpecTone })
	ben.Do(call.Open{Text: link, Join: true})
	seesMore := func(what string) {
		t.Helper()
		seen := 0
		harness.AwaitTrue(t, "Ben sees 10 more pictures "+what, func() bool {
			for _, p := range ben.State().Peers {
				if bot.Look(ben, p.ID, media.Camera, 320, 180, time.Now()) != nil {
					seen++
				}
			}
			return seen >= 10
		}, func() string { return fmt.Sprintf("%d pictures, %+v", seen, ben.State().Peers) })
	}
	seesMore("at first")
	say := func(s string) {
		t.Helper()
		ada.Do(call.Room{Command: room.Say{Text: s}})
		harness.AwaitTrue(t, "Ben reads "+s, func() bool { return reads(ben, s) > 0 }, func() string {
			return fmt.Sprintf("%d messages, %d refused", len(ben.State().Room.Chat), ben.State().Room.Refused)
		})
	}
	say(text)
	if n := ben.State().Room.Refused + ada.State().Room.Refused; n != 0 {
		t.Errorf("%d messages refused before anybody tampered", n)
	}

	tap.mu.Lock()
	to := tap.conns[1]
	sealed := tap.sealed
	tap.mu.Unlock()
	attacks(t, to, ada, ben, say)
	seesMore("after all attacks")
	if ben.State().Phase != call.Live || ada.State().Phase != call.Live {
		t.Errorf("Ada is %v, Ben %v", ada.State().Phase, ben.State().Phase)
	}

	metrics := get(t, "http://"+harness.Logged(service, "metrics")+"/metrics")
	tap.mu.Lock()
	defer tap.mu.Unlock()
	_, code, _ := strings.Cut(link, "#")
	code, _, _ = strings.Cut(code, "&") // before the owner
	keys, err := signal.ParseCode(code)
	if err != nil {
		t.Fatal(err)
	}
	// Check that the listener has read and decoded something.
	if room := signal.Derive(keys).Room; sealed < 4 || !bytes.Contains(tap.read.Bytes(), []byte(room)) {
		t.Fatalf("read %d sealed messages, and no room's name among %d bytes: this test is blind", sealed, tap.read.Len())
	}
	secrets := []string{
		name, "Lovelace", "Benjamin", text, "harbour", link, code, strings.ReplaceAll(code, "-", ""),
		"a=ice-ufrag", "ice-pwd", "fingerprint", "candidate:", "v=0\r\n", "m=audio", "typ host", `"sdp"`,
	}
	for where, all := range map[string]string{
		"what crosses the service": tap.read.String(), "its log": service.Errors() + service.Output(), "its metrics": metrics,
	} {
		if len(all) < 100 {
			t.Errorf("%s has only %d bytes: %q", where, len(all), all)
		}
		for _, s := range secrets {
			for _, form := range []string{s, strings.ToUpper(s), base64.StdEncoding.EncodeToString([]byte(s)), url.QueryEscape(s)} {
				if strings.Contains(all, form) {
					t.Errorf("%s holds %q", where, form)
				}
			}
		}
	}
	t.Logf("%d sealed messages, %d bytes read; %d refused", tap.sealed, tap.read.Len(), ben.State().Room.Refused)
}

// attacks tampers with Ada's messages to Ben in every way and expects each attempt to be counted.
func attacks(t *testing.T, to *tapped, ada, ben *call.Call, say func(string)) {
	t.Helper()
	var held *signal.Message
	for _, a := range []struct {
		name   string
		passes bool // the original message arrives too
		attack func(signal.Message) []signal.Message
	}{
		{"changed", true, func(m signal.Message) []signal.Message {
			bad := m
			bad.Body = bytes.Clone(m.Body)
			bad.Body[len(bad.Body)/2] ^= 1
			return []signal.Message{bad, m}
		}},
		{"of another number", true, func(m signal.Message) []signal.Message {
			bad := m
			bad.Seq += 7
			return []signal.Message{bad, m}
		}},
		{"replayed", true, func(m signal.Message) []signal.Message { return []signal.Message{m, m} }},
		{"reflected", true, func(m signal.Message) []signal.Message {
			// Ben's own message is reflected to him. (to.mu is held.)
			own := to.said[len(to.said)-1]
			return []signal.Message{m, {From: to.id, To: own.To, Seq: own.Seq, Body: own.Body}}
		}},
		{"under Ada's name", true, func(m signal.Message) []signal.Message {
			own := to.said[len(to.said)-1]
			return []signal.Message{m, {From: m.From, To: to.id, Seq: m.Seq + 1000, Body: own.Body}}
		}},
		{"misaddressed", true, func(m signal.Message) []signal.Message {
			bad := m
			bad.To, bad.Seq = m.From, m.Seq+1
			return []signal.Message{m, bad}
		}},
		{"reordered", false, func(m signal.Message) []signal.Message {
			if held == nil {
				held = &m
				return nil
			}
			return []signal.Message{m, *held}
		}},
	} {
		before := ben.State().Room.Refused
		used := false
		to.arm(func(m signal.Message) []signal.Message {
			if used {
				return []signal.Message{m}
			}
			all := a.attack(m)
			used = len(all) > 0
			return all
		})
		first := "first, " + a.name
		if a.passes {
			say(first)
		} else {
			ada.Do(call.Room{Command: room.Say{Text: first}}) // held back until the next one
		}
		say("then, " + a.name)
		harness.AwaitTrue(t, a.name+" is counted", func() bool { return ben.State().Room.Refused > before }, func() string {
			return fmt.Sprintf("%d refused", ben.State().Room.Refused)
		})
		if n := ben.State().Room.Refused; n != before+1 {
			t.Errorf("%s: %d refused, want one", a.name, n-before)
		}
		for _, s := range []string{first, "then, " + a.name} {
			if n := reads(ben, s); n > 1 {
				t.Errorf("%s: Ben reads %q %d times", a.name, s, n)
			}
		}
		to.arm(nil)
	}
}

// reads counts the occurrences of a line in a member's chat.
func reads(c *call.Call, text string) int {
	n := 0
	for _, m := range c.State().Room.Chat {
		if m.Text == text {
			n++
		}
	}
	return n
}

func get(t testing.TB, url string) string {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
