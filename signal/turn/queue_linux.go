package turn

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxUnsent is how many bytes of a connection may wait in the kernel before they are sent. What waits longer is late:
// without a bound, a slow path would have seconds of packets in line. It holds a few frames.
const maxUnsent = 32 << 10

func keepQueueShort(c net.Conn) {
	for inner, ok := c.(interface{ NetConn() net.Conn }); ok; inner, ok = c.(interface{ NetConn() net.Conn }) {
		c = inner.NetConn() // under TLS
	}
	if s, ok := c.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) {
				_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
			})
		}
	}
}
