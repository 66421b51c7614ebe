package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"parley/signal"
	"parley/signal/cert/acmetest"
	"parley/signal/identity"
	"parley/test/harness"
)

// behind is a rendezvous behind a TLS proxy.
type behind struct {
	t             *testing.T
	service       *harness.Process
	addr, backend string
	dir           string
	roots         *x509.CertPool
}

// startBehind runs a rendezvous as described in docs/hosting and creates a certificate for its proxy.
func startBehind(t *testing.T) *behind {
	t.Helper()
	b := &behind{t: t, dir: t.TempDir(), addr: acmetest.FreeAddr(t), roots: x509.NewCertPool()}
	b.service, b.backend = harness.StartRendezvous(t, "127.0.0.1:0", "--trusted-proxy", "127.0.0.1", "--per-address", "4")
	b.roots.AppendCertsFromPEM(acmetest.WritePair(t, b.file("cert.pem"), b.file("key.pem"), "meet.example.org", time.Now().Add(time.Hour)))
	return b
}

func (b *behind) file(name string) string { return filepath.Join(b.dir, name) }

// config writes a file from docs/hosting with the example addresses and files replaced by this test's.
func (b *behind) config(name string, changes ...string) string {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join("docs/hosting", name))
	if err != nil {
		b.t.Fatal(err)
	}
	changed := string(text)
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(changed, changes[i]) {
			b.t.Fatalf("%s does not have %q", name, changes[i])
		}
		changed = strings.ReplaceAll(changed, changes[i], changes[i+1])
	}
	return b.write(name, changed)
}

func (b *behind) write(name, text string) string {
	b.t.Helper()
	if err := os.WriteFile(b.file(name), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return b.file(name)
}

// program finds a proxy: the system's, or the one that scripts/setup has unpacked.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	for _, dir := range []string{"build/tools/proxies/usr/sbin", "build/tools/proxies/usr/bin"} {
		if err != nil {
			path, err = exec.LookPath("./" + filepath.Join(dir, name))
		}
	}
	if err != nil {
		t.Fatalf("%s is missing: scripts/setup --test unpacks it: %v", name, err)
	}
	return path
}

// serves checks that everything works under a path of the proxy: health, the page with its files, and a meeting.
func (b *behind) serves(proxy *harness.Process, host, prefix string) {
	b.t.Helper()
	client := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}} // not the address of a trusted proxy
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return client.DialContext(ctx, network, b.addr)
	}
	secure := &tls.Config{RootCAs: b.roots, ServerName: "meet.example.org"}
	web := &http.Client{Transport: &http.Transport{DialContext: dial, TLSClientConfig: secure, DisableKeepAlives: true}}
	base := "https://" + host + prefix
	get := func(path string) (int, string) {
		resp, err := web.Get(base + path)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	harness.AwaitTrue(b.t, "the proxy passes on", func() bool { status, _ := get("healthz"); return status == 200 }, proxy.Errors)
	for path, want := range map[string]string{"": "<title>Parley</title>", "page.js": "parseCode", "download/": "[]"} {
		if status, text := get(path); status != 200 || !strings.Contains(text, want) {
			b.t.Errorf("%s%s: %d %.80q", base, path, status, text)
		}
	}
	ws := websocket.Dialer{NetDialContext: dial, TLSClientConfig: secure, Subprotocols: []string{signal.Subprotocol}}
	keys := signal.Derive(signal.NewCode())
	// Six members of one meeting claim different addresses. Entries before the proxy's own are ignored, so the limit is
	// four.
	joined := 0
	for i := range 6 {
		claim := http.Header{"X-Forwarded-For": {net.IPv4(198, 51, 100, byte(i)).String()}}
		conn, resp, err := ws.Dial("wss://"+host+prefix+"ws", claim)
		if err != nil {
			if resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
				b.t.Fatalf("member %d: %v", i, err)
			}
			continue
		}
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(harness.Patience))
		challenge, _ := b.hear(conn).(signal.Challenge)
		join := identity.New().Join(keys, challenge.Nonce, signal.Join{Try: 1, Version: signal.Version})
		if err := conn.WriteMessage(websocket.TextMessage, signal.Encode(join)); err != nil {
			b.t.Fatal(err)
		}
		if w, ok := b.hear(conn).(signal.Welcome); !ok || len(w.Members) != joined {
			b.t.Fatalf("member %d got %+v", i, w)
		}
		joined++
	}
	if joined != 4 {
		b.t.Errorf("%d members of one address came in, want 4", joined)
	}
}

func (b *behind) hear(conn *websocket.Conn) signal.Frame {
	_, text, err := conn.ReadMessage()
	if err != nil {
		b.t.Fatal(err)
	}
	f, err := signal.Decode(text)
	if err != nil {
		b.t.Fatal(err)
	}
	return f
}

// TestE2EBehindNginx runs docs/hosting/nginx.conf, at the root and under a path.
func TestE2EBehindNginx(t *testing.T) {
	harness.EndToEnd(t)
	for name, c := range map[string][2]string{"root": {"/", "location / {"}, "path": {"/meet/", "location /meet/ {"}} {
		t.Run(name, func(t *testing.T) {
			b := startBehind(t)
			site := b.config("nginx.conf", "listen 443", "listen "+b.addr, "127.0.0.1:8443/", b.backend+"/", "location / {", c[1],
				"/etc/ssl/meet.example.org.pem", b.file("cert.pem"), "/etc/ssl/meet.example.org.key", b.file("key.pem"))
			main := "daemon off; pid pid; error_log stderr; events {} http { access_log off; client_body_temp_path b; proxy_temp_path p; " +
				"fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s; include " + site + "; }\n"
			if os.Geteuid() == 0 {
				main = "user root; " + main // its workers have to read the test's files
			}
			p := harness.Launch(t, nil, program(t, "nginx"), "-p", b.dir, "-e", "stderr", "-c", b.write("main.conf", main))
			b.serves(p, "meet.example.org", c[0])
		})
	}
}

// TestE2EBehindCaddy runs docs/hosting/Caddyfile, at the root and under a path, with the test's certificate.
func TestE2EBehindCaddy(t *testing.T) {
	harness.EndToEnd(t)
	for name, host := range map[string]string{"root": "meet.example.org", "path": "www.example.org"} {
		t.Run(name, func(t *testing.T) {
			b := startBehind(t)
			own := " {\n\ttls " + b.file("cert.pem") + " " + b.file("key.pem")
			_, port, _ := net.SplitHostPort(b.addr)
			file := b.config("Caddyfile", "127.0.0.1:8443\n\t}", b.backend+"\n\t}", "127.0.0.1:8443\n}", b.backend+"\n}",
				"\nmeet.example.org {", "\nmeet.example.org:"+port+own, "\nwww.example.org {", "\nwww.example.org:"+port+own)
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			b.write("Caddyfile", "{\n\tadmin off\n\tauto_https disable_redirects\n\tdefault_bind 127.0.0.1\n\tdefault_sni meet.example.org\n\tstorage file_system "+b.dir+"\n}\n"+string(text))
			p := harness.Launch(t, []string{"HOME=" + b.dir}, program(t, "caddy"), "run", "--adapter", "caddyfile", "--config", file)
			b.serves(p, host, map[string]string{"root": "/", "path": "/meet/"}[name])
		})
	}
}
