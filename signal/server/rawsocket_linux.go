//go:build !386

package server

import (
	"net"
	"syscall"
	"unsafe"
)

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
