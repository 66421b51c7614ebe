package cert

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mholt/acmez/v3/acme"
	"github.com/miekg/dns"
)

const patience = 30 * time.Second

// domain is what the test's own DNS server knows.
const domain = "meet.parley.test"

// authority is a real ACME server, pebble, that looks names up at a DNS server of the test's own.
type authority struct {
	directory string
	roots     *x509.CertPool // of its own HTTPS
	manage    string
}

// startAuthority runs pebble. It validates at the ports given, and its certificates hold for life.
func startAuthority(t *testing.T, httpPort, httpsPort int, life time.Duration) *authority {
	t.Helper()
	binary, err := filepath.Abs("../../build/tools/pebble")
	if err == nil {
		_, err = os.Stat(binary)
	}
	if err != nil {
		t.Fatalf("pebble is missing, scripts/setup --test installs it: %v", err)
	}
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pemText := writePair(t, certFile, keyFile, "127.0.0.1", time.Now().Add(time.Hour))
	a := &authority{roots: x509.NewCertPool()}
	a.roots.AppendCertsFromPEM(pemText)
	listen, manage := freeAddr(t), freeAddr(t)
	a.directory, a.manage = "https://"+listen+"/dir", "https://"+manage
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": manage, "certificate": certFile, "privateKey": keyFile,
		"httpPort": httpPort, "tlsPort": httpsPort, "domainBlocklist": []string{"blocked.parley.test"},
		"retryAfter": map[string]int{"authz": 1, "order": 1},
		"profiles":   map[string]any{"default": map[string]any{"description": "d", "validityPeriod": int(life.Seconds())}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	configFile := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(configFile, config, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-config", configFile, "-dnsserver", startDNS(t))
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "PEBBLE_AUTHZREUSE=0")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("pebble: %s", out.String())
		}
	})
	eventually(t, "pebble answers", func() bool { return a.get(a.directory) != nil })
	return a
}

func (a *authority) get(url string) []byte {
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.roots}, DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return text
}

// issued is the root of the certificates that the authority issues.
func (a *authority) issued() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.get(a.manage + "/roots/0"))
	return pool
}

// startDNS serves one name, and returns its address.
func startDNS(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") // pebble asks over TCP
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(r)
		q := r.Question[0]
		switch {
		case q.Name != domain+".":
			m.Rcode = dns.RcodeNameError
		case q.Qtype == dns.TypeA:
			m.Answer = append(m.Answer, &dns.A{
				Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.IPv4(127, 0, 0, 1),
			})
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = server.ActivateAndServe() }()
	t.Cleanup(func() { _ = server.Shutdown() })
	return l.Addr().String()
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so: %s", what)
		}
	}
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
	*authority
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
	s.authority = startAuthority(t, port(s.http), port(s.https), life)
	m := NewManaged(Config{
		Domain: name, CA: s.directory, Dir: dir, HTTP: port(s.http), HTTPS: port(s.https),
		Log: slog.New(slog.NewTextHandler(s.log, nil)), checkEvery: time.Second, roots: s.roots,
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
	c, err := tls.Dial("tcp", s.https.Addr().String(), &tls.Config{ServerName: name, RootCAs: s.issued()})
	if err != nil {
		return ""
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// TestIssuedAndRenewed has a real ACME authority issue a certificate on the first start, and renew it. A second start
// uses what is there.
func TestIssuedAndRenewed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startSite(t, domain, dir, 30*time.Second) // renewed in the last third
	first := ""
	eventually(t, "a certificate is issued", func() bool { first = s.serial(domain); return first != "" })
	if !s.log.contains("certificate issued") {
		t.Error("nothing is logged")
	}
	eventually(t, "it is renewed", func() bool { now := s.serial(domain); return now != "" && now != first })
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
	t.Parallel()
	for name, want := range map[string]string{
		"elsewhere.parley.test": "The name has no address. Its A and AAAA records have to lead here",
		"blocked.parley.test":   "Use a public name of your own",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSite(t, name, t.TempDir(), time.Hour)
			eventually(t, "the log says "+want, func() bool { return s.log.contains(want) })
			if s.serial(name) != "" {
				t.Error("there is a certificate all the same")
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
	w = httptest.NewRecorder()
	if Redirect("meet.example.org").ServeHTTP(w, httptest.NewRequest("POST", "/", nil)); w.Code != 400 {
		t.Errorf("a POST gets %d", w.Code)
	}
}

// writePair makes a certificate of its own for an address or a name, and returns it in PEM.
func writePair(t *testing.T, certFile, keyFile, name string, end time.Time) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: end.Add(-2 * time.Hour), NotAfter: end,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certText := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyText := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	if err := errors.Join(os.WriteFile(certFile, certText, 0o600), os.WriteFile(keyFile, keyText, 0o600)); err != nil {
		t.Fatal(err)
	}
	return certText
}

// TestFilesAreReadAgain has another program renew the certificate, and once write rubbish.
func TestFilesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	now := time.Now()
	writePair(t, certFile, keyFile, "one.example", now.Add(time.Hour))
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
	writePair(t, certFile, keyFile, "two.example", now.Add(time.Hour))
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
	writePair(t, certFile, keyFile, "three.example", now.Add(time.Hour))
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
	writePair(t, certFile, keyFile, "old.example", time.Now().Add(-time.Hour))
	if _, err := NewFiles(certFile, keyFile, log); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("an expired certificate: %v", err)
	}
}
