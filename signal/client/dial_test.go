package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/crypto/ocsp"

	"parley/signal"
)

// rendezvous welcomes whoever joins at /ws, below any prefix.
func rendezvous(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{Subprotocols: []string{signal.Subprotocol}}
	if !strings.HasSuffix(r.URL.Path, signal.SocketPath) {
		http.NotFound(w, r)
		return
	}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	challenge(conn)
	for first := true; ; first = false {
		_, text, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if f, _ := signal.Decode(text); f == (signal.Leave{}) {
			return
		}
		if first {
			welcome := signal.Welcome{Version: signal.Version, Session: strings.Repeat("s", 16)}
			_ = conn.WriteMessage(websocket.TextMessage, signal.Encode(welcome))
		}
	}
}

// outcome is what a client meets with first.
type outcome struct {
	connected bool
	failure   *Failure
	err       error
	ended     error // what Run returned, if it gave up by itself
	gaveUp    bool
}

// try runs a client until it is connected, has failed once, or gives up.
func try(t *testing.T, roots *x509.CertPool, addresses ...string) outcome {
	t.Helper()
	events := make(chan Event, 16)
	cfg := config("", func(ev Event) {
		select {
		case events <- ev:
		default:
		}
	})
	cfg.URLs = addresses
	c := New(cfg)
	c.roots = roots
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- c.Run(ctx) }()
	var o outcome
	select {
	case ev := <-events:
		switch ev := ev.(type) {
		case Connected:
			o.connected = true
		case Disconnected:
			o.err = ev.Err
		}
		cancel()
		<-result
	case o.err = <-result:
		o.ended, o.gaveUp = o.err, true
	}
	errors.As(o.err, &o.failure)
	if o.err != nil && strings.ContainsAny(o.err.Error(), "\n\r\x00") || o.err != nil && strings.Contains(o.err.Error(), "secret") {
		t.Errorf("said %q", o.err)
	}
	return o
}

// serve answers every connection with text. It keeps the connection open until the other side
// closes, or closes it first where text ends with hangUp.
func serve(t *testing.T, text string) string {
	t.Helper()
	return listen(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		text, closes := strings.CutSuffix(text, hangUp)
		_, _ = io.WriteString(conn, text)
		if !closes {
			_, _ = io.Copy(io.Discard, conn)
		}
	})
}

const hangUp = "\x04"

const html = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 21\r\n\r\n<html>secret</html>\r\n"

// Each answer is named for what it is. Only what is certainly no rendezvous ends the attempts.
func TestAnswersAreNamed(t *testing.T) {
	answer := func(head string) string { return head + "\r\nContent-Length: 0\r\n\r\n" }
	for name, c := range map[string]struct {
		text   string
		want   Kind
		by     string
		status int
		ends   bool
	}{
		"portal":                    {html, SignIn, "", 200, false},
		"portal without a type":     {"HTTP/1.1 200 OK\r\n\r\n <!doctype html>" + hangUp, SignIn, "", 200, false},
		"portal by redirect":        {answer("HTTP/1.1 302 Found\r\nLocation: https://login.hotel.example/secret?u=1"), SignIn, "login.hotel.example", 302, false},
		"portal by status":          {answer("HTTP/1.1 511 Network Authentication Required"), SignIn, "", 511, false},
		"data":                      {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", Status, "", 200, false},
		"400":                       {answer("HTTP/1.1 400 Bad Request"), Status, "", 400, false},
		"401":                       {answer("HTTP/1.1 401 secret"), Status, "", 401, false},
		"403 without a reason":      {answer("HTTP/1.1 403"), Status, "", 403, false},
		"404":                       {answer("HTTP/1.1 404 Not Found"), Foreign, "", 404, true},
		"426":                       {answer("HTTP/1.1 426 Upgrade Required"), Status, "", 426, false},
		"502":                       {answer("HTTP/1.1 502 Bad Gateway"), Status, "", 502, false},
		"101 of something else":     {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", Foreign, "", 101, true},
		"another language":          {"220 secret mail\r\n\r\n", Foreign, "", 0, true},
		"redirect to nowhere":       {answer("HTTP/1.1 301 Moved"), Moved, "", 301, false},
		"redirect to another thing": {answer("HTTP/1.1 301 Moved\r\nLocation: ftp://127.0.0.1/"), Moved, "", 301, false},
		"redirect in a circle":      {answer("HTTP/1.1 308 Moved\r\nLocation: /ws"), Moved, "", 0, false},
		"redirect with a password":  {answer("HTTP/1.1 301 Moved\r\nLocation: http://a:secret@127.0.0.1/ws"), Moved, "", 301, false},
		"half an answer":            {"HTTP/1.1 200 O" + hangUp, Unreachable, "", 0, false},
		"nothing":                   {hangUp, Unreachable, "", 0, false},
		"endless header":            {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 4*maxAnswer), Foreign, "", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			addr := serve(t, c.text)
			o := try(t, nil, "ws://"+addr+"/ws")
			if o.failure == nil || o.failure.Kind != c.want || o.failure.By != c.by || o.failure.Status != c.status || o.gaveUp != c.ends || o.failure.Host != addr {
				t.Errorf("got %+v, %v; gave up: %v", o.failure, o.err, o.gaveUp)
			}
		})
	}
}

// Retry-After is heeded.
func TestABusyServerIsGivenTime(t *testing.T) {
	retry := make(chan time.Duration, 1)
	cfg := config("ws://"+serve(t, "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n")+"/ws", func(ev Event) {
		if d, ok := ev.(Disconnected); ok {
			select {
			case retry <- d.Retry:
			default:
			}
		}
	})
	c := New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- c.Run(ctx) }()
	if d := <-retry; d < 7*time.Second {
		t.Errorf("tried again after %v", d)
	}
	cancel()
	<-result
}

// Nobody listens, and nobody has the name.
func TestNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if o := try(t, nil, "ws://"+l.Addr().String()+"/ws"); o.failure == nil || o.failure.Kind != NobodyListens || o.gaveUp {
		t.Errorf("closed port: %v", o.err)
	}
	f := refine(&net.OpError{Op: "dial", Err: &net.DNSError{Name: "x", IsNotFound: true}}, &url.URL{Host: "x"}, false)
	if f.(*Failure).Kind != NoSuchHost {
		t.Errorf("no such name: %v", f)
	}
}

// Redirects to the same host are followed: another path, another port, to https, not back.
func TestRedirectsToTheSameHost(t *testing.T) {
	ca := newAuthority(t)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/down/ws" {
			http.Redirect(w, r, "http://"+r.Host+"/ws", http.StatusMovedPermanently)
			return
		}
		if r.URL.Path == "/away/ws" {
			http.Redirect(w, r, "https://other.example/ws", http.StatusMovedPermanently)
			return
		}
		rendezvous(w, r)
	}))
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{ca.issue(t, good)}}
	secure.StartTLS()
	defer secure.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/ws":
				http.Redirect(w, r, "/new/ws", status)
			case "/up/ws":
				http.Redirect(w, r, secure.URL+"/meet/ws", status)
			default:
				rendezvous(w, r)
			}
		}))
		for _, path := range []string{"/ws", "/up/ws"} {
			if o := try(t, ca.pool, "ws"+strings.TrimPrefix(plain.URL, "http")+path); !o.connected {
				t.Errorf("%d from %s: %v", status, path, o.err)
			}
		}
		plain.Close()
	}
	for path, by := range map[string]string{"/down/ws": "http", "/away/ws": "other.example"} {
		o := try(t, ca.pool, "ws"+strings.TrimPrefix(secure.URL, "http")+path)
		if o.failure == nil || o.failure.Kind != Moved || o.failure.By != by || o.gaveUp {
			t.Errorf("%s: %v", path, o.err)
		}
	}
	if o := try(t, ca.pool, "wss"+strings.TrimPrefix(secure.URL, "https")+"/down/ws"); o.failure == nil || o.failure.Kind != Moved || o.failure.By != "http" {
		t.Errorf("https to http: %v", o.err)
	}
}

// authority issues certificates for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test"}, NotBefore: time.Now().AddDate(-20, 0, 0), NotAfter: time.Now().AddDate(20, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := x509.ParseCertificate(der)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return authority{cert, key, pool}
}

// good leaves a certificate as it should be.
func good(*x509.Certificate) {}

// issue makes a certificate for 127.0.0.1 and meet.example, changed by change.
func (a authority) issue(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"meet.example"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}
}

// The fault of a certificate is named, with what a person needs to see it, and is tried again.
func TestCertificatesAreNamed(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	past, future := time.Now().AddDate(-1, 0, 0).UTC().Truncate(time.Second), time.Now().AddDate(1, 0, 0).UTC().Truncate(time.Second)
	revoked := ca.issue(t, good)
	leaf, _ := x509.ParseCertificate(revoked.Certificate[0])
	staple, err := ocsp.CreateResponse(ca.cert, ca.cert, ocsp.Response{
		Status: ocsp.Revoked, SerialNumber: leaf.SerialNumber, ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour), RevokedAt: past,
	}, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	revoked.OCSPStaple = staple
	for name, c := range map[string]struct {
		cert tls.Certificate
		want Kind
		says string
	}{
		"expired": {ca.issue(t, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = past.AddDate(-1, 0, 0), past }), CertExpired, past.Format("2 January 2006")},
		"not yet valid": {
			ca.issue(t, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = future, future.AddDate(1, 0, 0) }), CertNotYet,
			"clock says " + time.Now().Format("2 January 2006"),
		},
		"another name": {ca.issue(t, func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"shop.example"}, nil }), CertName, "shop.example"},
		"a stranger's": {stranger.issue(t, good), CertIssuer, "trust"},
		"revoked":      {revoked, CertRevoked, "revoked"},
		"for clients":  {ca.issue(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), CertBad, "cannot be used"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewUnstartedServer(http.HandlerFunc(rendezvous))
			s.Config.ErrorLog = quiet
			s.TLS = &tls.Config{Certificates: []tls.Certificate{c.cert}}
			s.StartTLS()
			defer s.Close()
			o := try(t, ca.pool, "wss"+strings.TrimPrefix(s.URL, "https")+"/ws")
			if o.failure == nil || o.failure.Kind != c.want || o.gaveUp || !strings.Contains(o.err.Error(), c.says) {
				t.Errorf("got %+v, %v; gave up: %v", o.failure, o.err, o.gaveUp)
			}
		})
	}
	if o := try(t, nil, "wss://"+serve(t, html)+"/ws"); o.failure == nil || o.failure.Kind != NoTLS || o.gaveUp {
		t.Errorf("https where there is none: %v", o.err)
	}
}

// After a first welcome nothing that answers in the server's place ends the meeting.
func TestNothingEndsARunningMeeting(t *testing.T) {
	for _, text := range []string{html, "HTTP/1.1 404 Not Found\r\n\r\n" + hangUp, "220 mail\r\n\r\n", "HTTP/1.1 403\r\n\r\n" + hangUp} {
		first := httptest.NewServer(http.HandlerFunc(rendezvous))
		target := first.Listener.Addr().String()
		events := make(chan Event, 100)
		cfg := config("ws://"+target+"/ws", func(ev Event) { events <- ev })
		other := serve(t, text)
		down := make(chan struct{})
		cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			select {
			case <-down:
				addr = other
			default:
			}
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}
		c := New(cfg)
		result := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { result <- c.Run(ctx) }()
		if _, ok := (<-events).(Connected); !ok {
			t.Fatal("not connected")
		}
		close(down)
		c.Kick()
		for range 4 {
			select {
			case ev := <-events:
				if _, ok := ev.(Disconnected); !ok {
					t.Errorf("%q: %T", text, ev)
				}
				c.Kick()
			case err := <-result:
				t.Fatalf("%q ended the meeting: %v", text, err)
			}
		}
		cancel()
		<-result
		first.Close()
	}
}
