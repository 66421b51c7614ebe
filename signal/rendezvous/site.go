package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/net/idna"

	"parley/signal/cert"
	"parley/signal/server"
)

const siteUsage = `
HTTPS, which the app and browsers want on the open internet:
  --domain NAME   serve https://NAME/ with a certificate from Let's Encrypt, which is renewed by itself. This also
                  implies --listen :443 and --turn; --turn=false leaves TURN out
  --acme-ca URL   another certificate authority's ACME directory
  --acme-email ADDR
                  where the authority may write to
  --state DIR     where certificates and their keys are kept (default $STATE_DIRECTORY or ~/.local/share/parley-rendezvous)
  --redirect ADDR where to send http:// on to https:// (default :80 with --domain, else none)
  --tls-cert FILE, --tls-key FILE
                  a certificate of your own instead, and its key, in PEM; both are read again when they change
  --insecure      allow http:// on public addresses: names of rooms and members' addresses can be read on the way
`

// siteOptions are the flags about HTTPS.
type siteOptions struct {
	domain, ca, email, state string
	redirect                 string
	cert, key                string
	insecure                 bool
}

const none = "none"

func (o *siteOptions) flags(f *flag.FlagSet) {
	f.StringVar(&o.domain, "domain", "", "")
	f.StringVar(&o.ca, "acme-ca", "", "")
	f.StringVar(&o.email, "acme-email", "", "")
	f.StringVar(&o.state, "state", "", "")
	f.StringVar(&o.redirect, "redirect", "", "")
	f.StringVar(&o.cert, "tls-cert", "", "")
	f.StringVar(&o.key, "tls-key", "", "")
	f.BoolVar(&o.insecure, "insecure", false, "")
}

// settle checks the flags and fills in what --domain implies for them and for others, unless given.
func (o *options) settle(given map[string]bool) error {
	s := &o.site
	switch {
	case s.domain != "" && (s.cert != "" || s.key != ""):
		return errors.New("either --domain, or --tls-cert and --tls-key, not both")
	case (s.cert == "") != (s.key == ""):
		return errors.New("--tls-cert and --tls-key belong together")
	case o.downloads != "" && !isFolder(o.downloads):
		return fmt.Errorf("--downloads: there is no folder %s", o.downloads)
	case s.redirect != "" && s.redirect != none && s.domain == "":
		return errors.New("--redirect needs --domain: the name to send people to")
	}
	if s.domain == "" {
		return o.allowPlain()
	}
	name, err := domainName(s.domain)
	if err != nil {
		return err
	}
	s.domain = name
	s.redirect = cmp.Or(s.redirect, ":80")
	s.state = cmp.Or(s.state, stateDir())
	o.turn.place.Host = cmp.Or(o.turn.place.Host, name)
	if !given["listen"] {
		o.listen = ":443"
	}
	if !given["turn"] && len(o.turn.urls) == 0 {
		o.turn.serve = true
	}
	return nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

var dnsName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$`)

// domainName takes the value of --domain, also as people paste it.
func domainName(text string) (string, error) {
	text = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "https://"), "/")
	name, err := idna.Lookup.ToASCII(strings.TrimSuffix(text, "."))
	if _, ip := netip.ParseAddr(text); err != nil || ip == nil || len(name) > 253 || !dnsName.MatchString(name) {
		return "", fmt.Errorf("--domain: %q is no public name, such as meet.example.org", text)
	}
	return name, nil
}

// allowPlain refuses HTTP without TLS where strangers' networks are on the way.
func (o *options) allowPlain() error {
	if o.site.cert != "" || o.site.insecure || len(o.proxies) > 0 {
		return nil
	}
	at, err := net.ResolveTCPAddr("tcp", o.listen) // as listening does
	if err != nil {
		return nil // listening says what is wrong
	}
	if at.IP.IsLoopback() || at.IP.IsPrivate() || at.IP.IsLinkLocalUnicast() {
		return nil
	}
	return fmt.Errorf("%s would serve http:// to everybody: use --domain NAME or --tls-cert FILE for https://, --trusted-proxy behind "+
		"a proxy that has a certificate, --listen with a private address, or --insecure", o.listen)
}

// stateDir is where systemd has a service keep things, else where this user's programs do.
func stateDir() string {
	if dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); dir != "" { // systemd.exec(5)
		return dir
	}
	data := os.Getenv("XDG_DATA_HOME")
	if home, err := os.UserHomeDir(); data == "" && err == nil {
		data = filepath.Join(home, ".local", "share")
	}
	if data == "" {
		data = "/var/lib"
	}
	return filepath.Join(data, "parley-rendezvous")
}

// site is the service's certificate, and port 80.
type site struct {
	managed  *cert.Managed
	redirect net.Listener
}

// openSite has web speak TLS if the flags say so, and listens for HTTP beside it.
func openSite(o siteOptions, web net.Listener, log *slog.Logger) (s site, secure net.Listener, err error) {
	switch {
	case o.cert != "":
		files, err := cert.NewFiles(o.cert, o.key, log)
		if err != nil {
			return s, web, fmt.Errorf("--tls-cert, --tls-key: %w", err)
		}
		return s, tls.NewListener(web, files.TLS()), nil
	case o.domain == "":
		return s, web, nil
	}
	if err := writable(o.state); err != nil {
		return s, web, fmt.Errorf("keep certificates: %w: choose another folder with --state", err)
	}
	cfg := cert.Config{Domain: o.domain, Email: o.email, CA: o.ca, Dir: o.state, HTTPS: tcpPort(web), Log: log}
	if o.redirect != none {
		if s.redirect, err = net.Listen("tcp", o.redirect); err != nil {
			return s, web, errors.New(listenText("--redirect", o.redirect, err) + ", or --redirect none")
		}
		cfg.HTTP = tcpPort(s.redirect)
	}
	s.managed = cert.NewManaged(cfg)
	return s, tls.NewListener(web, s.managed.TLS()), nil
}

// writable makes a folder, if there is none, and tries whether files can be written there.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "try")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func tcpPort(l net.Listener) int {
	a, _ := l.Addr().(*net.TCPAddr)
	return a.Port
}

// start has the certificate issued. What it returns ends that.
func (s site) start(ctx context.Context) error {
	if s.managed == nil {
		return nil
	}
	return s.managed.Start(ctx)
}

func (s site) close() {
	if s.managed != nil {
		s.managed.Close()
	}
}

// web is the server of port 80; nil without.
func (s site) web(log *slog.Logger) *http.Server {
	if s.redirect == nil {
		return nil
	}
	return server.NewHTTP(s.managed.HTTP(), log)
}
