package turn

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
)

// lastSTUN is the greatest first byte of a STUN message (RFC 8489, section 5); no HTTP request begins with one.
const lastSTUN = 3

// Share returns a listener for HTTP on l's port. What turns out to speak TURN goes to the service: where a network
// lets out one TCP port, the one of the rendezvous, members reach both there. Call it before Run.
func (s *Server) Share(l net.Listener) net.Listener {
	h := newHanded(l.Addr())
	s.listeners = append(s.listeners, h)
	return &shared{Listener: l, turn: h}
}

type shared struct {
	net.Listener
	turn *handed
}

// Accept returns a connection whose first byte decides whose it is. HTTP's limits hold until then.
func (l *shared) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &sharedConn{Conn: c, turn: l.turn}, nil
}

// sharedConn is a connection for HTTP, unless its first byte is one of STUN: then HTTP reads its end, and TURN has
// the connection.
type sharedConn struct {
	net.Conn
	turn *handed

	mu    sync.Mutex
	first sync.Once
	moved bool
}

// Read reads for HTTP.
func (c *sharedConn) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.first.Do(func() { n, err = c.begin(p) })
	if n > 0 || err != nil {
		return n, err
	}
	return c.Conn.Read(p)
}

func (c *sharedConn) begin(p []byte) (int, error) {
	n, err := c.Conn.Read(p[:1])
	if n == 0 || p[0] > lastSTUN {
		return n, err
	}
	c.mu.Lock()
	c.moved = true
	c.mu.Unlock()
	if !c.turn.give(&begun{Conn: c.Conn, rest: []byte{p[0]}}) {
		_ = c.Conn.Close()
	}
	return 0, io.EOF
}

// Close ends the connection, if it is still HTTP's.
func (c *sharedConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.moved {
		return nil
	}
	return c.Conn.Close()
}

// SyscallConn gives access to the socket, where what is written to it is what is sent.
func (c *sharedConn) SyscallConn() (syscall.RawConn, error) {
	if s, ok := c.Conn.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported // TLS
}

// begun is a connection of which something has been read already.
type begun struct {
	net.Conn
	rest []byte
}

// NetConn is the connection itself.
func (c *begun) NetConn() net.Conn { return c.Conn }

// Read implements net.Conn.
func (c *begun) Read(p []byte) (int, error) {
	if len(c.rest) > 0 {
		n := copy(p, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
