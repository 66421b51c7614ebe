package server_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"parley/signal"
	"parley/signal/client"
	"parley/signal/identity"
	"parley/signal/seal"
	"parley/signal/server"
)

// raw is a client that says whatever a test wants.
type raw struct {
	*websocket.Conn
	t     testing.TB
	nonce []byte // of the service's challenge
}

func dialRaw(t testing.TB, n *node) *raw {
	t.Helper()
	d := websocket.Dialer{Subprotocols: []string{signal.Subprotocol}}
	conn, _, err := d.Dial(n.url(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return challenged(t, conn)
}

// challenged is a client that has heard the service's challenge.
func challenged(t testing.TB, conn *websocket.Conn) *raw {
	t.Helper()
	r := &raw{Conn: conn, t: t}
	r.nonce = hear[signal.Challenge](r).Nonce
	return r
}

func (r *raw) say(text []byte) {
	r.t.Helper()
	if err := r.WriteMessage(websocket.TextMessage, text); err != nil {
		r.t.Fatal(err)
	}
}

// hear returns the next frame of kind F, past others.
func hear[F signal.Frame](r *raw) F {
	r.t.Helper()
	_ = r.SetReadDeadline(time.Now().Add(patience))
	for {
		_, text, err := r.ReadMessage()
		if err != nil {
			r.t.Fatalf("waiting for %T: %v", *new(F), err)
		}
		f, err := signal.Decode(text)
		if err != nil {
			r.t.Fatalf("the server says %s: %v", text, err)
		}
		if want, ok := f.(F); ok {
			return want
		}
	}
}

// closes checks that the server ends the connection.
func (r *raw) closes() {
	r.t.Helper()
	_ = r.SetReadDeadline(time.Now().Add(patience))
	for {
		if _, _, err := r.ReadMessage(); err != nil {
			if errors.Is(err, io.EOF) || websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseMessageTooBig, websocket.CloseAbnormalClosure) {
				return
			}
			r.t.Fatalf("the connection ends with %v", err)
		}
	}
}

// joinAs joins a room, the count times for this member, and asks for a session, empty at first.
func (r *raw) joinAs(name signal.Keys, who *identity.Identity, count uint64, session string) {
	r.t.Helper()
	r.say(signal.Encode(who.Join(name, r.nonce, signal.Join{Try: count, Version: signal.Version, Session: session})))
}

// join joins a room as somebody new, and says who.
func (r *raw) join(name signal.Keys) signal.ID {
	r.t.Helper()
	who := identity.New()
	r.joinAs(name, who, 1, "")
	return who.ID()
}

// joinRaw joins a room, and leaves the rest to the test.
func joinRaw(t testing.TB, n *node, name signal.Keys) *raw {
	t.Helper()
	r := dialRaw(t, n)
	r.join(name)
	hear[signal.Welcome](r)
	return r
}

// Whoever breaks the protocol is told so, and the others go on.
func TestBreachesAreRefused(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	name := room()
	witness := startJoined(t, n.url(), name)
	future := signal.Join{Version: signal.Version + 1}
	beyond := identity.New().Join(name, make([]byte, signal.NonceBytes), signal.Join{Try: 1, Version: signal.Version})
	beyond.ID = "x"
	for what, c := range map[string]struct {
		joins bool
		text  []byte
		code  signal.ErrorCode
	}{
		"not JSON":          {false, []byte("GET / HTTP/1.1"), signal.CodeBadMessage},
		"not a join":        {false, signal.Encode(signal.Ping{}), signal.CodeBadMessage},
		"bad ID":            {false, signal.Encode(beyond), signal.CodeBadMessage},
		"another version":   {false, signal.Encode(future), signal.CodeVersion},
		"unknown type":      {true, []byte(`{"t":"shout"}`), signal.CodeBadMessage},
		"second join":       {true, signal.Encode(identity.New().Join(name, make([]byte, signal.NonceBytes), signal.Join{Try: 1, Version: signal.Version})), signal.CodeBadMessage},
		"too large a frame": {true, bytes.Repeat([]byte(" "), signal.MaxFrame+1), signal.CodeBadMessage},
		"too large a body":  {true, signal.Encode(signal.Send{N: 1, Seq: 1, Body: make([]byte, signal.MaxBody+1)}), signal.CodeBadMessage},
		"gap in the sends":  {true, signal.Encode(signal.Send{N: 2, Seq: 1, Body: []byte{1}}), signal.CodeBadMessage},
		"ack of the future": {true, signal.Encode(signal.Ack{N: 99}), signal.CodeBadMessage},
		"invalid UTF-8":     {true, []byte("{\"t\":\"ping\xff\"}"), signal.CodeBadMessage},
	} {
		t.Run(what, func(t *testing.T) {
			r := dialRaw(t, n)
			if c.joins {
				r.join(name)
				hear[signal.Welcome](r)
			}
			r.say(c.text)
			if got := hear[signal.Error](r); got.Code != c.code || got.Text == "" {
				t.Errorf("got %+v, want %s", got, c.code)
			}
			r.closes()
		})
	}
	t.Run("far too large a frame", func(t *testing.T) {
		r := dialRaw(t, n)
		_ = r.WriteMessage(websocket.TextMessage, make([]byte, 1<<20)) // may be cut off half way
		r.closes()
	})
	t.Run("binary", func(t *testing.T) {
		r := dialRaw(t, n)
		_ = r.WriteMessage(websocket.BinaryMessage, signal.Encode(signal.Ping{}))
		hear[signal.Error](r)
	})
	t.Run("no subprotocol", func(t *testing.T) {
		conn, _, err := websocket.DefaultDialer.Dial(n.url(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		hear[signal.Error](&raw{Conn: conn, t: t})
	})
	witness.say(t, "", "still here")
}

// A membership belongs to whoever owns its ID; a newer connection takes it over, an older one that was held up does not.
func TestTakeover(t *testing.T) {
	n := startNode(t, server.Config{})
	name, who := room(), identity.New()
	first := dialRaw(t, n)
	first.joinAs(name, who, 1, "")
	welcome := hear[signal.Welcome](first)
	first.say(signal.Encode(signal.Send{N: 1, Seq: 1, Body: []byte("x")}))
	hear[signal.Ack](first)

	second := dialRaw(t, n)
	second.joinAs(name, who, 3, welcome.Session)
	if got := hear[signal.Welcome](second); !got.Resumed || got.Last != 1 {
		t.Fatalf("the owner got %+v", got)
	}
	if got := hear[signal.Error](first); got.Code != signal.CodeReplaced {
		t.Fatalf("the old connection got %+v", got)
	}
	late := dialRaw(t, n)
	late.joinAs(name, who, 2, welcome.Session)
	if got := hear[signal.Error](late); got.Code != signal.CodeReplaced {
		t.Fatalf("the late connection got %+v", got)
	}
	second.say(signal.Encode(signal.Ping{}))
	hear[signal.Pong](second)
}

// A member that does not acknowledge gets no more than the session keeps, then is ended, and
// counted; whoever sends to it is not held up.
func TestOverflowEndsTheSession(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{Rate: 100_000, Burst: 100_000})
	name := room()
	deaf := joinRaw(t, n, name)
	a := startJoined(t, n.url(), name)
	sendAll(t, a, "", 3000)
	if got := next[client.Left](t, a); got.ID == a.id {
		t.Fatal("the wrong one left")
	}
	if got := hear[signal.Error](deaf); got.Code != signal.CodeOverflow {
		t.Fatalf("the deaf member got %+v", got)
	}
	if text := metricsOf(t, n); !strings.Contains(text, "parley_overflows_total 1\n") {
		t.Error("the overflow was not counted")
	}
}

func TestTooFastASenderIsSlowedDownNotRefused(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{Rate: 100, Burst: 10})
	a, b := startPair(t, room(), n.url(), n.url())
	for seq := range uint64(60) {
		if err := a.Send(b.id, seq+1, []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	for want := range uint64(60) {
		if got := next[client.Message](t, b); got.Seq != want+1 {
			t.Fatalf("got %d, want %d", got.Seq, want+1)
		}
	}
}

// A client that says nothing any more is cut off, and waited for as one that lost its network.
func TestSilentClientIsNoticed(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the silence limit")
	}
	t.Parallel()
	n := startNode(t, server.Config{})
	name := room()
	a := startJoined(t, n.url(), name)
	mute := joinRaw(t, n, name)
	hear[signal.Ping](mute)
	mute.closes()
	next[client.Joined](t, a)
	a.say(t, "", "nobody has left yet")
	select {
	case ev := <-a.events:
		t.Fatalf("a got %T", ev)
	default:
	}
}

func TestConnectionLimit(t *testing.T) {
	n := startNode(t, server.Config{MaxConnections: 1})
	joinRaw(t, n, room())
	_, resp, err := websocket.DefaultDialer.Dial(n.url(), nil)
	if err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("second connection: %v, %v", resp, err)
	}
}

// Nothing of what members say, and no secret of theirs, crosses the server in the clear.
func TestServerSeesOnlySealedBodies(t *testing.T) {
	n := startNode(t, server.Config{})
	var mu sync.Mutex
	var seen bytes.Buffer
	wire := startCutter(t, n.addr(), func(c *cutter) {
		c.tap = func(b []byte) {
			mu.Lock()
			defer mu.Unlock()
			seen.Write(b)
		}
	})
	code := signal.NewCode()
	keys := signal.Derive(code)
	ada, ben := identity.New(), identity.New()
	a := startMember(t, wire.url(), keys, ada)
	next[client.Connected](t, a)
	b := startMember(t, wire.url(), keys, ben)
	next[client.Connected](t, b)
	const secret = "Grace Hopper says: the nanosecond is 30 cm long"
	theirs, ours := seal.New(keys, ada), seal.New(keys, ben)
	sealed, err := theirs.Hello(b.id, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Send(b.id, sealed.Seq, sealed.Body, nil); err != nil {
		t.Fatal(err)
	}
	got := next[client.Message](t, b)
	opened, err := ours.Open(got.From, got.To, got.Seq, got.Body)
	if err != nil || string(opened.Text) != secret {
		t.Fatalf("opened %q, %v", opened.Text, err)
	}
	a.Close()
	b.Close()
	if err := errors.Join(a.ends(t), b.ends(t)); err != nil {
		t.Fatal(err)
	}
	// What a client says is masked (RFC 6455, section 5.3), what the server says is not: the sealed
	// body must be found there, or this test looks at nothing.
	mu.Lock()
	defer mu.Unlock()
	all := seen.String()
	if !strings.Contains(all, base64.StdEncoding.EncodeToString(got.Body)) {
		t.Fatal("the tap did not see the message")
	}
	for _, clear := range []string{secret, "Grace", "nanosecond", code.String(), string(code), base64.StdEncoding.EncodeToString([]byte(secret))[:20]} {
		if strings.Contains(all, clear) {
			t.Errorf("%q crosses the server", clear)
		}
	}
	if strings.Contains(metricsOf(t, n), keys.Room) {
		t.Error("metrics name a room")
	}
}

func metricsOf(t testing.TB, n *node) string {
	t.Helper()
	w := httptest.NewRecorder()
	n.Metrics().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

// TestPingsOfWebSocketItself are answered with their data, and tear no frame of a client that reads slowly.
func TestPingsOfWebSocketItself(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	name := room()
	slow := joinRaw(t, n, name)
	if err := slow.NetConn().(*net.TCPConn).SetReadBuffer(32 << 10); err != nil {
		t.Fatal(err)
	}
	sender := joinRaw(t, n, name)
	const count = 300
	go func() {
		body := make([]byte, 6000)
		for i := uint64(1); i <= count; i++ {
			if sender.WriteMessage(websocket.TextMessage, signal.Encode(signal.Send{N: i, Seq: i, Body: body})) != nil {
				return
			}
		}
	}()
	var pongs []string
	slow.SetPongHandler(func(data string) error {
		pongs = append(pongs, data)
		return nil
	})
	for got := uint64(0); got < count; {
		ping := strconv.FormatUint(got, 10)
		if err := slow.WriteControl(websocket.PingMessage, []byte(ping), time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		got = hear[signal.Message](slow).N - 1 // after the sender's joined
		slow.say(signal.Encode(signal.Ack{N: got + 1}))
	}
	last := "the last"
	if err := slow.WriteControl(websocket.PingMessage, []byte(last), time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	slow.say(signal.Encode(signal.Ping{}))
	hear[signal.Pong](slow)
	if len(pongs) == 0 || pongs[len(pongs)-1] != last {
		t.Errorf("pongs %q, want the last to be %q", pongs, last)
	}
}
