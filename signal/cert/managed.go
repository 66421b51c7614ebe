// Package cert has the service's TLS certificate, from a certificate authority or from files.
package cert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"
)

// protocols are what a client may ask for in the handshake. WebSockets go over HTTP/1.1.
var protocols = []string{"http/1.1"}

// Config is what a managed certificate needs.
type Config struct {
	Domain string // the service's name, as in meet.example.org
	Email  string // whom the authority may write to; may be empty
	CA     string // the authority's ACME directory (RFC 8555, section 7.1.1); empty: Let's Encrypt
	Dir    string // where keys and certificates are kept, readable by the service alone
	// HTTP and HTTPS are the ports the service listens on. The authority comes to 80 and 443; something may forward
	// them. HTTP 0 means that nothing listens.
	HTTP, HTTPS int
	Log         *slog.Logger

	checkEvery time.Duration  // for tests; 0: every ten minutes
	roots      *x509.CertPool // for tests; nil: the system's
}

// Managed is a certificate that an authority issues and renews over ACME.
type Managed struct {
	cfg    Config
	cache  *certmagic.Cache
	magic  *certmagic.Config
	issuer *certmagic.ACMEIssuer
}

// NewManaged prepares a certificate. Start has it issued. Close ends what Start began.
func NewManaged(cfg Config) *Managed {
	m := &Managed{cfg: cfg}
	// certmagic logs much for whoever develops it; what an operator has to know comes as events.
	quiet := zap.NewNop()
	m.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return m.magic, nil },
		RenewCheckInterval: cfg.checkEvery,
		Logger:             quiet,
	})
	m.magic = certmagic.New(m.cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: cfg.Dir},
		OnEvent: m.event,
		Logger:  quiet,
	})
	ca := cfg.CA
	if ca == "" {
		ca = certmagic.LetsEncryptProductionCA
	}
	m.issuer = certmagic.NewACMEIssuer(m.magic, certmagic.ACMEIssuer{
		CA: ca, TestCA: ca, Email: cfg.Email, Agreed: true,
		DisableHTTPChallenge: cfg.HTTP == 0,
		AltHTTPPort:          cfg.HTTP, AltTLSALPNPort: cfg.HTTPS, TrustedRoots: cfg.roots,
		Logger: quiet,
	})
	m.magic.Issuers = []certmagic.Issuer{m.issuer}
	return m
}

// Start loads the certificate, or has it issued, and renewed before it ends. It does not wait for that. The service has
// to listen already: the authority asks it whether it holds the name. It fails if what is kept cannot be used.
func (m *Managed) Start(ctx context.Context) error {
	if err := m.checkKept(ctx); err != nil {
		return fmt.Errorf("read the certificate of %s kept in %s: %w: delete that folder, and a new one is issued", m.cfg.Domain, m.cfg.Dir, err)
	}
	if err := m.magic.ManageAsync(ctx, []string{m.cfg.Domain}); err != nil {
		return fmt.Errorf("manage the certificate of %s: %w", m.cfg.Domain, err)
	}
	return nil
}

// checkKept tries what is kept from an earlier start. certmagic would give up on what is damaged, and tell its own log
// alone.
func (m *Managed) checkKept(ctx context.Context) error {
	issuer, texts := m.issuer.IssuerKey(), [3][]byte{}
	for i, key := range []string{
		certmagic.StorageKeys.SiteCert(issuer, m.cfg.Domain),
		certmagic.StorageKeys.SitePrivateKey(issuer, m.cfg.Domain),
		certmagic.StorageKeys.SiteMeta(issuer, m.cfg.Domain),
	} {
		var err error
		if texts[i], err = m.magic.Storage.Load(ctx, key); errors.Is(err, fs.ErrNotExist) {
			return nil // it has a new one issued
		} else if err != nil {
			return err
		}
	}
	if !json.Valid(texts[2]) {
		return errors.New("its description is damaged")
	}
	_, err := tls.X509KeyPair(texts[0], texts[1])
	return err
}

// Close ends the renewals.
func (m *Managed) Close() { m.cache.Stop() }

// TLS returns the settings of a listener that shows the certificate, and answers the authority (RFC 8737).
func (m *Managed) TLS() *tls.Config {
	t := m.magic.TLSConfig()
	t.NextProtos = append(slices.Clone(protocols), t.NextProtos...)
	return t
}

// HTTP returns the handler of port 80: it answers the authority (RFC 8555, section 8.3) and sends everybody else to https.
func (m *Managed) HTTP() http.Handler {
	return m.issuer.HTTPChallengeHandler(Redirect(m.cfg.Domain))
}

// Redirect sends what is asked for over http to the same place over https.
func Redirect(domain string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "use https", http.StatusBadRequest)
			return
		}
		w.Header().Set("Connection", "close")
		to := url.URL{Scheme: "https", Host: domain, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
		http.Redirect(w, r, to.String(), http.StatusMovedPermanently)
	})
}

// event logs what an operator has to know.
func (m *Managed) event(_ context.Context, name string, data map[string]any) error {
	switch name {
	case "cert_obtained":
		m.cfg.Log.Info("certificate issued", "domain", m.cfg.Domain, "renewal", data["renewal"])
	case "cert_failed":
		err, _ := data["error"].(error)
		m.cfg.Log.Error("no certificate: "+Advice(m.cfg.Domain, err), "err", err)
	}
	return nil
}

// Advice says in a sentence why an authority has issued no certificate for a domain, and what to do about it.
func Advice(domain string, err error) string {
	var p acme.Problem
	if !errors.As(err, &p) {
		var network *net.OpError
		var dns *net.DNSError
		if errors.As(err, &network) || errors.As(err, &dns) {
			return "the certificate authority cannot be reached from here. Allow connections out to port 443"
		}
		return "the certificate authority did not answer as expected. It is tried again"
	}
	addresses := lookUp(domain)
	kind := strings.TrimPrefix(p.Type, "urn:ietf:params:acme:error:")
	if kind == "malformed" && len(addresses) == 0 { // pebble's word for a name that it does not find
		kind = "dns"
	}
	switch kind {
	case "rateLimited":
		return "the certificate authority has issued too many for " + domain + " lately. It is tried again; do not start the service over and over"
	case "rejectedIdentifier", "malformed":
		return "the certificate authority issues none for " + domain + ". Use a public name of your own"
	case "caa":
		return "the DNS record CAA of " + domain + " does not allow this authority. Change it, or choose another with --acme-ca"
	case "dns", "connection", "tls", "unauthorized", "incorrectResponse":
		return "the certificate authority does not reach this service as " + domain + ". " + pointsTo(addresses) +
			" Its A and AAAA records have to lead here, and ports 80 and 443 have to be open"
	}
	return "the certificate authority refused. It is tried again"
}

func lookUp(domain string) []netip.Addr {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	found, _ := net.DefaultResolver.LookupNetIP(ctx, "ip", domain)
	return found
}

// pointsTo compares the addresses of a name with this machine's. Behind a router, the two differ rightly.
func pointsTo(found []netip.Addr) string {
	if len(found) == 0 {
		return "The name has no address."
	}
	names := func(list []netip.Addr) string {
		var texts []string
		for _, a := range list {
			texts = append(texts, a.Unmap().String())
		}
		return strings.Join(texts, ", ")
	}
	text := "The name leads to " + names(found)
	if own := ownAddresses(); len(own) > 0 {
		text += "; this machine has " + names(own)
	}
	return text + "."
}

// ownAddresses are this machine's, without loopback and link-local ones.
func ownAddresses() (own []netip.Addr) {
	list, _ := net.InterfaceAddrs()
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsGlobalUnicast() {
			own = append(own, p.Addr())
		}
	}
	return own
}
