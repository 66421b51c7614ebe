package turn

import (
	"errors"
	"net"
	"sync"
	"time"
)

// Times of a client's TCP connection.
const (
	firstTimeout = 10 * time.Second // for its first bytes, and for TLS
	// idleTimeout is for the bytes after that: a client refreshes its allocation every ten minutes at the latest.
	idleTimeout  = 11 * time.Minute
	writeTimeout = 10 * time.Second // for one packet
)

// listener hands a bounded number of connections to pion, and closes them all when it is closed: pion does not.
type listener struct {
	net.Listener
	server *Server

	mu     sync.Mutex
	closed bool
	conns  map[*clientConn]bool
}

func (s *Server) newListener(l net.Listener) *listener {
	return &listener{Listener: l, server: s, conns: map[*clientConn]bool{}}
}

// Accept waits for the next connection that there is room for.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if conn := l.enter(c); conn != nil {
			return conn, nil
		}
		l.server.metrics.refused.WithLabelValues("clients").Inc()
		_ = c.Close()
	}
}

func (l *listener) enter(c net.Conn) *clientConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	ip := addrPort(c.RemoteAddr()).Addr()
	if l.closed || !l.server.clients.enter(ip) {
		return nil
	}
	if !l.server.relays.open.add() {
		l.server.clients.leave(ip)
		return nil
	}
	keepQueueShort(c)
	conn := &clientConn{Conn: c, listener: l}
	l.conns[conn] = true
	return conn
}

// Close ends every connection, too.
func (l *listener) Close() error {
	err := l.Listener.Close()
	l.mu.Lock()
	l.closed = true
	var all []*clientConn
	for c := range l.conns {
		all = append(all, c)
	}
	l.mu.Unlock()
	for _, c := range all {
		_ = c.Conn.Close() // pion's reader fails and closes the rest
	}
	return err
}

// clientConn is a client's TCP connection, which does not hold anything for longer than it is used.
type clientConn struct {
	net.Conn
	listener *listener
	heard    bool // the reader's own
	once     sync.Once
}

// Read reads what the client says.
func (c *clientConn) Read(p []byte) (int, error) {
	timeout := firstTimeout
	if c.heard {
		timeout = idleTimeout
	}
	if err := c.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	c.heard = true
	return n, err
}

// Write writes one packet. A client that takes none is given up: its stream would be torn.
func (c *clientConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	if err != nil {
		_ = c.Conn.Close()
	}
	return n, err
}

// Close ends the connection.
func (c *clientConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		l := c.listener
		l.mu.Lock()
		delete(l.conns, c)
		l.mu.Unlock()
		l.server.clients.leave(addrPort(c.RemoteAddr()).Addr())
		l.server.relays.open.sub()
	})
	return err
}

// handed is a listener whose connections another one has accepted.
type handed struct {
	addr  net.Addr
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newHanded(addr net.Addr) *handed {
	return &handed{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

// give hands a connection over. It is false, and the connection still the caller's, after the end.
func (h *handed) give(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.done:
		return false
	}
}

// Accept implements net.Listener.
func (h *handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, errClosed
	}
}

// Close implements net.Listener.
func (h *handed) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr implements net.Listener.
func (h *handed) Addr() net.Addr { return h.addr }

var errClosed = errors.New("the TURN service has stopped")
