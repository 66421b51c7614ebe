// Package probe tries a rendezvous from where it runs, as a member's app would: what works, what does not, and why.
package probe

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"parley/signal"
	"parley/signal/client"
	"parley/signal/identity"
)

// stepTimeout is how long one check may take.
const stepTimeout = 10 * time.Second

// maxSkew is by how much clocks may differ before it is worth a word: credentials hold for hours.
const maxSkew = time.Minute

// Check is one thing that was tried.
type Check struct {
	Name   string        `json:"name"`
	OK     bool          `json:"ok"`
	Detail string        `json:"detail"`           // what was seen
	Advice string        `json:"advice,omitempty"` // what to do about it
	Took   time.Duration `json:"took_ns"`
}

// Report is what a probe has found.
type Report struct {
	Server  string  `json:"server"`
	Checks  []Check `json:"checks"`
	Verdict string  `json:"verdict"` // in a sentence
	OK      bool    `json:"ok"`      // people can meet over this server from here
}

// Paths of media that were found to work.
type paths struct{ direct, udp, tcp, tls bool }

// Config is what is probed, and how.
type Config struct {
	Server *url.URL // the rendezvous, as links name it
	Host   bool     // look from a host's side, too: DNS records, port 80, how long the certificate holds

	plain string           // for tests: HOST:PORT in the place of the server's port 80
	now   func() time.Time // for tests
}

// Run tries everything once, and takes half a minute at most. It never fails: what fails is in the report.
func Run(ctx context.Context, cfg Config) Report {
	if cfg.now == nil {
		cfg.now = time.Now
	}
	p := &prober{Config: cfg, report: Report{Server: cfg.Server.String()}}
	if cfg.Host {
		p.try(ctx, "DNS", p.names)
	}
	p.healthy = p.try(ctx, "web", p.web)
	if cfg.Host && cfg.Server.Scheme == "https" {
		p.try(ctx, "port 80", p.redirects)
	}
	if p.try(ctx, "WebSocket", p.join) {
		for _, s := range p.ice {
			for _, text := range s.URLs {
				p.media(ctx, s, text)
			}
		}
	}
	p.conclude()
	return p.report
}

type prober struct {
	Config
	report          Report
	healthy, joined bool
	ice             []signal.ICEServer
	works           paths
	mapped          string // our address, as a STUN server sees it over UDP
}

// try makes one check. do returns what was seen, or an error; an advice error has what to do about it.
func (p *prober) try(ctx context.Context, name string, do func(context.Context) (string, error)) bool {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	began := time.Now()
	detail, err := do(ctx)
	c := Check{Name: name, OK: err == nil, Detail: detail, Took: time.Since(began)}
	var a advice
	if errors.As(err, &a) {
		c.Advice = a.what
	}
	if err != nil {
		c.Detail = err.Error()
	}
	p.report.Checks = append(p.report.Checks, c)
	return c.OK
}

// advice is an error with what to do about it.
type advice struct {
	error
	what string
}

func (a advice) Unwrap() error { return a.error }

// names looks up the server's addresses.
func (p *prober) names(ctx context.Context) (string, error) {
	host := p.Server.Hostname()
	list, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(list) == 0 {
		return "", advice{fmt.Errorf("nobody knows %s", host), "add an A record, and an AAAA record for IPv6, that lead to the server"}
	}
	var texts []string
	for _, a := range list {
		texts = append(texts, a.Unmap().String())
	}
	return strings.Join(texts, ", "), nil
}

// web asks for the server's health, and compares clocks and the certificate's end.
func (p *prober) web(ctx context.Context) (string, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}}
	resp, err := p.get(ctx, &client, p.Server.JoinPath("healthz").String())
	if err != nil {
		what := "is it the right address, and is the port open?"
		if cert := new(tls.CertificateVerificationError); errors.As(err, &cert) {
			what = "the certificate has to be valid, for this name, and from an issuer that this computer trusts"
		}
		return "", advice{fmt.Errorf("%s cannot be reached: %w", p.Server.Host, plain(err)), what}
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusServiceUnavailable:
		return "", advice{errors.New("the server is there, but takes nobody now (HTTP 503)"), "it is full, starting or stopping: try again in a minute"}
	case resp.StatusCode != http.StatusOK:
		return "", advice{fmt.Errorf("HTTP %d in the place of health", resp.StatusCode), "something else answers there: a sign-in page, or a proxy without the path?"}
	}
	if text, _ := io.ReadAll(io.LimitReader(resp.Body, 16)); strings.TrimSpace(string(text)) != "ok" {
		return "", advice{errors.New("something else answers in the place of the server"), "a sign-in page of this network, or a proxy without the path?"}
	}
	detail := "healthy"
	if resp.TLS != nil {
		left := resp.TLS.PeerCertificates[0].NotAfter.Sub(p.now())
		detail += fmt.Sprintf(", certificate for another %d days", int(left.Hours()/24))
		if p.Host && left < 10*24*time.Hour {
			return detail, advice{errors.New(detail), "it should have been renewed by now: see the service's log"}
		}
	}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		if skew := p.now().Sub(at); skew.Abs() > maxSkew {
			word := "ahead of"
			if skew < 0 {
				word = "behind"
			}
			return detail, advice{
				fmt.Errorf("this clock is %s %s the server's", skew.Abs().Round(time.Second), word), "set the clock of this computer, or of the server",
			}
		}
	}
	return detail + ", clocks agree", nil
}

func (p *prober) get(ctx context.Context, client *http.Client, address string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return client.Do(req)
}

// plain leaves out what net/http says around an error.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// redirects asks for http:// on port 80.
func (p *prober) redirects(ctx context.Context) (string, error) {
	at := p.plain
	if at == "" {
		at = p.Server.Hostname()
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	const what = "open port 80 to the service: browsers try it, and the certificate authority may"
	resp, err := p.get(ctx, &client, "http://"+at+"/")
	if err != nil {
		return "", advice{plain(err), what}
	}
	resp.Body.Close()
	if to := resp.Header.Get("Location"); !strings.HasPrefix(to, "https://") {
		return "", advice{fmt.Errorf("HTTP %d, and no redirect to https", resp.StatusCode), what}
	}
	return "leads to https", nil
}

// join takes part in a meeting that nobody knows, and leaves it.
func (p *prober) join(ctx context.Context) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	link := signal.Link{Server: p.Server, Code: signal.NewCode()}
	began := time.Now()
	var took time.Duration
	var last error
	c := client.New(client.Config{
		URLs: link.WebSocketURLs(), Keys: signal.Derive(link.Code), Identity: identity.New(),
		Events: func(ev client.Event) {
			switch ev := ev.(type) {
			case client.Servers:
				p.ice = ev.ICE
			case client.Connected:
				took, p.joined = time.Since(began), true
				cancel()
			case client.Disconnected:
				last = ev.Err
				cancel()
			}
		},
	})
	if err := c.Run(ctx); err != nil && last == nil {
		last = err
	}
	switch {
	case p.joined:
		return fmt.Sprintf("joined a meeting in %d ms", took.Milliseconds()), nil
	case last == nil:
		last = errors.New("no answer")
	}
	if !p.healthy { // then web has said what to do
		return "", errors.New(strings.TrimSuffix(last.Error(), "; trying again"))
	}
	switch {
	case errors.Is(last, client.ErrOldServer):
		return "", advice{last, "update the service"}
	case errors.Is(last, client.ErrVersion):
		return "", advice{last, "update this program"}
	}
	return "", advice{last, "a proxy in front of the server has to pass on WebSockets"}
}

// conclude says in a sentence what people can expect.
func (p *prober) conclude() {
	w := p.works
	relayed := w.udp || w.tcp || w.tls
	r := &p.report
	r.OK = p.joined && (w.direct || relayed)
	switch {
	case !p.joined && p.healthy:
		r.Verdict = "The server is there, but nobody can join a meeting from here."
	case !p.joined:
		r.Verdict = "The server cannot be used from here."
	case len(p.ice) == 0:
		r.OK = true
		r.Verdict = "People meet, but in one network only: this server names neither STUN nor TURN."
	case w.udp && (w.tcp || w.tls):
		r.Verdict = "All is well: people meet directly where routers allow it, and through the relay elsewhere."
	case w.udp:
		r.Verdict = "People meet over UDP, directly or through the relay. Networks that block UDP have no way out."
	case relayed && p.mapped == "":
		r.Verdict = "UDP does not get through here: calls go through the relay over TCP, with more delay."
	case relayed:
		r.Verdict = "People meet directly where routers allow it, and through the relay over TCP."
	case w.direct:
		r.Verdict = "STUN works, the relay does not: people behind strict routers do not see each other."
	default:
		r.Verdict = "People find each other, but no picture or sound gets beyond one network: neither STUN nor TURN answers."
	}
	for _, c := range r.Checks {
		if !c.OK && strings.HasPrefix(r.Verdict, "All is well") {
			r.Verdict = "People can meet. One thing should be mended: " + c.Name + "."
		}
	}
}

// Print writes the report for people.
func (r Report) Print(w io.Writer) {
	fmt.Fprintf(w, "Server %s\n", r.Server)
	for _, c := range r.Checks {
		mark := "ok"
		if !c.OK {
			mark = "--"
		}
		fmt.Fprintf(w, "  %s  %-14s %s\n", mark, c.Name, c.Detail)
		if c.Advice != "" {
			fmt.Fprintf(w, "  %2s  %-14s %s\n", "", "", "> "+c.Advice)
		}
	}
	fmt.Fprintf(w, "\n%s\n", r.Verdict)
}

// PrintJSON writes it for programs.
func (r Report) PrintJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
