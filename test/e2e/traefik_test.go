package e2e

import (
	"bytes"
	"crypto/tls"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"testing"

	"go.yaml.in/yaml/v3"

	"parley/test/harness"
)

// traefik is what our file uses of Traefik's dynamic configuration.
type traefik struct {
	HTTP struct {
		Routers map[string]struct {
			Rule, Service string
			Middlewares   []string
			TLS           *struct{} `yaml:"tls"`
		}
		Middlewares map[string]struct {
			StripPrefix struct{ Prefixes []string } `yaml:"stripPrefix"`
		}
		Services map[string]struct {
			LoadBalancer struct{ Servers []struct{ URL string } } `yaml:"loadBalancer"`
		}
	}
}

var traefikRule = regexp.MustCompile("^Host\\(`([^`]+)`\\)(?: && PathPrefix\\(`([^`]+)`\\))?$")

// handler does what Traefik's documentation says of the file: a router takes the requests of its rule, the longer rule first,
// its middleware takes the prefix off, and the service gets the rest with the client in X-Forwarded-For.
func (c traefik) handler(t *testing.T) http.Handler {
	t.Helper()
	mux := http.NewServeMux() // the longer pattern wins here too
	for name, r := range c.HTTP.Routers {
		rule, service := traefikRule.FindStringSubmatch(r.Rule), c.HTTP.Services[r.Service].LoadBalancer.Servers
		if rule == nil || r.TLS == nil || len(service) != 1 {
			t.Fatalf("router %s: rule %q, TLS %v, servers %v", name, r.Rule, r.TLS, service)
		}
		to, err := url.Parse(service[0].URL)
		if err != nil {
			t.Fatal(err)
		}
		var handler http.Handler = &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = to.Scheme, to.Host
			p.SetXForwarded()
		}}
		for _, m := range r.Middlewares {
			middleware, known := c.HTTP.Middlewares[m]
			if !known {
				t.Fatalf("router %s: no middleware %q", name, m)
			}
			for _, prefix := range middleware.StripPrefix.Prefixes {
				handler = http.StripPrefix(prefix, handler)
			}
		}
		path := rule[2]
		if path == "" {
			path = "/"
		}
		mux.Handle(rule[1]+path, handler)
	}
	return mux
}

// TestE2ETraefikFile reads docs/hosting/traefik.yaml and passes requests on as it says. It does not run Traefik itself, which
// Debian does not have.
func TestE2ETraefikFile(t *testing.T) {
	harness.EndToEnd(t)
	for name, c := range map[string][2]string{"root": {"meet.example.org", "/"}, "path": {"www.example.org", "/meet/"}} {
		t.Run(name, func(t *testing.T) {
			b := startBehind(t)
			text, err := os.ReadFile(b.config("traefik.yaml", "http://127.0.0.1:8443", "http://"+b.backend))
			if err != nil {
				t.Fatal(err)
			}
			var file traefik
			dec := yaml.NewDecoder(bytes.NewReader(text))
			dec.KnownFields(true)
			if err := dec.Decode(&file); err != nil {
				t.Fatal(err)
			}
			pair, err := tls.LoadX509KeyPair(b.file("cert.pem"), b.file("key.pem"))
			if err != nil {
				t.Fatal(err)
			}
			l, err := tls.Listen("tcp", b.addr, &tls.Config{Certificates: []tls.Certificate{pair}})
			if err != nil {
				t.Fatal(err)
			}
			web := &http.Server{Handler: file.handler(t)} //nolint:gosec // for a test
			go func() { _ = web.Serve(l) }()
			t.Cleanup(func() { _ = web.Close() })
			b.serves(b.service, c[0], c[1])
		})
	}
}
