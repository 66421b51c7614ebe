// Package host is the rendezvous inside the app, for meetings of this machine and its network, and of the internet
// where the router lets others in.
package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"parley/signal"
	"parley/signal/host/portmap"
)

// firstPort is the port for new meetings. If it is taken, any free port serves.
const firstPort = 8443

// probeTimeout bounds the request that asks another program of this machine whether it hosts a room.
const probeTimeout = time.Second

// PortError says that another program uses the port that a meeting's link names.
type PortError struct{ Port int }

func (e PortError) Error() string {
	return fmt.Sprintf("host the meeting again: another program uses port %d", e.Port)
}

// Hosting is how a meeting is hosted here.
type Hosting struct {
	Link     signal.Link // for others
	Own      *url.URL    // where this program reaches the rendezvous: the loopback address
	OnlyHere bool        // no other machine can reach it
	Moved    bool        // this machine no longer has the address in the opened link
	Anywhere bool        // the link works from the internet too
	IPv6     bool        // the same, for those alone who have IPv6
}

// Host runs a rendezvous for as long as it hosts a meeting.
type Host struct {
	log        *slog.Logger
	ctx        context.Context // of the app
	group      *errgroup.Group
	interfaces func() ([]Interface, error)
	mapper     *portmap.Mapper // nil: no router is asked

	mu       sync.Mutex
	memory   memory
	services map[int]*service // by port
	byRoom   map[string]*service
}

// New makes a host and starts nothing. Services that it starts later belong to group and end with ctx. The file
// remembers which meetings were hosted at which port; an empty name is no file. The mapper asks the router to let others
// in while there is a meeting; nil asks nobody.
func New(ctx context.Context, group *errgroup.Group, file string, mapper *portmap.Mapper, log *slog.Logger) *Host {
	return &Host{
		log: log, ctx: ctx, group: group, interfaces: interfaces, mapper: mapper, memory: memory{path: file},
		services: map[int]*service{}, byRoom: map[string]*service{},
	}
}

// Open hosts the meeting of a link under its room's name. The meeting is new if the link has no server. Otherwise it
// was hosted here before, and gets the same port again. Open returns nil for a meeting that is hosted elsewhere, and
// a PortError if another program has the port. Every successful Open needs a Close. It calls changed, from another
// goroutine and maybe before Open returns, whenever the router begins or ceases to let others in. With nil for changed, the
// link names no address of the internet.
func (h *Host) Open(link signal.Link, room string, changed func(*Hosting)) (*Hosting, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fresh := link.Server == nil || link.Server.Host == ""
	port := 0
	if !fresh {
		if port = h.memory.port(room); port == 0 || link.Server.Scheme != "http" || link.Server.Port() != strconv.Itoa(port) {
			return nil, nil
		}
	}
	s, err := h.serve(port)
	if err != nil {
		if port != 0 && hostsRoom(port, room) { // another Parley of ours: join there
			return h.hosting(link, port, reached{})
		}
		return nil, err
	}
	hosting, err := h.hosting(link, s.port, reached{})
	if err != nil {
		s.close("")
		return nil, err
	}
	var watch watcher
	if changed != nil {
		watch = func(outside reached) {
			if hosting, err := h.hosting(link, s.port, outside); err == nil {
				changed(hosting)
			}
		}
	}
	hosting.reach(s.open(room, watch))
	h.byRoom[room] = s
	if err := h.memory.remember(room, s.port); err != nil {
		h.log.Warn("the meeting cannot be hosted again later", "err", err)
	}
	return hosting, nil
}

// Close releases what one Open acquired. The rendezvous stays until everybody has left.
func (h *Host) Close(room string) {
	h.mu.Lock()
	s := h.byRoom[room]
	h.mu.Unlock()
	if s != nil {
		s.close(room)
	}
}

// serve finds or starts the service at a port. Port 0 stands for the one of new meetings. h.mu is held.
func (h *Host) serve(port int) (*service, error) {
	for p, s := range h.services {
		if (port == 0 || port == p) && s.hold() {
			return s, nil
		}
	}
	if s := h.services[port]; s != nil {
		<-s.done // it is about to leave the port
	}
	first := port
	if port == 0 {
		first = firstPort
	}
	l, err := net.Listen("tcp", ":"+strconv.Itoa(first))
	if err != nil && port != 0 {
		return nil, PortError{port}
	}
	if err != nil {
		if l, err = net.Listen("tcp", ":0"); err != nil {
			return nil, fmt.Errorf("listen for others: %w", err)
		}
	}
	s, err := newService(h.ctx, l, h.interfaces, h.mapper, h.log)
	if err != nil {
		l.Close()
		return nil, err
	}
	h.services[s.port] = s
	h.group.Go(func() error {
		if err := s.run(); err != nil {
			h.log.Error("the rendezvous of this machine has failed", "port", s.port, "err", err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.services[s.port] == s {
			delete(h.services, s.port)
		}
		for room, other := range h.byRoom {
			if other == s {
				delete(h.byRoom, room)
			}
		}
		return nil // other meetings go on, and so does the app
	})
	return s, nil
}

// hosting returns the addresses of a port of this machine, for others and for ourselves. outside is where it is reached
// from the internet, if it is.
func (h *Host) hosting(link signal.Link, port int, outside reached) (*Hosting, error) {
	list, err := h.interfaces()
	if err != nil {
		return nil, err
	}
	addrs := candidates(list)
	out := &Hosting{OnlyHere: len(addrs) == 0, Own: address(netip.MustParseAddr("127.0.0.1"), port)}
	was := link.Server
	if out.OnlyHere {
		addrs = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	}
	// A link that still works is kept as it is.
	if was != nil && was.Host != "" {
		old, err := netip.ParseAddr(was.Hostname())
		out.Moved = err == nil && !old.IsLoopback()
		for i, a := range addrs {
			if a == old {
				out.Moved = false
				addrs[0], addrs[i] = addrs[i], addrs[0]
			}
		}
	}
	out.Link = signal.Link{Code: link.Code, Owner: link.Owner, Server: address(addrs[0], port)}
	for _, a := range addrs[1:] {
		out.Link.At = append(out.Link.At, address(a, port).Host)
	}
	out.reach(outside)
	return out, nil
}

// reach adds the addresses at which others reach the meeting from the internet.
func (h *Hosting) reach(outside reached) {
	if h.OnlyHere {
		return
	}
	for _, at := range []netip.AddrPort{outside.ipv4, outside.ipv6} {
		if at.IsValid() && h.Link.Server.Host != at.String() && !slices.Contains(h.Link.At, at.String()) {
			h.Link.At = append(h.Link.At, at.String())
		}
	}
	h.Anywhere = outside.ipv4.IsValid()
	h.IPv6 = outside.ipv6.IsValid() && !h.Anywhere
}

func address(a netip.Addr, port int) *url.URL {
	return &url.URL{Scheme: "http", Host: netip.AddrPortFrom(a, uint16(port)).String()}
}

// hostsRoom asks the program at a port of this machine whether it is a Parley that hosts a room.
func hostsRoom(port int, room string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	where := address(netip.MustParseAddr("127.0.0.1"), port)
	where.Path = roomPath + room
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where.String(), nil)
	if err != nil {
		return false
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // and no proxy
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusNoContent
}

// Serve answers on l until ctx ends.
func Serve(ctx context.Context, l net.Listener, handler http.Handler) error {
	s := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second, MaxHeaderBytes: 8 << 10}
	stop := context.AfterFunc(ctx, func() {
		// The handler closes WebSockets. Other requests have a second.
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
