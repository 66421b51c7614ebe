package server_test

import (
	"context"
	"flag"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/signal"
	"parley/signal/client"
	"parley/signal/identity"
	"parley/signal/server"
)

var discard = slog.New(slog.DiscardHandler)

// TestMain runs more tests at a time than there are processors: they mostly wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what has to come.
const patience = 20 * time.Second

// node is a running rendezvous and its address.
type node struct {
	*server.Server
	web  *httptest.Server
	stop func() // graceful; returns when the node has ended
}

func (n *node) url() string { return "ws" + strings.TrimPrefix(n.web.URL, "http") + signal.SocketPath }

func (n *node) addr() string { return strings.TrimPrefix(n.web.URL, "http://") }

// startNode runs a node until the test ends. Each of prepare sees the server before that.
func startNode(t testing.TB, cfg server.Config, prepare ...func(*server.Server)) *node {
	t.Helper()
	if cfg.NATS != "" && cfg.Cluster.Key == nil {
		cfg.Cluster.Key = []byte("a secret of the test's nodes")
	}
	if cfg.PerAddress == 0 {
		cfg.PerAddress = 100_000 // all members of a test come from one address
	}
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range prepare {
		f(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	select {
	case <-s.Ready():
	case err := <-done:
		t.Fatalf("run: %v", err)
	case <-time.After(patience):
		t.Fatal("the node does not come up")
	}
	n := &node{Server: s, web: httptest.NewUnstartedServer(s)}
	n.web.Listener = server.Listener(n.web.Listener)
	n.web.Start()
	var once sync.Once
	n.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("run: %v", err)
			}
			n.web.Close()
		})
	}
	t.Cleanup(n.stop)
	return n
}

// member is a running client whose events a test reads one by one.
type member struct {
	*client.Client
	*identity.Identity
	id     signal.ID
	seq    map[signal.ID]uint64
	events chan client.Event
	stop   func() // cuts the context; returns when Run has
	result chan error
}

func startMember(t testing.TB, url string, room signal.Keys, who *identity.Identity) *member {
	t.Helper()
	m := &member{Identity: who, id: who.ID(), events: make(chan client.Event, 16384), result: make(chan error, 1), seq: map[signal.ID]uint64{}}
	m.Client = client.New(client.Config{URLs: []string{url}, Keys: room, Identity: who, Events: func(ev client.Event) { m.events <- ev }})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.result <- m.Run(ctx)
	}()
	m.stop = func() { cancel(); <-ended }
	t.Cleanup(m.stop)
	return m
}

// startJoined starts a member and waits until it is in the room.
func startJoined(t testing.TB, url string, room signal.Keys) *member {
	t.Helper()
	m := startMember(t, url, room, identity.New())
	next[client.Connected](t, m)
	return m
}

// startPair starts two members, one after the other, who have met.
func startPair(t testing.TB, room signal.Keys, urlA, urlB string) (a, b *member) {
	t.Helper()
	a, b = startJoined(t, urlA, room), startJoined(t, urlB, room)
	next[client.Joined](t, a)
	return a, b
}

// next returns the next event of kind E, past Disconnected ones.
func next[E client.Event](t testing.TB, m *member) E {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case ev := <-m.events:
			if want, ok := ev.(E); ok {
				return want
			}
			if _, ok := ev.(client.Disconnected); !ok {
				t.Fatalf("member got %T %+v, want %T", ev, ev, *new(E))
			}
		case err := <-m.result:
			t.Fatalf("member's run ended: %v", err)
		case <-limit:
			t.Fatalf("member waits in vain for %T", *new(E))
		}
	}
}

// ends waits for Run's result.
func (m *member) ends(t testing.TB) error {
	t.Helper()
	select {
	case err := <-m.result:
		return err
	case <-time.After(patience):
		t.Fatal("run does not end")
		return nil
	}
}

// say sends text and waits until the service has it.
func (m *member) say(t testing.TB, to signal.ID, text string) {
	t.Helper()
	done := make(chan error, 1)
	m.seq[to]++
	if err := m.Send(to, m.seq[to], []byte(text), func(err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("send: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("a send is not acknowledged")
	}
}

func (m *member) hears(t testing.TB, from signal.ID, text string) {
	t.Helper()
	if got := next[client.Message](t, m); got.From != from || string(got.Body) != text {
		t.Fatalf("got %q from %s, want %q from %s", got.Body, got.From, text, from)
	}
}

// room makes the keys of a meeting that nobody else is in. Those of a long code cost little.
func room() signal.Keys { return signal.Derive(signal.NewCode()) }

// cutter is a TCP proxy that a test can cut and close.
type cutter struct {
	listener net.Listener
	target   string
	tap      func(b []byte) // sees everything that crosses; may be nil
	budget   func() int64   // bytes after which a connection is cut; may be nil

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	shut  bool // refuse connections
	cuts  int
	wg    sync.WaitGroup
}

func startCutter(t testing.TB, target string, options ...func(*cutter)) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: l, target: target, conns: map[net.Conn]struct{}{}}
	for _, option := range options {
		option(c)
	}
	c.wg.Go(c.serve)
	t.Cleanup(func() {
		_ = l.Close()
		c.cut(true)
		c.wg.Wait()
	})
	return c
}

func (c *cutter) url() string { return "ws://" + c.listener.Addr().String() + signal.SocketPath }

// cut ends every connection; shut refuses new ones until the next cut.
func (c *cutter) cut(shut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shut = shut
	for conn := range c.conns {
		_ = conn.Close()
	}
}

func (c *cutter) retarget(target string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.target = target
}

func (c *cutter) serve() {
	for {
		conn, err := c.listener.Accept()
		if err != nil {
			return
		}
		c.mu.Lock()
		shut, target := c.shut, c.target
		c.mu.Unlock()
		if shut {
			_ = conn.Close()
			continue
		}
		up, err := net.Dial("tcp", target)
		if err != nil {
			_ = conn.Close()
			continue
		}
		c.mu.Lock()
		c.conns[conn], c.conns[up] = struct{}{}, struct{}{}
		c.mu.Unlock()
		left := int64(1 << 62)
		if c.budget != nil {
			left = c.budget()
		}
		share := left / 2
		c.wg.Go(func() { c.pump(conn, up, share) })
		c.wg.Go(func() { c.pump(up, conn, left-share) })
	}
}

// pump carries one direction until its budget is used up, then cuts both.
func (c *cutter) pump(from, to net.Conn, budget int64) {
	defer func() {
		_ = from.Close()
		_ = to.Close()
		c.mu.Lock()
		delete(c.conns, from)
		c.mu.Unlock()
	}()
	b := make([]byte, 1+rand.IntN(4096))
	for budget > 0 {
		n, err := from.Read(b)
		n = int(min(int64(n), budget))
		if c.tap != nil {
			c.tap(b[:n])
		}
		if _, werr := to.Write(b[:n]); werr != nil || err != nil {
			return
		}
		budget -= int64(n)
	}
	c.mu.Lock()
	c.cuts++
	c.mu.Unlock()
}
