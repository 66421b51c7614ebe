// Package host is the rendezvous inside the app, for meetings of this machine and its network.
package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"parley/signal/server"
)

// hostPort is where this machine hosts meetings if it can; any free port otherwise.
const hostPort = 8443

// Host starts with the first meeting and runs as long as the app.
type Host struct {
	log   *slog.Logger
	ctx   context.Context // of the app
	group *errgroup.Group

	mu  sync.Mutex
	url *url.URL
}

// New makes a host that starts nothing yet; what it starts later ends with ctx and belongs to group.
func New(ctx context.Context, group *errgroup.Group, log *slog.Logger) *Host {
	return &Host{log: log, ctx: ctx, group: group}
}

// URL starts the rendezvous if it does not run yet and says where others reach it.
func (h *Host) URL(context.Context) (*url.URL, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.url != nil {
		return h.url, nil
	}
	l, err := net.Listen("tcp", ":"+strconv.Itoa(hostPort))
	if err != nil {
		if l, err = net.Listen("tcp", ":0"); err != nil {
			return nil, fmt.Errorf("listen for others: %w", err)
		}
	}
	srv, err := server.New(server.Config{Log: h.log})
	if err != nil {
		l.Close()
		return nil, err
	}
	h.group.Go(func() error { return srv.Run(h.ctx) })
	h.group.Go(func() error { return Serve(h.ctx, l, srv) })
	port := l.Addr().(*net.TCPAddr).Port
	h.url = &url.URL{Scheme: "http", Host: net.JoinHostPort(lanAddress(), strconv.Itoa(port))}
	return h.url, nil
}

// Serve answers on l until ctx ends.
func Serve(ctx context.Context, l net.Listener, handler http.Handler) error {
	s := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() {
		// WebSockets are the handler's to close; a second is for the rest.
		sctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if s.Shutdown(sctx) != nil {
			s.Close()
		}
	})
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the rendezvous: %w", err)
	}
	return nil
}

// lanAddress is this machine's address on its network: that of the default route, else of
// any interface, else loopback.
func lanAddress() string {
	// Connecting a UDP socket sends nothing; it only asks which way a packet would go
	// (192.0.2.1 is reserved for documentation, RFC 5737).
	if c, err := net.Dial("udp4", "192.0.2.1:9"); err == nil {
		defer c.Close()
		if a, ok := c.LocalAddr().(*net.UDPAddr); ok && !a.IP.IsLoopback() && !a.IP.IsUnspecified() {
			return a.IP.String()
		}
	}
	addrs, err := net.InterfaceAddrs()
	if err == nil {
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
				return n.IP.String()
			}
		}
	}
	return "127.0.0.1"
}
