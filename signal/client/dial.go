package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/crypto/ocsp"
	"golang.org/x/net/idna"

	"parley/signal"
)

const (
	maxRedirects = 5
	maxAnswer    = 256 << 10   // bytes that a server may say, certificates and all, before it is connected
	maxWait      = time.Minute // that a server may ask for, before the next attempt
)

// dial opens the WebSocket at address. Redirects to the same host are followed.
func (c *Client) dial(ctx context.Context, address string) (*websocket.Conn, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errNoAddress
	}
	if name, err := idna.Lookup.ToASCII(u.Hostname()); err == nil && name != u.Hostname() {
		u.Host = strings.Replace(u.Host, u.Hostname(), name, 1)
	}
	for range maxRedirects {
		proxy, err := proxyFor(u)
		if err != nil {
			return nil, err
		}
		conn, resp, err := c.upgrade(ctx, u, proxy)
		if err == nil || resp == nil {
			return conn, err
		}
		next, failure := redirected(u, resp)
		if failure != nil {
			failure.certain = failure.certain && proxy == nil
			return nil, failure
		}
		u = next
	}
	return nil, &Failure{Kind: Moved, Host: u.Host}
}

// upgrade makes one connection, through proxy if there is one. An answer other than the
// WebSocket comes with resp.
func (c *Client) upgrade(ctx context.Context, u, proxy *url.URL) (*websocket.Conn, *http.Response, error) {
	interrupt := func() bool { return true }
	answer := &bounded{}
	dialer := websocket.Dialer{
		NetDialContext: func(dctx context.Context, network, addr string) (net.Conn, error) {
			var conn net.Conn
			var err error
			if proxy == nil {
				conn, err = c.cfg.Dial(dctx, network, addr)
			} else {
				conn, err = c.dialProxy(dctx, network, addr, proxy, u.Host)
			}
			if err != nil {
				return nil, err
			}
			// Once it is connected, the dialer looks at deadlines alone.
			interrupt = context.AfterFunc(ctx, func() { _ = conn.Close() })
			answer.Conn = conn
			answer.left.Store(maxAnswer)
			return answer, nil
		},
		TLSClientConfig:  c.tlsConfig(),
		HandshakeTimeout: dialTimeout,
		Subprotocols:     []string{signal.Subprotocol, signal.Subprotocol1},
	}
	if proxy != nil {
		dialer.HandshakeTimeout += dialTimeout
	}
	conn, resp, err := dialer.DialContext(ctx, u.String(), nil)
	if !interrupt() {
		if err == nil {
			_ = conn.Close()
		}
		return nil, nil, ctx.Err()
	}
	if err != nil {
		if resp != nil {
			return nil, resp, err
		}
		return nil, nil, refine(err, u, proxy != nil)
	}
	switch conn.Subprotocol() {
	case signal.Subprotocol:
	case signal.Subprotocol1:
		_ = conn.Close()
		return nil, nil, ErrOldServer
	default:
		_ = conn.Close()
		return nil, nil, &Failure{Kind: Foreign, Host: u.Host, certain: proxy == nil}
	}
	answer.left.Store(-1)
	conn.SetReadLimit(signal.MaxFrame)
	return conn, nil, nil
}

// bounded is a connection that may say only so much until left is -1.
type bounded struct {
	net.Conn
	left atomic.Int64
}

var errTooMuch = errors.New("the server says too much before it is connected")

func (b *bounded) Read(p []byte) (int, error) {
	left := b.left.Load()
	if left == 0 {
		return 0, errTooMuch
	}
	if left > 0 {
		p = p[:min(int64(len(p)), left)]
	}
	n, err := b.Conn.Read(p)
	if left > 0 {
		b.left.Store(left - int64(n))
	}
	return n, err
}

// redirected returns where an answer sends us, if we follow, else what the answer means.
func redirected(from *url.URL, resp *http.Response) (*url.URL, *Failure) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, understood(from, resp)
	}
	moved := &Failure{Kind: Moved, Host: from.Host, Status: resp.StatusCode}
	to, err := from.Parse(resp.Header.Get("Location"))
	if err != nil || resp.Header.Get("Location") == "" || to.User != nil || to.Host == "" {
		return nil, moved
	}
	switch strings.ToLower(to.Scheme) {
	case "http", "ws":
		to.Scheme = "ws"
	case "https", "wss":
		to.Scheme = "wss"
	default:
		return nil, moved
	}
	if !strings.EqualFold(to.Hostname(), from.Hostname()) {
		moved.By = shown(to.Hostname())
		if from.Scheme == "ws" { // nobody vouches for this answer
			moved.Kind = SignIn
		}
		return nil, moved
	}
	if from.Scheme == "wss" && to.Scheme != "wss" {
		moved.By = "http"
		return nil, moved
	}
	to.Fragment, to.RawFragment = "", ""
	return to, nil
}

// understood says what an HTTP answer means that is neither the WebSocket nor a redirect.
// What the server said is left out: it is not ours to repeat.
func understood(u *url.URL, resp *http.Response) *Failure {
	f := &Failure{Kind: Status, Host: u.Host, Status: resp.StatusCode}
	switch resp.StatusCode {
	case http.StatusNetworkAuthenticationRequired:
		f.Kind = SignIn
	case http.StatusOK:
		if u.Scheme == "ws" && isPage(resp) {
			f.Kind = SignIn
		}
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusNotImplemented, http.StatusSwitchingProtocols:
		f.Kind, f.certain = Foreign, true
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		f.wait = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	}
	return f
}

// retryAfter reads the header of that name, seconds or a date (RFC 9110, section 10.2.3). It returns at most
// maxWait, and 0 for what is none.
func retryAfter(text string, now time.Time) time.Duration {
	s, err := strconv.ParseUint(text, 10, 32)
	if err == nil || errors.Is(err, strconv.ErrRange) { // s is the largest number then
		return min(time.Duration(s)*time.Second, maxWait)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxWait)
	}
	return 0
}

func isPage(resp *http.Response) bool {
	if strings.Contains(strings.ToLower(resp.Header.Get("Content-Type")), "html") {
		return true
	}
	body, _ := io.ReadAll(resp.Body) // at most 1 KiB, which the dialer has read
	return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}

// refine says what an error means that came before any HTTP answer.
func refine(err error, u *url.URL, proxied bool) error {
	f := &Failure{Host: u.Host}
	var made *Failure
	var record tls.RecordHeaderError
	var dns *net.DNSError
	var network net.Error
	switch {
	case errors.As(err, &made):
		return made
	case errors.Is(err, context.Canceled):
		return err
	case certificate(f, err):
	case errors.As(err, &record):
		f.Kind = NoTLS
	case errors.As(err, &dns) && dns.IsNotFound:
		f.Kind = NoSuchHost
	case errors.Is(err, syscall.ECONNREFUSED):
		f.Kind = NobodyListens
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		f.Kind = Silent
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
		f.Kind = Unreachable
	default: // neither the network nor HTTP: somebody answers in another language
		f.Kind, f.certain = Foreign, !proxied
	}
	return f
}

// certificate finds out what is wrong with a certificate, if that is what err is about.
func certificate(f *Failure, err error) bool {
	var failed *tls.CertificateVerificationError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var issuer x509.UnknownAuthorityError
	var roots x509.SystemRootsError
	now := time.Now()
	switch {
	case errors.Is(err, errRevoked):
		f.Kind = CertRevoked
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		f.Now = now
		if now.Before(invalid.Cert.NotBefore) {
			f.Kind, f.Time = CertNotYet, invalid.Cert.NotBefore
		} else {
			f.Kind, f.Time = CertExpired, invalid.Cert.NotAfter
		}
	case errors.As(err, &name) && name.Certificate != nil:
		f.Kind, f.Names = CertName, namesOf(name.Certificate)
	case errors.As(err, &issuer), errors.As(err, &roots):
		f.Kind = CertIssuer
	case errors.As(err, &failed), errors.As(err, &invalid):
		f.Kind = CertBad
	default:
		return false
	}
	return true
}

// namesOf lists a few of the names that a certificate is for.
func namesOf(cert *x509.Certificate) string {
	names := make([]string, 0, 4)
	for _, n := range cert.DNSNames {
		names = append(names, shown(n))
	}
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "nobody"
	}
	if len(names) > 3 {
		names = append(names[:3], "others")
	}
	return strings.Join(names, ", ")
}

// tlsConfig is how certificates are checked: as the system does, and against the proof that the
// server staples to them.
func (c *Client) tlsConfig() *tls.Config {
	return &tls.Config{RootCAs: c.roots, VerifyConnection: notRevoked}
}

var errRevoked = errors.New("the certificate was revoked")

// notRevoked looks at the stapled OCSP answer (RFC 6066, section 8), if there is one.
func notRevoked(state tls.ConnectionState) error {
	if len(state.OCSPResponse) == 0 || len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) < 2 {
		return nil
	}
	chain := state.VerifiedChains[0]
	answer, err := ocsp.ParseResponseForCert(state.OCSPResponse, chain[0], chain[1])
	if err == nil && answer.Status == ocsp.Revoked {
		return errRevoked
	}
	return nil
}
