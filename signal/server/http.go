package server

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// NewHTTP returns an HTTP server for handler whose limits suit the open internet: a client that
// sends its request slowly, or leaves a connection idle, does not hold it for long. When handler
// is a *Server, one address may have only so many connections at a time on which it says nothing.
func NewHTTP(handler http.Handler, log *slog.Logger) *http.Server {
	web := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second, // until the handler takes a WebSocket over
		WriteTimeout:      10 * time.Second, // likewise
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    8 << 10, // a proxy adds some; a browser's cookies are not for us
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	if s, ok := handler.(*Server); ok {
		web.ConnState = s.watchSocket
	}
	return web
}

// retryAfter is how many seconds a client that was refused should stay away.
const retryAfter = "5"

// stopped is why a node that stops, or has not started yet, takes nobody.
const stopped = "stopped"

// watchSocket counts TCP connections that have not become WebSockets, and closes those that are
// too many for their address. A trusted proxy has as many as it needs.
func (s *Server) watchSocket(c net.Conn, state http.ConnState) {
	change := 0
	switch state {
	case http.StateNew:
		change = 1
	case http.StateHijacked, http.StateClosed:
		change = -1
	default:
		return
	}
	addr := hostAddr(c.RemoteAddr().String())
	if s.trusts(addr) {
		return
	}
	l := s.node.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(addr)
	if a == nil {
		_ = c.Close()
		return
	}
	over := false
	for _, a := range a.all() {
		a.sockets = max(0, a.sockets+change)
		over = over || a.sockets > max(1, a.share*l.perAddress/2)
	}
	if over && change > 0 {
		s.metrics.refused.WithLabelValues("address-sockets").Inc()
		_ = c.Close() // StateClosed follows and counts it out
	}
}

func (s *Server) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(s.cfg.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// hostAddr is the address in a HOST:PORT or a bare address; the zero Addr when there is none.
func hostAddr(text string) netip.Addr {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	addr, err := netip.ParseAddr(strings.TrimSpace(text))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// clientAddr is the address that a request comes from. Behind trusted proxies it is the last one
// in X-Forwarded-For that is not theirs: what stands before it the client may have written.
func (s *Server) clientAddr(r *http.Request) netip.Addr {
	addr := hostAddr(r.RemoteAddr)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusts(addr); i-- {
		next := hostAddr(strings.TrimSpace(hops[i]))
		if !next.IsValid() {
			break
		}
		addr = next
	}
	return addr
}
