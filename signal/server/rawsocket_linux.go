//go:build !386

package server

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// Listener returns l with connections that are read at less cost. A read is a system call that cannot block, and
// the scheduler is not told of it. A call it is told of wakes the runtime's monitor, which then looks around every
// 20 us for at least a millisecond (sysmon in runtime/proc.go): a tenth of what relaying cost.
func Listener(l net.Listener) net.Listener { return quickListener{l} }

type quickListener struct{ net.Listener }

func (l quickListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			q := &quickConn{TCPConn: tcp, raw: raw}
			q.recv = q.tryRecv
			return q, nil
		}
	}
	return c, err
}

// quickConn is a TCP connection that is read with recv.
type quickConn struct {
	*net.TCPConn
	raw  syscall.RawConn
	recv func(fd uintptr) bool

	mu    sync.Mutex // one reads at a time; what follows is of that read
	into  []byte
	n     int
	errno syscall.Errno
}

func (c *quickConn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.into = b
	err := c.raw.Read(c.recv)
	c.into = nil
	switch {
	case err != nil:
		return 0, err
	case c.errno != 0:
		return 0, &net.OpError{Op: "read", Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError("recvfrom", c.errno)}
	case c.n == 0:
		return 0, io.EOF
	}
	return c.n, nil
}

// tryRecv is called with the socket's descriptor. It returns false when nothing is there yet.
func (c *quickConn) tryRecv(fd uintptr) bool {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&c.into[0])), uintptr(len(c.into)),
			syscall.MSG_DONTWAIT, 0, 0)
		if errno == syscall.EINTR {
			continue
		}
		c.n, c.errno = int(n), errno
		return errno != syscall.EAGAIN
	}
}

// rawSocket gives access to a connection's socket; nil for one that encrypts.
func rawSocket(c net.Conn) syscall.RawConn {
	if c, ok := c.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// trySend is called with the socket's descriptor. It never has the caller wait for the socket. As it
// cannot block, the system call is made without telling the scheduler, which otherwise takes the
// processor away from calls of 20 us and more, and gives it to another thread: a loopback's write
// is one, for the receiver's half of TCP runs in it.
func (b *scratch) trySend(fd uintptr) bool {
	for b.sent < len(b.frames) {
		rest := b.frames[b.sent:]
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&rest[0])), uintptr(len(rest)),
			syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			break
		}
		b.sent += int(n)
	}
	return true
}
