package desktop

import (
	"net"
	"os"
	"syscall"
)

// peerIsUs reports whether the other end of a connection is a process of this user (unix(7),
// SO_PEERCRED).
func peerIsUs(c *net.UnixConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var cred *syscall.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	return err == nil && failed == nil && int(cred.Uid) == os.Geteuid()
}
