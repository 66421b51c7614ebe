package peer

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxUnsent is how many bytes to a relay over TCP may wait in the kernel before they are sent. Without a bound, a slow
// path would have seconds of packets in line, and congestion control would hear of it that much later.
const maxUnsent = 32 << 10

func keepQueueShort(c net.Conn) {
	if s, ok := c.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) {
				_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
			})
		}
	}
}
