package client

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"parley/signal"
	"parley/signal/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// listen serves every TCP connection with serve.
func listen(t *testing.T, serve func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

// challenge has a service's first word said.
func challenge(conn *websocket.Conn) {
	_ = conn.WriteMessage(websocket.TextMessage, []byte(someChallenge))
}

var someChallenge = string(signal.Encode(signal.Challenge{Version: signal.Version, Nonce: make([]byte, signal.NonceBytes)}))

// speak is a server that upgrades and then says the texts, whatever it hears.
func speak(t *testing.T, protocols []string, kind int, texts ...string) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{Subprotocols: protocols}
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		for _, text := range texts {
			_ = conn.WriteMessage(kind, []byte(text))
		}
		_, _, _ = conn.ReadMessage()
		_, _, _ = conn.ReadMessage()
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http")
}

var someKeys = signal.Derive("7k3mq9xt2w8p7k3mq9xt2w8p")

func config(url string, events func(Event)) Config {
	return Config{URLs: []string{url}, Keys: someKeys, Identity: identity.New(), Events: events}
}

// A server that speaks something else is told from one that is down, in one line.
func TestNotARendezvous(t *testing.T) {
	website := httptest.NewServer(http.NotFoundHandler())
	defer website.Close()
	parley := []string{signal.Subprotocol}
	session := strings.Repeat("s", 16)
	for name, c := range map[string]struct {
		url  string
		want error
	}{
		"website without the path": {"ws" + strings.TrimPrefix(website.URL, "http") + "/ws", ErrNotRendezvous},
		"rubbish over TCP": {"ws://" + listen(t, func(conn net.Conn) {
			_, _ = io.WriteString(conn, "220 secret mail server ready\r\n\x00\xff\r\n\r\n")
			_, _ = io.Copy(io.Discard, conn)
		}) + "/ws", ErrNotRendezvous},
		"another WebSocket":      {speak(t, nil, websocket.TextMessage, "secret"), ErrNotRendezvous},
		"rubbish in a WebSocket": {speak(t, parley, websocket.TextMessage, "secret"), ErrNotRendezvous},
		"binary in a WebSocket":  {speak(t, parley, websocket.BinaryMessage, "secret"), ErrNotRendezvous},
		"frame out of place":     {speak(t, parley, websocket.TextMessage, `{"t":"ping"}`), ErrNotRendezvous},
		"welcome at once":        {speak(t, parley, websocket.TextMessage, `{"t":"welcome","v":2,"session":"`+session+`"}`), ErrNotRendezvous},
		"short nonce":            {speak(t, parley, websocket.TextMessage, `{"t":"challenge","v":2,"nonce":"AAAA"}`), ErrNotRendezvous},
		"version 1":              {speak(t, []string{"parley"}, websocket.TextMessage), ErrOldServer},
		"a newer version":        {speak(t, parley, websocket.TextMessage, `{"t":"challenge","v":3}`), ErrVersion},
		"another welcome":        {speak(t, parley, websocket.TextMessage, someChallenge, `{"t":"welcome","v":3}`), ErrVersion},
		"version refused":        {speak(t, parley, websocket.TextMessage, someChallenge, `{"t":"error","code":"version","text":"x"}`), ErrVersion},
		"version refused first":  {speak(t, parley, websocket.TextMessage, `{"t":"error","code":"version","text":"x"}`), ErrVersion},
		"full":                   {speak(t, parley, websocket.TextMessage, someChallenge, `{"t":"error","code":"full","text":"x"}`), ErrFull},
		"replaced":               {speak(t, parley, websocket.TextMessage, someChallenge, `{"t":"error","code":"replaced","text":"x"}`), ErrReplaced},
		"our breach":             {speak(t, parley, websocket.TextMessage, someChallenge, `{"t":"error","code":"bad-message","text":"x"}`), ErrRefused},
		"our proofs":             {speak(t, parley, websocket.TextMessage, someChallenge, `{"t":"error","code":"refused","text":"x"}`), ErrRefused},
		"replaced later":         {speak(t, parley, websocket.TextMessage, someChallenge, `{"t":"welcome","v":2,"session":"`+session+`"}`), nil},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			failed := make(chan error, 1)
			cl := New(config(c.url, func(ev Event) {
				if _, ok := ev.(Connected); ok && c.want == nil {
					cancel()
				}
			}))
			if err := cl.Send("", 1, []byte("x"), func(err error) { failed <- err }); err != nil {
				t.Fatal(err)
			}
			err := cl.Run(ctx)
			if !errors.Is(err, c.want) {
				t.Fatalf("run: %v, want %v", err, c.want)
			}
			if why := <-failed; why == nil {
				t.Error("a send that was never acknowledged counts as done")
			}
			if err != nil && (strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "secret")) {
				t.Errorf("said %q", err)
			}
		})
	}
}

// A server that cannot be reached is tried again, and Close ends that at once.
func TestUnreachableIsRetried(t *testing.T) {
	attempts := make(chan Disconnected, 100)
	dial := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no route")}
	}
	cfg := config("ws://192.0.2.1/ws", func(ev Event) { attempts <- ev.(Disconnected) })
	cfg.Dial = dial
	c := New(cfg)
	result := make(chan error, 1)
	go func() { result <- c.Run(context.Background()) }()
	for range 4 {
		if got := <-attempts; got.Err == nil || got.Retry > backoffCap {
			t.Fatalf("got %+v", got)
		}
		c.Kick()
	}
	c.Close()
	select {
	case err := <-result:
		if err != nil {
			t.Fatalf("run: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("close does not end the retries")
	}
	if err := c.Run(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("second run: %v", err)
	}
}

func TestCloseBeforeRun(t *testing.T) {
	c := New(config("ws://192.0.2.1/ws", nil))
	c.Close()
	if err := c.Send("", 1, []byte("x"), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("send: %v", err)
	}
	if err := c.Run(context.Background()); err != nil {
		t.Errorf("run after close: %v", err)
	}
}

func TestSendRefusals(t *testing.T) {
	c := New(config("ws://192.0.2.1/ws", nil))
	for name, err := range map[string]error{
		"empty":       c.Send("", 1, nil, nil),
		"receiver":    c.Send("x", 1, []byte("x"), nil),
		"no sequence": c.Send("", 0, []byte("x"), nil),
	} {
		if !errors.Is(err, signal.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.Send("", 1, make([]byte, signal.MaxBody+1), nil); !errors.Is(err, signal.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	for seq := range uint64(MaxQueue) {
		if err := c.Send("", seq+1, []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Send("", MaxQueue+1, []byte("x"), nil); !errors.Is(err, ErrQueueFull) {
		t.Errorf("one too many: %v", err)
	}
}

func TestOutbox(t *testing.T) {
	var o outbox
	for seq := range uint64(5) {
		o.push(item{seq: seq + 1, body: []byte("x")})
	}
	numbers := func() (ns, seqs []uint64) {
		for f, ok := o.next(); ok; f, ok = o.next() {
			ns, seqs = append(ns, f.N), append(seqs, f.Seq)
		}
		return ns, seqs
	}
	check := func(step string, n0, seq0 uint64, count int) {
		t.Helper()
		ns, seqs := numbers()
		if len(ns) != count || (count > 0 && (ns[0] != n0 || seqs[0] != seq0 || ns[count-1] != n0+uint64(count)-1)) {
			t.Fatalf("%s: numbers %v of sequences %v", step, ns, seqs)
		}
	}
	check("first socket", 1, 1, 5)
	if acked, ok := o.ack(2); !ok || len(acked) != 2 {
		t.Fatalf("acked %d, %v", len(acked), ok)
	}
	if acked, ok := o.ack(1); !ok || len(acked) != 0 {
		t.Fatalf("an old ack took %d, %v", len(acked), ok)
	}
	check("nothing new", 0, 0, 0)
	if acked, ok := o.restart(false, 3); !ok || len(acked) != 1 {
		t.Fatalf("resuming acked %d, %v", len(acked), ok)
	}
	check("resumed", 4, 4, 2)
	if acked, ok := o.restart(true, 0); !ok || len(acked) != 0 {
		t.Fatalf("starting anew acked %d, %v", len(acked), ok)
	}
	check("anew", 1, 4, 2)
	if _, ok := o.ack(9); ok {
		t.Error("acknowledged what was never sent")
	}
}
