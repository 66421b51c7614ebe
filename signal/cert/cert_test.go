package cert

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/goleak"

	"parley/signal/cert/acmetest"
)

// TestMain looks for goroutines left behind. certmagic keeps one for each authority and account as long as the program
// runs, to hold to the authority's rate, and one sleeps for seconds after a lock has been given back.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.(*RingBufferRateLimiter).loop"),
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"))
}

// logged is a log that a test reads.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) contains(part string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), part)
}

// site is a service with a managed certificate.
type site struct {
	*acmetest.Authority
	https, http net.Listener
	log         *logged
}

// startSite serves name over HTTPS, with a certificate of a pebble of its own.
func startSite(t *testing.T, name, dir string, life time.Duration) *site {
	t.Helper()
	s := &site{log: &logged{}}
	var err error
	if s.https, err = net.Listen("tcp", "127.0.0.1:0"); err == nil {
		s.http, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	port := func(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }
	s.Authority = acmetest.Start(t, port(s.http), port(s.https), life)
	m := NewManaged(Config{
		Domain: name, CA: s.Directory, Dir: dir, HTTP: port(s.http), HTTPS: port(s.https),
		Log: slog.New(slog.NewTextHandler(s.log, nil)), checkEvery: time.Second, roots: s.Roots,
	})
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	secure, plain := &http.Server{Handler: hello, ErrorLog: quiet}, &http.Server{Handler: m.HTTP(), ErrorLog: quiet}
	go func() { _ = secure.Serve(tls.NewListener(s.https, m.TLS())) }()
	go func() { _ = plain.Serve(s.http) }()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		m.Close()
		_ = secure.Close()
		_ = plain.Close()
		if t.Failed() {
			t.Logf("the service: %s", s.log.text.String())
		}
	})
	if err := m.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return s
}

// serial is that of the certificate which the service shows; empty while it shows none that the authority has issued.
func (s *site) serial(name string) string {
	c, err := tls.Dial("tcp", s.https.Addr().String(), &tls.Config{ServerName: name, RootCAs: s.Issued()})
	if err != nil {
		return ""
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// TestIssuedAndRenewed has a real ACME authority issue a certificate on the first start, and renew it. A second start
// uses what is there.
func TestIssuedAndRenewed(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a certificate to become old")
	}
	t.Parallel()
	dir := t.TempDir()
	s := startSite(t, acmetest.Domain, dir, 30*time.Second) // renewed in the last third
	first := ""
	acmetest.Eventually(t, "a certificate is issued", func() bool { first = s.serial(acmetest.Domain); return first != "" })
	if !s.log.contains("certificate issued") {
		t.Error("nothing is logged")
	}
	acmetest.Eventually(t, "it is renewed", func() bool { now := s.serial(acmetest.Domain); return now != "" && now != first })
	var private int
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, _ error) error {
		if info, err := d.Info(); err == nil && strings.HasSuffix(path, ".key") {
			if private++; info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s may be read by others: %v", filepath.Base(path), info.Mode())
			}
		}
		return nil
	})
	if private == 0 {
		t.Error("no key is kept for the next start")
	}
}

// TestNotIssued has an authority refuse. The log says what to do.
func TestNotIssued(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for two authorities")
	}
	t.Parallel()
	for name, want := range map[string]string{
		"elsewhere.parley.test": "The name has no address. Its A and AAAA records have to lead here",
		acmetest.Blocked:        "Use a public name of your own",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSite(t, name, t.TempDir(), time.Hour)
			acmetest.Eventually(t, "the log says "+want, func() bool { return s.log.contains(want) })
			if s.serial(name) != "" {
				t.Error("there is a certificate all the same")
			}
		})
	}
}

// TestKeptIsDamaged starts with what a full disk, or a start by another user, has left.
func TestKeptIsDamaged(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, path string){
		"certificate.crt": func(t *testing.T, path string) {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"key.key": func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("rubbish"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"description.json": func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"cannot be read.crt": func(t *testing.T, path string) {
			if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil { // root reads every file
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			m := NewManaged(Config{
				Domain: acmetest.Domain, CA: "https://127.0.0.1:1/dir", Dir: dir, Log: slog.New(slog.DiscardHandler),
			})
			defer m.Close()
			file := filepath.Join(dir, filepath.FromSlash(certmagic.StorageKeys.SiteCert(m.issuer.IssuerKey(), acmetest.Domain)))
			base := strings.TrimSuffix(file, ".crt")
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			acmetest.WritePair(t, file, base+".key", acmetest.Domain, time.Now().Add(time.Hour))
			if err := os.WriteFile(base+".json", []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := m.checkKept(t.Context()); err != nil {
				t.Fatalf("before: %v", err)
			}
			damage(t, base+filepath.Ext(name))
			if err := m.Start(t.Context()); err == nil || !strings.Contains(err.Error(), dir) {
				t.Errorf("said %v, want where it is", err)
			}
		})
	}
}

func TestAdvice(t *testing.T) {
	problem := func(kind string) error {
		return fmt.Errorf("obtain: %w", acme.Problem{Type: "urn:ietf:params:acme:error:" + kind})
	}
	for want, err := range map[string]error{
		"too many":                 problem("rateLimited"),
		"CAA":                      problem("caa"),
		"public name":              problem("rejectedIdentifier"),
		"records have to lead":     problem("connection"),
		"It is tried again":        problem("serverInternal"),
		"Allow connections out":    &net.OpError{Op: "dial", Err: errors.New("refused")},
		"did not answer as expect": errors.New("what"),
	} {
		if got := Advice("name.invalid", err); !strings.Contains(got, want) {
			t.Errorf("%v: %q, want %q in it", err, got, want)
		}
	}
}

// TestRedirect keeps path and query, and follows no Host that a client has written.
func TestRedirect(t *testing.T) {
	w := httptest.NewRecorder()
	Redirect("meet.example.org").ServeHTTP(w, httptest.NewRequest("GET", "http://evil.example/a?b=c", nil))
	if got := w.Header().Get("Location"); w.Code != 301 || got != "https://meet.example.org/a?b=c" {
		t.Errorf("%d to %q", w.Code, got)
	}
	// net/http takes such a request line, and has what follows the colon as URL.Opaque.
	opaque := httptest.NewRequest("GET", "/", nil)
	opaque.URL = &url.URL{Scheme: "http", Opaque: "@evil.example/"}
	w = httptest.NewRecorder()
	Redirect("meet.example.org").ServeHTTP(w, opaque)
	if to, err := url.Parse(w.Header().Get("Location")); err != nil || to.Hostname() != "meet.example.org" {
		t.Errorf("a request line without a host leads to %v, %v", to, err)
	}
	w = httptest.NewRecorder()
	if Redirect("meet.example.org").ServeHTTP(w, httptest.NewRequest("POST", "/", nil)); w.Code != 400 {
		t.Errorf("a POST gets %d", w.Code)
	}
}

// TestFilesAreReadAgain has another program renew the certificate, and once write rubbish.
func TestFilesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	now := time.Now()
	acmetest.WritePair(t, certFile, keyFile, "one.example", now.Add(time.Hour))
	f, err := NewFiles(certFile, keyFile, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	f.now = func() time.Time { return now }
	shown := func() string {
		c, err := f.TLS().GetCertificate(&tls.ClientHelloInfo{})
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.Subject.CommonName
	}
	touch := func(age time.Duration) {
		for _, name := range []string{certFile, keyFile} {
			if err := os.Chtimes(name, now.Add(age), now.Add(age)); err != nil {
				t.Fatal(err)
			}
		}
	}
	acmetest.WritePair(t, certFile, keyFile, "two.example", now.Add(time.Hour))
	touch(time.Second)
	if got := shown(); got != "one.example" {
		t.Errorf("before a minute has passed it shows %s", got)
	}
	now = now.Add(2 * checkEvery)
	if got := shown(); got != "two.example" {
		t.Errorf("then it shows %s", got)
	}
	if err := os.WriteFile(certFile, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	touch(2 * time.Second)
	now = now.Add(2 * checkEvery)
	if got := shown(); got != "two.example" {
		t.Errorf("after rubbish it shows %s", got)
	}
	acmetest.WritePair(t, certFile, keyFile, "three.example", now.Add(time.Hour))
	touch(3 * time.Second)
	now = now.Add(2 * checkEvery)
	if got := shown(); got != "three.example" {
		t.Errorf("after it was mended it shows %s", got)
	}
}

func TestFilesRefused(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	log := slog.New(slog.DiscardHandler)
	if _, err := NewFiles(certFile, keyFile, log); err == nil || !strings.Contains(err.Error(), certFile) {
		t.Errorf("missing files: %v", err)
	}
	acmetest.WritePair(t, certFile, keyFile, "old.example", time.Now().Add(-time.Hour))
	if _, err := NewFiles(certFile, keyFile, log); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("an expired certificate: %v", err)
	}
}
