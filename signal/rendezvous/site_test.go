package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"parley/signal/cert/acmetest"
)

// hosted is the program as it is shipped, with --domain.
type hosted struct {
	t          *testing.T
	web, plain string // where it serves HTTPS and HTTP
	authority  *acmetest.Authority
	binary     string
	state      string
}

// buildHosted builds the program without cgo, and starts an authority for it.
func buildHosted(t *testing.T) *hosted {
	t.Helper()
	h := &hosted{
		t: t, web: acmetest.FreeAddr(t), plain: acmetest.FreeAddr(t),
		binary: filepath.Join(t.TempDir(), "parley-rendezvous"), state: filepath.Join(t.TempDir(), "state"),
	}
	build := exec.Command("go", "build", "-o", h.binary, ".")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	h.authority = acmetest.Start(t, addrPort(t, h.plain), addrPort(t, h.web), time.Hour)
	return h
}

func addrPort(t *testing.T, addr string) int {
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return a.Port
}

// start runs the program until the function it returns is called.
func (h *hosted) start() (stop func()) {
	h.t.Helper()
	cmd := exec.Command(h.binary, "--domain", acmetest.Domain, "--listen", h.web, "--redirect", h.plain, "--state", h.state,
		"--acme-ca", h.authority.Directory, "--turn-relay", "127.0.0.1", "--turn-port", strings.TrimPrefix(acmetest.FreeAddr(h.t), "127.0.0.1:"))
	cmd.Env = append(cmd.Environ(), "SSL_CERT_FILE="+h.authority.RootFile)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			h.t.Errorf("after SIGTERM: %v\n%s", err, log.String())
		}
		if h.t.Failed() {
			h.t.Log(log.String())
		}
	}
	h.t.Cleanup(stop)
	return stop
}

// dial makes a TLS connection to the service by its name; nil while it has no certificate.
func (h *hosted) dial(roots *x509.CertPool) *tls.Conn {
	c, err := tls.Dial("tcp", h.web, &tls.Config{ServerName: acmetest.Domain, RootCAs: roots})
	if err != nil {
		return nil
	}
	h.t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestDomain hosts with one command: a certificate from a real authority, HTTPS, STUN on the same port, and a redirect.
// A second start uses the certificate that is there.
func TestDomain(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	h := buildHosted(t)
	stop := h.start()
	roots := h.authority.Issued()
	var c *tls.Conn
	acmetest.Eventually(t, "there is a certificate", func() bool { c = h.dial(roots); return c != nil })
	serial := c.ConnectionState().PeerCertificates[0].SerialNumber.String()

	web := &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: roots},
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				to := h.web
				if strings.HasSuffix(addr, ":80") {
					to = h.plain
				}
				return new(net.Dialer).DialContext(ctx, network, to)
			},
		},
	}
	for _, url := range []string{"https://" + acmetest.Domain + "/healthz", "http://" + acmetest.Domain + "/healthz"} {
		resp, err := web.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || string(text) != "ok\n" || resp.Request.URL.Scheme != "https" {
			t.Errorf("%s: %d %q at %s", url, resp.StatusCode, text, resp.Request.URL)
		}
	}
	// A STUN binding request (RFC 8489, section 5) on the port of HTTPS.
	request := append([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, "transaction!"...)
	answer := make([]byte, 2)
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Write(request); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, answer); err != nil || answer[0] != 1 || answer[1] != 1 {
		t.Errorf("STUN over TLS: % x, %v", answer, err)
	}
	_ = c.Close()
	stop()

	h.start()
	acmetest.Eventually(t, "it serves again", func() bool { c = h.dial(roots); return c != nil })
	if again := c.ConnectionState().PeerCertificates[0].SerialNumber.String(); again != serial {
		t.Error("the second start got another certificate")
	}
}

// TestDomainImplies holds what --domain sets, and what flags keep.
func TestDomainImplies(t *testing.T) {
	for name, c := range map[string]struct {
		opt   options
		given map[string]bool
		want  func(options) bool
	}{
		"everything": {options{listen: ":8443"}, nil, func(o options) bool {
			return o.listen == ":443" && o.turn.serve && o.site.redirect == ":80" && o.turn.place.Host == "meet.example.org"
		}},
		"own port": {options{listen: ":4433"}, map[string]bool{"listen": true}, func(o options) bool { return o.listen == ":4433" }},
		"no TURN":  {options{}, map[string]bool{"turn": true}, func(o options) bool { return !o.turn.serve }},
		"other TURN": {options{turn: turnOptions{urls: []string{"turn:a.example"}}}, nil, func(o options) bool {
			return !o.turn.serve
		}},
		"no redirect": {options{site: siteOptions{redirect: none}}, nil, func(o options) bool { return o.site.redirect == none }},
	} {
		t.Run(name, func(t *testing.T) {
			c.opt.site.domain = "https://Meet.Example.org./"
			if err := c.opt.settle(c.given); err != nil || !c.want(c.opt) {
				t.Errorf("%v: %+v", err, c.opt)
			}
		})
	}
}

// TestPlainIsAllowed where no stranger's network is on the way, or somebody else has the certificate.
func TestPlainIsAllowed(t *testing.T) {
	for _, args := range [][]string{
		{"127.0.0.1:1"},
		{"[::1]:1"},
		{"192.168.1.5:1"},
		{"10.0.0.1:1"},
		{"[fd00::1]:1"},
		{"localhost:1"},
		{":1", "--insecure"},
		{":1", "--trusted-proxy"},
	} {
		o := options{listen: args[0]}
		if len(args) > 1 {
			o.site.insecure = args[1] == "--insecure"
			if !o.site.insecure {
				_ = o.trust("10.0.0.0/8")
			}
		}
		if err := o.settle(nil); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// TestPublicName listens by a name that leads to a public address.
func TestPublicName(t *testing.T) {
	p, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{PacketConn: p, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(r)
		if q := r.Question[0]; q.Qtype == dns.TypeA {
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: q.Qclass}, A: net.IPv4(192, 0, 2, 1)})
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = server.ActivateAndServe() }()
	system := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = system; _ = server.Shutdown() })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp4", p.LocalAddr().String())
	}}
	o := options{listen: "meet.parley.test:8443"}
	if err := o.settle(nil); err == nil || !strings.Contains(err.Error(), "--insecure") {
		t.Errorf("http:// to everybody by name: %v", err)
	}
}
