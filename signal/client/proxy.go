package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// proxyFor finds the proxy to u by the environment, as Go's HTTP client does, or nil. ALL_PROXY
// stands in for HTTP_PROXY and HTTPS_PROXY. Addresses that no proxy elsewhere can reach never
// go through one.
func proxyFor(u *url.URL) (*url.URL, error) {
	if isNear(u.Hostname()) {
		return nil, nil
	}
	env := httpproxy.FromEnvironment()
	all := os.Getenv("all_proxy")
	if all == "" {
		all = os.Getenv("ALL_PROXY")
	}
	if env.HTTPProxy == "" {
		env.HTTPProxy = all
	}
	if env.HTTPSProxy == "" {
		env.HTTPSProxy = all
	}
	target := &url.URL{Scheme: "http", Host: u.Host}
	if u.Scheme == "wss" {
		target.Scheme = "https"
	}
	proxy, err := env.ProxyFunc()(target)
	if err != nil {
		return nil, &Failure{Kind: ProxySetting, Host: u.Host}
	}
	if proxy == nil {
		return nil, nil
	}
	if _, ok := proxyPorts[proxy.Scheme]; !ok || proxy.Hostname() == "" {
		return nil, &Failure{Kind: ProxySetting, Host: u.Host}
	}
	return proxy, nil
}

// proxyPorts are the kinds of proxies and where they are found.
var proxyPorts = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}

// sharedSpace is for networks behind a provider's NAT, and for overlay networks (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// isNear tells this machine and what is reached without leaving the private network.
func isNear(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	ip, err := netip.ParseAddr(host)
	if err != nil {
		own, _ := os.Hostname()
		return host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".local") || host == strings.ToLower(own)
	}
	ip = ip.WithZone("").Unmap()
	if ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || sharedSpace.Contains(ip) {
		return true
	}
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs { // a meeting that this machine hosts at a public address
		if n, ok := a.(*net.IPNet); ok {
			if own, ok := netip.AddrFromSlice(n.IP); ok && own.Unmap() == ip {
				return true
			}
		}
	}
	return false
}

// dialProxy asks a proxy for a connection to addr, which the link writes as host.
func (c *Client) dialProxy(ctx context.Context, network, addr string, proxy *url.URL, host string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	port := proxy.Port()
	if port == "" {
		port = proxyPorts[proxy.Scheme]
	}
	by := net.JoinHostPort(proxy.Hostname(), port)
	f := func(k Kind, status int) error {
		f := &Failure{Kind: k, Host: host, By: shown(by), Status: status}
		if status == http.StatusProxyAuthRequired || status == socksNoAuth {
			f.Kind, f.wait = ProxyPassword, authWait
		}
		return f
	}
	conn, err := c.cfg.Dial(ctx, network, by)
	if err != nil {
		return nil, f(ProxyUnreachable, 0)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	if proxy.Scheme == "https" {
		config := c.tlsConfig()
		config.ServerName = proxy.Hostname()
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			stop()
			_ = conn.Close()
			bad := &Failure{Host: shown(by), By: shown(by)}
			if certificate(bad, err) {
				return nil, bad
			}
			return nil, f(said(ctx, err), 0)
		}
		conn = secure
	}
	ask := connect
	if strings.HasPrefix(proxy.Scheme, "socks5") {
		ask = socks5
	}
	tunnel, status, err := ask(conn, addr, proxy.User)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		if errors.Is(err, errProxyRefused) {
			return nil, f(ProxyRefused, status)
		}
		return nil, f(said(ctx, err), status)
	}
	return tunnel, nil
}

// said tells a proxy that says nothing from one that says something senseless.
func said(ctx context.Context, err error) Kind {
	if ctx.Err() != nil || isTimeout(err) {
		return ProxySilent
	}
	return ProxyRubbish
}

var errProxyRefused = errors.New("the proxy refused")

// authWait is between attempts at a proxy that refuses our password: some lock the account.
const authWait = 30 * time.Second

// maxProxyAnswer bounds what a proxy may say, in bytes.
const maxProxyAnswer = 64 << 10

// connect asks an HTTP proxy (RFC 9110, section 9.3.6).
func connect(conn net.Conn, addr string, user *url.Userinfo) (net.Conn, int, error) {
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{"User-Agent": {"Parley"}}}
	if user != nil {
		password, _ := user.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	if err := req.Write(conn); err != nil {
		return nil, 0, err
	}
	in := bufio.NewReader(io.LimitReader(conn, maxProxyAnswer))
	for range 5 { // informational answers come first
		resp, err := http.ReadResponse(in, req)
		switch {
		case err != nil:
			return nil, 0, err
		case resp.StatusCode < 200:
		case resp.StatusCode > 299:
			return nil, resp.StatusCode, errProxyRefused
		default:
			early, _ := in.Peek(in.Buffered())
			return &tunnel{Conn: conn, early: early}, resp.StatusCode, nil
		}
	}
	return nil, 0, errRubbish
}

// tunnel is a connection through a proxy, with what came behind the proxy's answer.
type tunnel struct {
	net.Conn
	early []byte
}

func (t *tunnel) Read(p []byte) (int, error) {
	if len(t.early) > 0 {
		n := copy(p, t.early)
		t.early = t.early[n:]
		return n, nil
	}
	return t.Conn.Read(p)
}

// What SOCKS 5 says (RFC 1928; RFC 1929 for the password).
const (
	socksVersion  = 5
	socksOpen     = 0
	socksPassword = 2
	socksNoAuth   = 0xff
	socksConnect  = 1
	socksIPv4     = 1
	socksName     = 3
	socksIPv6     = 4
)

// socks5 asks a SOCKS proxy. It passes names on as they are.
func socks5(conn net.Conn, addr string, user *url.Userinfo) (net.Conn, int, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, 0, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || len(host) > 255 {
		return nil, 0, errRubbish
	}
	if status, err := socksGreet(conn, user); err != nil {
		return nil, status, err
	}
	ask := []byte{socksVersion, socksConnect, 0}
	if ip, err := netip.ParseAddr(host); err != nil {
		ask = append(append(ask, socksName, byte(len(host))), host...)
	} else if ip = ip.Unmap(); ip.Is4() {
		ask = append(append(ask, socksIPv4), ip.AsSlice()...)
	} else {
		ask = append(append(ask, socksIPv6), ip.AsSlice()...)
	}
	if _, err := conn.Write(append(ask, byte(port>>8), byte(port))); err != nil {
		return nil, 0, err
	}
	var answer [5]byte // version, reply, reserved, kind of address, its first byte
	if _, err := io.ReadFull(conn, answer[:2]); err != nil {
		return nil, 0, err
	}
	if answer[0] != socksVersion {
		return nil, 0, errRubbish
	}
	if answer[1] != 0 {
		return nil, int(answer[1]), errProxyRefused
	}
	if _, err := io.ReadFull(conn, answer[2:]); err != nil {
		return nil, 0, err
	}
	rest := map[byte]int{socksIPv4: 3, socksIPv6: 15, socksName: int(answer[4])}
	n, ok := rest[answer[3]]
	if !ok {
		return nil, 0, errRubbish
	}
	_, err = io.ReadFull(conn, make([]byte, n+2))
	return conn, 0, err
}

// socksGreet agrees on how we prove who we are, and does.
func socksGreet(conn net.Conn, user *url.Userinfo) (int, error) {
	hello := []byte{socksVersion, 1, socksOpen}
	password, _ := user.Password()
	if user != nil && len(user.Username()) < 256 && len(password) < 256 {
		hello = []byte{socksVersion, 2, socksOpen, socksPassword}
	}
	if _, err := conn.Write(hello); err != nil {
		return 0, err
	}
	var answer [2]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return 0, err
	}
	switch {
	case answer[0] != socksVersion:
		return 0, errRubbish
	case answer[1] == socksOpen:
		return 0, nil
	case answer[1] == socksNoAuth:
		return socksNoAuth, errProxyRefused
	case answer[1] != socksPassword || len(hello) == 3:
		return 0, errRubbish
	}
	name := user.Username()
	ask := append([]byte{1, byte(len(name))}, name...)
	ask = append(append(ask, byte(len(password))), password...)
	if _, err := conn.Write(ask); err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return 0, err
	}
	if answer[1] != 0 {
		return socksNoAuth, errProxyRefused
	}
	return 0, nil
}
