package signal

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Link is a meeting and the rendezvous that introduces its members.
type Link struct {
	Server *url.URL // scheme http or https, and host; nothing else
	Code   Code
	// At lists further addresses of the same rendezvous, HOST or HOST:PORT, best first after
	// Server's own; at most MaxAt of them.
	At []string
}

// MaxAt is how many further addresses a link carries.
const MaxAt = 6

// DeepScheme is the URL scheme that the app registers with the desktop.
const DeepScheme = "parley"

// SocketPath is where a rendezvous serves the WebSocket.
const SocketPath = "/ws"

// maxLink bounds the text that ParseLink looks at, in bytes.
const maxLink = 2048

// maxHost bounds host and port of a server, in bytes: a name of 253 (RFC 1035, section 2.3.4,
// less its first and last length), and ":65535". What is within it can be written down again
// within maxLink, however much of it has to be percent-encoded.
const maxHost = 253 + 6

// Errors of ParseLink. They never carry the text, for it holds the code.
var (
	ErrLink     = errors.New("not a meeting link: it looks like https://HOST/#7k3m-q9xt-2w8p")
	ErrNoServer = errors.New("a code alone does not say where the meeting is: open the whole link, or name the server with --server URL")
)

// ParseLink reads https://HOST/#CODE, http://HOST:PORT/#CODE, parley://HOST/#CODE, or a code
// alone, whose server is then fallback. The errors are ErrLink, ErrCode and ErrNoServer.
func ParseLink(text string, fallback *url.URL) (Link, error) {
	if len(text) > maxLink {
		return Link{}, ErrLink
	}
	text = strings.Trim(text, " \t\r\n\u00a0<>\"'")
	if !strings.ContainsAny(text, ":/#") {
		return bareCode(text, fallback)
	}
	u, err := url.Parse(text)
	if err != nil { // not wrapped: url.Error quotes its input
		return Link{}, ErrLink
	}
	server, err := serverOf(u)
	if err != nil {
		return Link{}, err
	}
	text, rest, _ := strings.Cut(u.Fragment, "&")
	code, err := ParseCode(text)
	if err != nil {
		return Link{}, err
	}
	return Link{Server: server, Code: code, At: parseAt(server, rest)}, nil
}

// parseAt reads the further addresses out of the parameters behind a code. What it does not
// know it leaves out.
func parseAt(server *url.URL, parameters string) []string {
	var at []string
	for _, p := range strings.Split(parameters, "&") {
		name, host, _ := strings.Cut(p, "=")
		if name != "at" || len(at) == MaxAt {
			continue
		}
		if u, err := serverOf(&url.URL{Scheme: server.Scheme, Host: host}); err == nil && u.Host != server.Host && !slices.Contains(at, u.Host) {
			at = append(at, u.Host)
		}
	}
	return at
}

// ParseServer reads the address of a rendezvous as the user configures it, http://HOST:PORT or
// https://HOST, with or without a slash at its end. It returns ErrServer for anything else.
func ParseServer(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Fragment != "" || u.RawQuery != "" || strings.EqualFold(u.Scheme, DeepScheme) {
		return nil, ErrServer
	}
	server, err := serverOf(u)
	if err != nil {
		return nil, ErrServer
	}
	return server, nil
}

// ErrServer says that a text is not the address of a rendezvous.
var ErrServer = errors.New("not a server address: it looks like https://meet.example.org or http://192.168.1.5:8443")

func bareCode(text string, fallback *url.URL) (Link, error) {
	code, err := ParseCode(text)
	if err != nil {
		return Link{}, err
	}
	if fallback == nil {
		return Link{}, ErrNoServer
	}
	server, err := serverOf(fallback)
	if err != nil {
		return Link{}, ErrServer
	}
	return Link{Server: server, Code: code}, nil
}

// serverOf keeps the scheme and host of u, or says why it has none that can be used.
func serverOf(u *url.URL) (*url.URL, error) {
	if !utf8.ValidString(u.Host) {
		return nil, ErrLink
	}
	host := strings.ToLower(u.Host)
	if len(host) > maxHost {
		return nil, ErrLink
	}
	if u.Hostname() == "" || u.User != nil || u.Opaque != "" || strings.ContainsAny(host, " <>\"'\\`{}|^") {
		return nil, ErrLink
	}
	if u.Path != "" && u.Path != "/" {
		return nil, ErrLink
	}
	scheme := strings.ToLower(u.Scheme)
	switch scheme {
	case "http", "https":
	case DeepScheme:
		scheme = "https"
		if isLocal(u.Hostname()) {
			scheme = "http"
		}
	default:
		return nil, ErrLink
	}
	server := &url.URL{Scheme: scheme, Host: host}
	if _, err := url.Parse(server.String() + "/"); err != nil {
		return nil, ErrLink
	}
	if port := server.Port(); port == "" && strings.HasSuffix(host, ":") {
		server.Host = strings.TrimSuffix(host, ":")
	} else if port != "" {
		if n, err := net.LookupPort("tcp", port); err != nil || n == 0 {
			return nil, ErrLink
		}
	}
	return server, nil
}

// isLocal tells whether a host cannot have a certificate that others trust: this machine or an
// address literal of a private network. There parley:// means plain http; the meeting is sealed
// end to end either way.
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

// String is the link that people send to each other. The code is in the fragment, which
// browsers never send to the server (RFC 9110, section 7.1).
func (l Link) String() string { return l.Server.String() + "/#" + l.fragment() }

// DeepLink is the link that opens the app. It has no room for the transport: see ParseLink.
func (l Link) DeepLink() string {
	u := url.URL{Scheme: DeepScheme, Host: l.Server.Host}
	return u.String() + "/#" + l.fragment()
}

func (l Link) fragment() string {
	text := l.Code.String()
	for _, host := range l.At[:min(len(l.At), MaxAt)] {
		text += "&at=" + host
	}
	return text
}

// WebSocketURLs are where the rendezvous is spoken to, best first: Server, then At.
func (l Link) WebSocketURLs() []string {
	urls := []string{l.socketURL(l.Server.Host)}
	for _, host := range l.At {
		urls = append(urls, l.socketURL(host))
	}
	return urls
}

func (l Link) socketURL(host string) string {
	u := url.URL{Scheme: "wss", Host: host, Path: SocketPath}
	if l.Server.Scheme == "http" {
		u.Scheme = "ws"
	}
	return u.String()
}
