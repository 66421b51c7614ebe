package signal

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Link is a meeting and the rendezvous that introduces its members.
type Link struct {
	Server *url.URL // scheme http or https, host, and a path prefix without a slash at its end
	Code   Code
	// Owner is the fingerprint of the meeting owner's key, 16 characters of base64url; empty if the link names none.
	Owner string
	// At lists further addresses of the same rendezvous, HOST or HOST:PORT, best first after
	// Server's own; at most MaxAt of them.
	At []string
}

// MaxAt is how many further addresses a link carries.
const MaxAt = 6

// DeepScheme is the URL scheme that the app registers with the desktop.
const DeepScheme = "parley"

// SocketPath is where a rendezvous serves the WebSocket, below the server's path prefix.
const SocketPath = "/ws"

// Limits of a server's address, in bytes.
const (
	maxHost   = 253 + 6 // a name (RFC 1035, section 2.3.4, less its first and last length) and ":65535"
	maxPrefix = 255
)

// ErrServer says that a text is not the address of a rendezvous.
var ErrServer = errors.New("not a server address: it looks like https://meet.example.org, https://example.org/meet or http://192.168.1.5:8443")

// ParseServer reads the address of a rendezvous as the user configures it, http://HOST:PORT or
// https://HOST/PREFIX, with or without a slash at its end. It returns ErrServer for anything else.
func ParseServer(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Fragment != "" || u.RawQuery != "" || strings.EqualFold(u.Scheme, DeepScheme) {
		return nil, ErrServer
	}
	return serverOf(u)
}

// serverOf keeps scheme, host and path prefix of u. It returns ErrServer when one of them cannot be used. A
// parley:// link does not say which scheme its server has: it is https, or http where there can be no certificate.
func serverOf(u *url.URL) (*url.URL, error) {
	host, ok := cleanHost(u.Host)
	if !ok || u.User != nil || u.Opaque != "" {
		return nil, ErrServer
	}
	prefix, ok := cleanPrefix(u)
	if !ok {
		return nil, ErrServer
	}
	scheme := strings.ToLower(u.Scheme)
	switch scheme {
	case "http", "https":
	case DeepScheme:
		scheme = impliedScheme(host)
	default:
		return nil, ErrServer
	}
	server, err := url.Parse(scheme + "://" + (&url.URL{Host: host}).String()[len("//"):] + prefix)
	if err != nil || len(server.Host) > maxHost {
		return nil, ErrServer
	}
	return server, nil
}

// cleanHost checks HOST or HOST:PORT and writes it in lower case. The host is a name, an IPv4
// address, or an IPv6 address in brackets.
func cleanHost(host string) (string, bool) {
	host = strings.ToLower(strings.TrimSuffix(host, ":"))
	u := url.URL{Host: host}
	name, port := u.Hostname(), u.Port()
	if len(host) > maxHost {
		return "", false
	}
	if strings.HasPrefix(host, "[") {
		ip, err := netip.ParseAddr(name)
		if err != nil || strings.ContainsFunc(ip.Zone(), func(r rune) bool { return !isASCIIWord(r) }) {
			return "", false
		}
		host = "[" + name + "]"
	} else {
		name = strings.TrimSuffix(name, ".")
		if !validName(name) {
			return "", false
		}
		host = name
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return "", false
		}
		host += ":" + port
	}
	return host, true
}

// validName checks a DNS name or IPv4 address. Letters of other scripts are allowed: whoever
// dials encodes them (IDNA).
func validName(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || strings.HasPrefix(label, "-") || strings.ContainsFunc(label, func(r rune) bool {
			return r == unicode.ReplacementChar || r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
		}) {
			return false
		}
	}
	return true
}

func isASCIIWord(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

var prefixForm = regexp.MustCompile(`^(/[A-Za-z0-9._~%+@-]+)*$`)

// cleanPrefix is the path of u without slashes at its end.
func cleanPrefix(u *url.URL) (string, bool) {
	prefix := strings.TrimRight(u.EscapedPath(), "/")
	if len(prefix) > maxPrefix || !prefixForm.MatchString(prefix) {
		return "", false
	}
	for part := range strings.SplitSeq(prefix, "/") {
		if part == "." || part == ".." {
			return "", false
		}
	}
	return prefix, true
}

// impliedScheme is the scheme of a server when the link does not name one.
func impliedScheme(host string) string {
	if isLocal((&url.URL{Host: host}).Hostname()) {
		return "http"
	}
	return "https"
}

// isLocal reports whether a host cannot have a certificate that others trust: this machine, or an address literal
// of a private network. Such a host is reached by plain http. Messages are sealed end to end either way.
func isLocal(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	ip = ip.Unmap()
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
}

// addAt adds another address if it is valid and new.
func (l *Link) addAt(host string) {
	host, ok := cleanHost(host)
	if ok && isASCII(host) && !strings.Contains(host, "%") && len(l.At) < MaxAt && host != l.Server.Host && !slices.Contains(l.At, host) {
		l.At = append(l.At, host)
	}
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// String is the link that people send to each other. The code is in the fragment, which
// browsers never send to the server (RFC 9110, section 7.1).
func (l Link) String() string { return l.Server.String() + "/#" + l.fragment() }

// DeepLink is the link that opens the app. It does not name the server's scheme: see serverOf.
func (l Link) DeepLink() string {
	u := url.URL{Scheme: DeepScheme, Host: l.Server.Host, Path: l.Server.Path, RawPath: l.Server.RawPath}
	return u.String() + "/#" + l.fragment()
}

func (l Link) fragment() string {
	text := l.Code.String()
	if l.Owner != "" {
		text += "&owner=" + l.Owner
	}
	for _, host := range l.At[:min(len(l.At), MaxAt)] {
		text += "&at=" + host
	}
	return text
}

// WebSocketURLs are the rendezvous' WebSocket addresses, best first: Server, then At.
func (l Link) WebSocketURLs() []string {
	urls := []string{l.socketURL(l.Server.Host)}
	for _, host := range l.At {
		urls = append(urls, l.socketURL(host))
	}
	return urls
}

func (l Link) socketURL(host string) string {
	u := url.URL{Scheme: "wss", Host: host, Path: l.Server.Path, RawPath: l.Server.RawPath}
	if l.Server.Scheme == "http" {
		u.Scheme = "ws"
	}
	return u.String() + SocketPath
}
