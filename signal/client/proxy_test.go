package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var quiet = log.New(io.Discard, "", 0)

// relay copies between two connections until one ends.
func relay(a, b net.Conn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(a, b)
		_ = a.Close()
	}()
	_, _ = io.Copy(b, a)
	_ = b.Close()
	<-done
}

// each serves every connection of a listener in a goroutine of its own.
func each(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	var running atomic.Int64
	running.Store(1)
	leave := func() {
		if running.Add(-1) == 0 {
			close(ended)
		}
	}
	go func() {
		defer leave()
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Add(1)
			go func() {
				defer leave()
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-ended })
	return l.Addr().String()
}

// httpProxy is a proxy that knows where meet.example is: at target. It wants a password if
// login is one.
func httpProxy(target, login string) func(net.Conn) {
	return func(conn net.Conn) {
		in := bufio.NewReader(conn)
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		want := "Basic " + base64.StdEncoding.EncodeToString([]byte(login))
		if login != "" && req.Header.Get("Proxy-Authorization") != want {
			_, _ = io.WriteString(conn, "HTTP/1.1 407\r\nProxy-Authenticate: Basic realm=\"secret\"\r\nContent-Length: 0\r\n\r\n")
			return
		}
		if req.Method != http.MethodConnect || !strings.HasPrefix(req.Host, "meet.example:") {
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			return
		}
		server, err := net.Dial("tcp", target)
		if err != nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nX-Proxy: yes\r\n\r\n")
		relay(conn, server)
	}
}

// socksProxy is the same, for SOCKS 5.
func socksProxy(target, login string) func(net.Conn) {
	return func(conn net.Conn) {
		read := func(n int) []byte {
			b := make([]byte, n)
			_, _ = io.ReadFull(conn, b)
			return b
		}
		methods := read(int(read(2)[1]))
		if login == "" {
			_, _ = conn.Write([]byte{5, 0})
		} else {
			if !strings.Contains(string(methods), "\x02") {
				_, _ = conn.Write([]byte{5, 0xff})
				return
			}
			_, _ = conn.Write([]byte{5, 2})
			name := string(read(int(read(2)[1])))
			password := string(read(int(read(1)[0])))
			if name+":"+password != login {
				_, _ = conn.Write([]byte{1, 1})
				return
			}
			_, _ = conn.Write([]byte{1, 0})
		}
		head := read(5)
		host := string(read(int(head[4])))
		_ = read(2)
		if head[3] != 3 || host != "meet.example" {
			_, _ = conn.Write([]byte{5, 4, 0, 1, 0, 0, 0, 0, 0, 0})
			return
		}
		server, err := net.Dial("tcp", target)
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte("\x05\x00\x00\x03\x04name\x00\x01"))
		relay(conn, server)
	}
}

// environment sets the proxies and nothing else.
func environment(t *testing.T, values map[string]string) {
	t.Helper()
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD"} {
		t.Setenv(name, values[name])
		t.Setenv(strings.ToLower(name), "")
	}
}

// A meeting goes through each kind of proxy, with and without a password, plain and by TLS.
func TestThroughAProxy(t *testing.T) {
	ca := newAuthority(t)
	plain := httptest.NewServer(http.HandlerFunc(rendezvous))
	defer plain.Close()
	secure := httptest.NewUnstartedServer(http.HandlerFunc(rendezvous))
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{ca.issue(t, good)}}
	secure.StartTLS()
	defer secure.Close()
	for scheme, target := range map[string]string{"ws": plain.Listener.Addr().String(), "wss": secure.Listener.Addr().String()} {
		variable := map[string]string{"ws": "HTTP_PROXY", "wss": "HTTPS_PROXY"}[scheme]
		byTLS := httpProxy(target, "ada:se%20cret")
		for name, env := range map[string]map[string]string{
			"CONNECT":              {variable: "http://" + each(t, httpProxy(target, ""))},
			"CONNECT, no scheme":   {variable: each(t, httpProxy(target, ""))},
			"CONNECT, password":    {variable: "http://ada:se%20cret@" + each(t, httpProxy(target, "ada:se cret"))},
			"CONNECT over TLS":     {variable: "https://ada:se%2520cret@" + each(t, overTLS(ca.issue(t, good), byTLS))},
			"ALL_PROXY":            {"ALL_PROXY": "socks5://" + each(t, socksProxy(target, ""))},
			"SOCKS, resolves":      {variable: "socks5h://" + each(t, socksProxy(target, ""))},
			"SOCKS, password":      {variable: "socks5://ada:secret@" + each(t, socksProxy(target, "ada:secret"))},
			"own before ALL_PROXY": {variable: "http://" + each(t, httpProxy(target, "")), "ALL_PROXY": "http://127.0.0.1:1"},
		} {
			t.Run(scheme+"/"+name, func(t *testing.T) {
				environment(t, env)
				if o := try(t, ca.pool, scheme+"://meet.example:1234/meet/ws"); !o.connected {
					t.Errorf("%v", o.err)
				}
			})
		}
	}
}

func overTLS(cert tls.Certificate, serve func(net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		secure := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}})
		defer secure.Close()
		serve(secure)
	}
}

// What a proxy does is named as the proxy's, and nothing of it ends the attempts or the program.
func TestProxiesAreNamed(t *testing.T) {
	silent := func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }
	says := func(text string) func(net.Conn) {
		return func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = io.WriteString(conn, text)
		}
	}
	ca := newAuthority(t)
	for name, c := range map[string]struct {
		scheme string
		serve  func(net.Conn)
		want   Kind
		status int
	}{
		"403 without a reason":    {"http", says("HTTP/1.1 403\r\n\r\n"), ProxyRefused, 403},
		"403":                     {"http", says("HTTP/1.1 403 secret\r\n\r\nsecret"), ProxyRefused, 403},
		"407":                     {"http", httpProxy("", "eve:x"), ProxyPassword, 407},
		"502":                     {"http", says("HTTP/1.0 502 Bad Gateway\r\n\r\n"), ProxyRefused, 502},
		"redirect":                {"http", says("HTTP/1.1 302 Found\r\nLocation: http://login/\r\n\r\n"), ProxyRefused, 302},
		"no status":               {"http", says("HTTP/1.1\r\n\r\n"), ProxyRubbish, 0},
		"rubbish":                 {"http", says("\x00\xff secret\r\n"), ProxyRubbish, 0},
		"nothing":                 {"http", says(""), ProxyRubbish, 0},
		"half":                    {"http", says("HTTP/1.1 20"), ProxyRubbish, 0},
		"bad header":              {"http", says("HTTP/1.1 200 OK\r\nsecret\r\n\r\n"), ProxyRubbish, 0},
		"endless header":          {"http", says("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2*maxProxyAnswer)), ProxyRubbish, 0},
		"endless patience":        {"http", says(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100)), ProxyRubbish, 0},
		"TLS where there is none": {"https", says("HTTP/1.1 200 OK\r\n\r\n"), ProxyRubbish, 0},
		"a stranger's":            {"https", overTLS(ca.issue(t, good), silent), CertIssuer, 0},
		"SOCKS, refused":          {"socks5", says("\x05\x00\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00"), ProxyRefused, 2},
		"SOCKS, wants more":       {"socks5", says("\x05\xff"), ProxyPassword, socksNoAuth},
		"SOCKS, password wrong":   {"socks5", socksProxy("", "ada:other"), ProxyPassword, socksNoAuth},
		"SOCKS, rubbish":          {"socks5", says("HTTP/1.1 400 Bad Request\r\n\r\n"), ProxyRubbish, 0},
		"SOCKS, unknown address":  {"socks5", says("\x05\x00\x05\x00\x00\x09\x00\x00"), ProxyRubbish, 0},
		"SOCKS, half":             {"socks5", says("\x05\x00\x05\x00\x00\x03\xff"), ProxyRubbish, 0},
		"server is none":          {"http", says("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), Foreign, 404},
	} {
		t.Run(name, func(t *testing.T) {
			addr := each(t, c.serve)
			environment(t, map[string]string{"HTTP_PROXY": c.scheme + "://ada:secret@" + addr})
			o := try(t, nil, "ws://meet.example:1234/ws")
			if o.failure == nil || o.failure.Kind != c.want || o.failure.Status != c.status || o.gaveUp {
				t.Fatalf("got %+v, %v; gave up: %v", o.failure, o.err, o.gaveUp)
			}
			if c.want != Foreign && (o.failure.By != addr || !strings.Contains(o.err.Error(), addr)) {
				t.Errorf("%v does not name the proxy at %s", o.err, addr)
			}
		})
	}
	environment(t, map[string]string{"HTTP_PROXY": "http://127.0.0.1:1"})
	if o := try(t, nil, "ws://meet.example/ws"); o.failure == nil || o.failure.Kind != ProxyUnreachable || o.failure.By != "127.0.0.1:1" || o.gaveUp {
		t.Errorf("unreachable: %v", o.err)
	}
	for _, setting := range []string{"socks4://u:secret@127.0.0.1:1", "ftp://127.0.0.1", "http://:80"} {
		environment(t, map[string]string{"HTTP_PROXY": setting})
		if o := try(t, nil, "ws://meet.example/ws"); o.failure == nil || o.failure.Kind != ProxySetting || o.gaveUp {
			t.Errorf("%s: %v", setting, o.err)
		}
	}
}

// TestSilentProxyIsNamed has a proxy that takes the connection and says nothing.
func TestSilentProxyIsNamed(t *testing.T) {
	for _, scheme := range []string{"http", "https", "socks5"} {
		t.Run(scheme, func(t *testing.T) {
			environment(t, map[string]string{"HTTP_PROXY": scheme + "://proxy.example:1"})
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var lost error
				ctx, cancel := context.WithCancel(t.Context())
				cfg := config("ws://meet.example/ws", func(ev Event) {
					lost = ev.(Disconnected).Err
					cancel()
				})
				cfg.Dial = func(_ context.Context, _, addr string) (net.Conn, error) {
					ours, theirs := net.Pipe()
					go func() { _, _ = io.Copy(io.Discard, theirs) }()
					return ours, nil
				}
				if err := New(cfg).Run(ctx); err != nil {
					t.Fatal(err)
				}
				var f *Failure
				if !errors.As(lost, &f) || f.Kind != ProxySilent || f.By != "proxy.example:1" {
					t.Errorf("got %v", lost)
				}
				if waited := time.Since(began); waited != dialTimeout {
					t.Errorf("waited %v", waited)
				}
			})
		})
	}
}

// Addresses that a proxy elsewhere cannot reach, and what NO_PROXY names, never go through one.
func TestWhatNeedsNoProxy(t *testing.T) {
	own := "127.0.0.1"
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
			own = n.IP.String()
		}
	}
	environment(t, map[string]string{"HTTP_PROXY": "http://proxy.example:3128", "HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "inside.example,203.0.113.0/24"})
	for host, through := range map[string]bool{
		"localhost": false, "a.localhost": false, "printer.local": false, "127.0.0.1:8443": false, "127.9.9.9": false, "[::1]:8443": false, "10.1.2.3:1": false, "172.16.0.1": false,
		"172.31.255.255": false, "192.168.1.5:8443": false, "[fd00::5]:8443": false, "169.254.7.7": false, "[fe80::1]": false, "[fe80::1%eth0]:1": false, "[::ffff:10.0.0.1]:1": false, "100.64.0.9": false,
		own: false, "a.inside.example": false, "203.0.113.9:1": false, "meet.example": true, "8.8.8.8": true, "172.32.0.1:1": true, "192.169.0.1": true, "[2001:db8::1]:1": true, "10.example": true,
	} {
		for _, scheme := range []string{"ws", "wss"} {
			proxy, err := proxyFor(&url.URL{Scheme: scheme, Host: host})
			if err != nil || (proxy != nil) != through {
				t.Errorf("%s://%s: %v, %v", scheme, host, proxy, err)
			}
		}
	}
	environment(t, map[string]string{"HTTP_PROXY": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"})
	here := httptest.NewServer(http.HandlerFunc(rendezvous))
	defer here.Close()
	if o := try(t, nil, "ws"+strings.TrimPrefix(here.URL, "http")+"/ws"); !o.connected {
		t.Errorf("a meeting on this machine: %v", o.err)
	}
}

// FuzzProxyAnswer: no answer of a proxy or a server ends in a panic or a hang.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{"HTTP/1.1 403\r\n\r\n", "HTTP/1.1 407 \r\n\r\n", "HTTP/1.1 200\r\n\r\n", "\x05\x00\x05\x00\x00\x03\x01", "\x05\x02\x01\x00", "HTTP/1.1 101 \r\nUpgrade: websocket\r\n\r\n", "HTTP/1.1 301 x\r\nLocation: //\r\n\r\n", "HTTP/1.1 302 x\r\nLocation: http://[::1%zz]/\r\n\r\n", ""} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		user := url.UserPassword("ada", "secret")
		for _, ask := range []func(net.Conn, string, *url.Userinfo) (net.Conn, int, error){connect, socks5} {
			_, _, _ = ask(&scripted{left: answer}, "meet.example:80", user)
		}
		from, _ := url.Parse("ws://meet.example/ws")
		if resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(answer))), nil); err == nil {
			if to, failure := redirected(from, resp); to != nil && to.Hostname() != from.Hostname() || (to == nil) == (failure == nil) {
				t.Fatalf("follows to %v, %v", to, failure)
			} else if failure != nil && strings.ContainsAny(failure.Error(), "\n\x00") {
				t.Fatalf("said %q", failure)
			}
		}
	})
}

// scripted is a connection on which the other side says what it is going to say.
type scripted struct {
	net.Conn
	left []byte
}

func (s *scripted) Write(p []byte) (int, error) { return len(p), nil }

func (s *scripted) Read(p []byte) (int, error) {
	if len(s.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.left)
	s.left = s.left[n:]
	return n, nil
}
