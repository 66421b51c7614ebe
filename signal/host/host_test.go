package host

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"parley/signal"
	"parley/signal/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// app is a program that hosts meetings.
type app struct {
	*Host
	t     *testing.T
	end   func() // and wait
	group *errgroup.Group
}

func startApp(t *testing.T, file string, list ...Interface) *app {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	group, ctx := errgroup.WithContext(ctx)
	a := &app{Host: New(ctx, group, file, nil, slog.New(slog.DiscardHandler)), t: t, group: group}
	if list != nil {
		a.interfaces = func() ([]Interface, error) { return list, nil }
	}
	ended := false
	a.end = func() {
		cancel()
		if err := group.Wait(); err != nil && !ended {
			t.Error(err)
		}
		ended = true
	}
	t.Cleanup(a.end)
	return a
}

func (a *app) open(link signal.Link, room string) *Hosting {
	a.t.Helper()
	h, err := a.Open(link, room, nil)
	if err != nil || h == nil {
		a.t.Fatalf("open: %v, %v", h, err)
	}
	return h
}

func newLink() signal.Link { return signal.Link{Code: signal.NewCode()} }

var (
	keysA, keysB = signal.Derive(signal.NewCode()), signal.Derive(signal.NewCode())
	roomA, roomB = keysA.Room, keysB.Room
)

// join joins a room and returns the connection and the answer.
func join(t *testing.T, where *url.URL, room string) (*websocket.Conn, signal.Frame) {
	t.Helper()
	d := websocket.Dialer{Subprotocols: []string{signal.Subprotocol}}
	ws, _, err := d.Dial("ws://"+where.Host+signal.SocketPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	challenge, ok := hear(t, ws).(signal.Challenge)
	if !ok {
		t.Fatal("the service does not begin with a challenge")
	}
	keys := map[string]signal.Keys{roomA: keysA, roomB: keysB}[room]
	hello := identity.New().Join(keys, challenge.Nonce, signal.Join{Try: 1, Version: signal.Version})
	if err := ws.WriteMessage(websocket.TextMessage, signal.Encode(hello)); err != nil {
		t.Fatal(err)
	}
	return ws, hear(t, ws)
}

func hear(t *testing.T, ws *websocket.Conn) signal.Frame {
	t.Helper()
	_, text, err := ws.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	f, err := signal.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// awaitClosed waits until the port is closed.
func awaitClosed(t *testing.T, where *url.URL) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", where.Host)
		if err != nil {
			return
		}
		c.Close()
		if time.Now().After(deadline) {
			t.Fatal("the port is open though no meeting is")
		}
	}
}

func TestServesOnlyOpenedRooms(t *testing.T) {
	a := startApp(t, "")
	own := a.open(newLink(), roomA).Own
	if _, f := join(t, own, roomA); !is[signal.Welcome](f) {
		t.Errorf("the meeting's own room: %T %v", f, f)
	}
	if _, f := join(t, own, roomB); !is[signal.Error](f) || f.(signal.Error).Code != signal.CodeUnavailable {
		t.Errorf("a room that nobody opened: %T %v", f, f)
	}
}

func is[T any](v any) bool { _, ok := v.(T); return ok }

// The port closes with the last meeting, and not while somebody is still in one.
func TestPortClosesWithTheMeeting(t *testing.T) {
	a := startApp(t, "")
	own := a.open(newLink(), roomA).Own
	ws, _ := join(t, own, roomA)
	second := a.open(newLink(), roomB)
	if second.Own.Host != own.Host {
		t.Errorf("two meetings at once are at %s and %s", own.Host, second.Own.Host)
	}
	a.Close(roomA)
	a.Close(roomA) // no harm
	if _, f := join(t, own, roomB); !is[signal.Welcome](f) {
		t.Errorf("the other meeting: %T", f)
	}
	a.Close(roomB)
	if _, f := join(t, own, roomA); !is[signal.Welcome](f) {
		t.Errorf("the room was closed while a member was in it: %T", f)
	}
	ws.Close()
	// Every connection of this test closes at its end; these two are closed here.
	a2 := startApp(t, "")
	alone := a2.open(newLink(), roomA).Own
	a2.Close(roomA)
	awaitClosed(t, alone)
}

func TestHostsAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "settings", "hosted.json")
	first := startApp(t, file)
	h := first.open(newLink(), roomA)
	first.end()

	second := startApp(t, file)
	again := second.open(h.Link, roomA)
	if again.Own.Port() != h.Own.Port() || again.Link.String() != h.Link.String() || again.Moved {
		t.Errorf("the meeting was at %s, and is at %s", h.Own, again.Own)
	}
	if _, f := join(t, again.Own, roomA); !is[signal.Welcome](f) {
		t.Errorf("whoever kept the link: %T", f)
	}
	// Another Parley of this user finds it hosted, and goes there.
	third := startApp(t, file)
	if shared := third.open(h.Link, roomA); shared.Own.Port() != h.Own.Port() {
		t.Errorf("another app goes to %s", shared.Own)
	}
	second.Close(roomA)
	// A link to another machine is not hosted here.
	if h, err := third.Open(signal.Link{Server: &url.URL{Scheme: "http", Host: "192.168.77.1:8443"}, Code: signal.NewCode()}, roomB, nil); h != nil || err != nil {
		t.Errorf("a foreign link: %v, %v", h, err)
	}
	for path, want := range map[string]os.FileMode{file: 0o600, filepath.Dir(file): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %o", filepath.Base(path), info.Mode(), err, want)
		}
	}
}

func TestPortTaken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hosted.json")
	first := startApp(t, file)
	h := first.open(newLink(), roomA)
	first.end()
	l, err := net.Listen("tcp", ":"+h.Own.Port())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = startApp(t, file).Open(h.Link, roomA, nil)
	var taken PortError
	if !errors.As(err, &taken) || strconv.Itoa(taken.Port) != h.Own.Port() {
		t.Errorf("the port is taken, and the error is %v", err)
	}
}

// Every new meeting reads this machine's addresses again.
func TestNetworkChanges(t *testing.T) {
	list := []Interface{face("eth0", "10.0.0.5/24", "fd00::5/64")}
	a := startApp(t, "")
	a.interfaces = func() ([]Interface, error) { return list, nil }
	h := a.open(newLink(), roomA)
	if h.Link.Server.Hostname() != "10.0.0.5" || len(h.Link.At) != 1 || h.Link.At[0] != "[fd00::5]:"+h.Own.Port() || h.OnlyHere {
		t.Errorf("the link is at %s and %q", h.Link.Server.Host, h.Link.At)
	}
	list = []Interface{face("wlan0", "192.168.1.5/24")}
	if other := a.open(newLink(), roomB); other.Link.Server.Hostname() != "192.168.1.5" {
		t.Errorf("a new meeting is at %s", other.Link.Server.Host)
	}
	again := a.open(h.Link, roomA)
	if !again.Moved || again.Link.Server.Hostname() != "192.168.1.5" || again.Link.Code != h.Link.Code {
		t.Errorf("the link moved: %v, to %s", again.Moved, again.Link.Server.Host)
	}
	list = []Interface{loopback}
	if gone := a.open(h.Link, roomA); !gone.OnlyHere {
		t.Error("without a network, OnlyHere is not set")
	}
}

// TestFailureOfAService: a service that fails does not end the app, and its meeting can be opened again.
func TestFailureOfAService(t *testing.T) {
	a := startApp(t, "")
	a.open(newLink(), roomA)
	a.mu.Lock()
	broken := a.byRoom[roomA]
	a.mu.Unlock()
	if err := broken.listener.Close(); err != nil {
		t.Fatal(err)
	}
	<-broken.done
	a.Close(roomA)
	again := a.open(newLink(), roomA)
	if _, f := join(t, again.Own, roomA); !is[signal.Welcome](f) {
		t.Errorf("opened again, the meeting answers %T %v", f, f)
	}
	if err := a.ctx.Err(); err != nil {
		t.Errorf("the failure of a service ends the app: %v", err)
	}
}
