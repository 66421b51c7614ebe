package server_test

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"parley/signal"
	"parley/signal/server"
)

// behindProxy is a node whose connections of this machine may name any client.
func behindProxy(t *testing.T, cfg server.Config, prepare ...func(*server.Server)) *node {
	cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	return startNode(t, cfg, prepare...)
}

// dialFrom connects as a client with this address; on a refusal resp is the answer.
func dialFrom(t *testing.T, n *node, addr string) (*raw, *http.Response) {
	t.Helper()
	d := websocket.Dialer{Subprotocols: []string{signal.Subprotocol}}
	conn, resp, err := d.Dial(n.url(), http.Header{"X-Forwarded-For": {"203.0.113.66, " + addr}})
	if err != nil {
		if resp == nil {
			t.Fatal(err)
		}
		return nil, resp
	}
	t.Cleanup(func() { _ = conn.Close() })
	return challenged(t, conn), nil
}

func joinFrom(t *testing.T, n *node, addr string, room signal.Keys) signal.Frame {
	t.Helper()
	r, resp := dialFrom(t, n, addr)
	if r == nil {
		t.Fatalf("%s is refused with %s", addr, resp.Status)
	}
	r.join(room)
	_ = r.SetReadDeadline(time.Now().Add(patience))
	_, text, err := r.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	f, err := signal.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func isWelcome(f signal.Frame) bool {
	_, ok := f.(signal.Welcome)
	return ok
}

func wantRefusal(t *testing.T, n *node, addr string) {
	t.Helper()
	r, resp := dialFrom(t, n, addr)
	if r != nil {
		t.Fatalf("%s got one connection more", addr)
	}
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Fatalf("%s got %s, Retry-After %q", addr, resp.Status, resp.Header.Get("Retry-After"))
	}
}

// An address that connects until it is refused leaves room for others; before, it could take all
// 10 000 connections of a node.
func TestOneAddressCannotTakeAllConnections(t *testing.T) {
	for what, c := range map[string]struct {
		flood func(i int) string
		most  int
		same  string // counted with them
		other string // not counted with them
	}{
		"IPv4": {func(int) string { return "192.0.2.1" }, 8, "::ffff:192.0.2.1", "192.0.2.2"},
		"IPv6 /64": {
			func(i int) string { return fmt.Sprintf("2001:db8:0:1::%x", i+1) }, 8,
			"2001:db8:0:1:ffff::1", "2001:db8:0:2::1",
		},
		"IPv6 /48": {
			func(i int) string { return fmt.Sprintf("2001:db8:0:%x::1", i+1) }, 32,
			"2001:db8:0:ffff::1", "2001:db8:1::1",
		},
	} {
		t.Run(what, func(t *testing.T) {
			n := behindProxy(t, server.Config{PerAddress: 8})
			name := room()
			for i := range c.most {
				if f := joinFrom(t, n, c.flood(i), name); !isWelcome(f) {
					t.Fatalf("connection %d got %+v", i+1, f)
				}
			}
			wantRefusal(t, n, c.same)
			if !isWelcome(joinFrom(t, n, c.other, room())) {
				t.Fatal("another address is shut out")
			}
			if text := metricsOf(t, n); !strings.Contains(text, `parley_refused_total{reason="address-connections"} 1`) {
				t.Error("the refusal was not counted")
			}
		})
	}
}

// Sockets that do not join have a smaller budget than members.
func TestSilentSocketsAreFew(t *testing.T) {
	n := behindProxy(t, server.Config{PerAddress: 8})
	for range 2 {
		if r, resp := dialFrom(t, n, "192.0.2.1"); r == nil {
			t.Fatal(resp.Status)
		}
	}
	wantRefusal(t, n, "192.0.2.1")
	if !isWelcome(joinFrom(t, n, "192.0.2.2", room())) {
		t.Fatal("another address is shut out")
	}
}

// Sessions that outlive their sockets stay counted against their address; before, one address
// could leave any number of them behind, 4 MiB each.
func TestSessionsWithoutSocketsAreCounted(t *testing.T) {
	n := behindProxy(t, server.Config{PerAddress: 8})
	name := room()
	welcomed := 0
	for range 20 {
		r, resp := dialFrom(t, n, "192.0.2.1")
		if r == nil {
			if resp.StatusCode != http.StatusServiceUnavailable {
				t.Fatal(resp.Status)
			}
			break
		}
		r.join(name)
		_ = r.SetReadDeadline(time.Now().Add(patience))
		_, text, err := r.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if f, _ := signal.Decode(text); !isWelcome(f) {
			if why, ok := f.(signal.Error); !ok || why.Code != signal.CodeUnavailable {
				t.Fatalf("got %+v", f)
			}
			break
		}
		welcomed++
		_ = r.Close()
		awaitMetric(t, n, "parley_connections 0\n")
	}
	if welcomed != 12 {
		t.Fatalf("one address holds %d sessions without a socket, want 12", welcomed)
	}
	if !isWelcome(joinFrom(t, n, "192.0.2.2", name)) {
		t.Fatal("another address is shut out")
	}
}

func awaitMetric(t *testing.T, n *node, line string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(metricsOf(t, n), line); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the metrics never read %q", line)
		}
	}
}

// One address opens so many rooms at once, then so many a minute.
func TestRoomsOfOneAddressAreBounded(t *testing.T) {
	n := behindProxy(t, server.Config{PerAddress: 8})
	for i := range 5 {
		f := joinFrom(t, n, "192.0.2.1", room())
		if isWelcome(f) != (i < 4) {
			t.Fatalf("room %d: %+v", i+1, f)
		}
	}
	if !isWelcome(joinFrom(t, n, "192.0.2.2", room())) {
		t.Fatal("another address is shut out")
	}
}

// Only a trusted proxy says who the client is.
func TestForwardedForIsBelievedFromTrustedProxiesOnly(t *testing.T) {
	n := startNode(t, server.Config{PerAddress: 4})
	if r, _ := dialFrom(t, n, "192.0.2.1"); r == nil {
		t.Fatal("the first connection is refused")
	}
	wantRefusal(t, n, "192.0.2.2") // a fourth of four: what it claims to be does not count
}

// TCP connections that never say anything are few for each address, too.
func TestSilentTCPConnectionsAreFew(t *testing.T) {
	s, err := server.New(server.Config{PerAddress: 8})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web := server.NewHTTP(s, discard)
	done := make(chan error, 1)
	go func() { done <- web.Serve(l) }()
	defer func() { _ = web.Close(); <-done }()
	var conns []net.Conn
	for range 5 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	last := conns[4]
	_ = last.SetReadDeadline(time.Now().Add(2 * time.Second)) // below ReadHeaderTimeout
	if _, err := last.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Fatalf("the fifth connection of four is kept: %v", err)
	}
}
