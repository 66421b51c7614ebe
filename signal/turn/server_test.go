package turn

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	pion "github.com/pion/turn/v5"
	"github.com/prometheus/client_golang/prometheus"
)

// certificate is for 127.0.0.1.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{loopback.AsSlice()},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// serveHTTP shares a listener between the service and a web server.
func serveHTTP(t *testing.T, l net.Listener) func(*Server) {
	return func(s *Server) {
		web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "web") })}
		done := make(chan struct{})
		shared := s.Share(l)
		go func() { defer close(done); _ = web.Serve(shared) }()
		t.Cleanup(func() { _ = web.Close(); <-done })
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A member reaches a peer, and the peer answers, over each transport; the web server beside keeps its port.
func TestRelaysOverEachTransport(t *testing.T) {
	plain, inner := listen(t), listen(t)
	cert, pool := certificate(t)
	secure := tls.NewListener(inner, &tls.Config{Certificates: []tls.Certificate{cert}})
	s := start(t, false, serveHTTP(t, plain), serveHTTP(t, secure))
	trust := &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}

	dial := map[string]func() (net.PacketConn, string, error){
		"UDP": func() (net.PacketConn, string, error) {
			c, err := net.ListenPacket("udp4", "127.0.0.1:0")
			return c, s.udp, err
		},
		"TCP": func() (net.PacketConn, string, error) { return stream(net.Dial("tcp", s.tcp)) },
		"TCP on the web's port": func() (net.PacketConn, string, error) {
			return stream(net.Dial("tcp", plain.Addr().String()))
		},
		"TLS on the web's port": func() (net.PacketConn, string, error) {
			return stream(tls.Dial("tcp", inner.Addr().String(), trust))
		},
	}
	for name, dial := range dial {
		t.Run(name, func(t *testing.T) {
			conn, server, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			echoes(t, connect(t, s, conn, server, alice))
		})
	}
	web := http.Client{Transport: &http.Transport{TLSClientConfig: trust, DisableKeepAlives: true}}
	for _, url := range []string{"http://" + plain.Addr().String(), "https://" + inner.Addr().String()} {
		resp, err := web.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != "web" {
			t.Errorf("%s: %q", url, body)
		}
	}
	if n := count(t, s.metrics.allocations); n != 0 {
		// Closing a client ends its allocation; over TCP, so does the end of the connection, a moment later.
		waitFor(t, "allocations to end", func() bool { return count(t, s.metrics.allocations) == 0 })
	}
}

func stream(c net.Conn, err error) (net.PacketConn, string, error) {
	if err != nil {
		return nil, "", err
	}
	return pion.NewSTUNConn(c), c.RemoteAddr().String(), nil
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// echoes has a peer send back what a member's allocation sends to it.
func echoes(t *testing.T, c *pion.Client) {
	t.Helper()
	relay, err := c.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	peer, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2000)
		for {
			n, from, err := peer.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = peer.WriteTo(buf[:n], from)
		}
	}()
	defer func() { peer.Close(); <-done; relay.Close(); c.Close() }()
	for _, size := range []int{21, 23, 1200} { // channel data is padded over TCP
		want := strings.Repeat("x", size)
		if _, err := relay.WriteTo([]byte(want), peer.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 2000)
		_ = relay.SetReadDeadline(time.Now().Add(patience))
		n, from, err := relay.ReadFrom(buf)
		if err != nil || string(buf[:n]) != want || from.String() != peer.LocalAddr().String() {
			t.Fatalf("got %d bytes from %v, %v; want %d", n, from, err, size)
		}
	}
}

// What an operator sees names no member.
func TestMetricsHaveNoSecrets(t *testing.T) {
	s := start(t, false)
	a := as(t, s, alice)
	a.allocate()
	registry := prometheus.NewRegistry()
	registry.MustRegister(s.Collectors()...)
	all, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, f := range all {
		text.WriteString(f.String())
	}
	for _, secret := range []string{a.username, a.password, testRoom, string(alice), strings.Split(a.username, ":")[1], "127.0.0.1"} {
		if strings.Contains(text.String(), secret) {
			t.Errorf("%q is in the metrics", secret)
		}
	}
	if !strings.Contains(text.String(), "parley_turn_allocations") {
		t.Errorf("no metrics: %s", text.String())
	}
}

// The service stops while members have allocations and connections, and nothing is left of them.
func TestStopsWithMembersConnected(t *testing.T) {
	l := listen(t)
	s := start(t, false, serveHTTP(t, l))
	a := as(t, s, alice)
	a.allocate()
	a.permit("127.0.0.1:9999")
	var idle []net.Conn
	for _, where := range []string{s.tcp, s.tcp, l.Addr().String()} {
		c, err := net.Dial("tcp", where)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		idle = append(idle, c)
	}
	conn, server, err := stream(net.Dial("tcp", s.tcp))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	relay, err := connect(t, s, conn, server, bob).Allocate()
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	s.stop()
	if n := count(t, s.metrics.allocations); n != 0 {
		t.Errorf("%v allocations left", n)
	}
	for _, c := range idle[:2] {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a connection after the end: %v", err)
		}
	}
}

// A service that is draining opens no allocation. Those that are open relay on, and the last one ends the wait.
func TestDrain(t *testing.T) {
	s := start(t, false)
	a := as(t, s, alice)
	relay := a.allocate()
	peer, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	if code := a.permit(peer.LocalAddr().String()); code != 0 {
		t.Fatalf("permission: %d", code)
	}
	given, cancel := context.WithCancel(t.Context())
	cancel()
	s.Drain(given) // begins, and does not wait
	drained := make(chan struct{})
	go func() { defer close(drained); s.Drain(context.WithoutCancel(t.Context())) }()

	if _, code, err := as(t, s, bob).ask(stun.MethodAllocate, udpTransport); err != nil || code != stun.CodeAllocQuotaReached {
		t.Errorf("a new allocation: %d, %v", code, err)
	}
	if n := count(t, s.metrics.refused.WithLabelValues("draining")); n != 1 {
		t.Errorf("%v refused", n)
	}
	if _, code, err := a.ask(stun.MethodRefresh); err != nil || code != 0 {
		t.Errorf("refresh: %d, %v", code, err)
	}
	a.send(peer.LocalAddr().String(), []byte("still there"))
	_ = peer.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 100)
	if n, from, err := peer.ReadFrom(buf); err != nil || string(buf[:n]) != "still there" || from.String() != relay.String() {
		t.Errorf("relayed: %q from %v, %v", buf[:n], from, err)
	}
	select {
	case <-drained:
		t.Error("drained with an allocation open")
	default:
	}
	if _, code, err := a.ask(stun.MethodRefresh, attribute(stun.AttrLifetime, 0, 0, 0, 0)); err != nil || code != 0 {
		t.Fatalf("end: %d, %v", code, err)
	}
	select {
	case <-drained:
	case <-time.After(patience):
		t.Error("not drained after the last allocation")
	}
}

// Members that reach the service over IPv6 get an IPv4 relay unless they ask for another, or they could not meet
// those who have no IPv6.
func TestRelayIsIPv4UnlessAsked(t *testing.T) {
	s := start(t, false)
	if r := as(t, s, alice).allocate(); r.Addr() != relayIP {
		t.Errorf("relay %v", r)
	}
	if r := as(t, s, alice).allocate(ipv6); r.Addr() != netip.IPv6Loopback() {
		t.Errorf("relay %v, asked for IPv6", r)
	}
}

// An allocation outlives the credential that opened it, and the credential that replaced it can refresh it.
func TestAllocationOutlivesCredential(t *testing.T) {
	s := start(t, false)
	a := as(t, s, alice)
	a.allocate()
	for _, when := range []time.Time{time.Now().Add(-time.Hour), time.Now().Add(2 * time.Hour)} {
		username, password := s.check.Mint(testRoom, alice, when)
		a.username, a.password = username, string(password)
		if _, code, err := a.ask(stun.MethodRefresh); err != nil || code != 0 {
			t.Errorf("refresh with a credential until %v: %d, %v", when, code, err)
		}
	}
	username, password := s.check.Mint(testRoom, alice, time.Now().Add(-maxAge-time.Minute))
	a.username, a.password = username, string(password)
	if _, code, err := a.ask(stun.MethodRefresh); err != nil || code != stun.CodeUnauthorized {
		t.Errorf("refresh a day later: %d, %v", code, err)
	}
}
