//go:build unix

package desktop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// socketFolder is the folder of the socket.
func socketFolder() string {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		dir = os.TempDir()
	}
	return filepath.Join(dir, fmt.Sprintf("parley-%d", os.Getuid()))
}

// listen makes the socket that later starts reach this app by.
func listen(socket string) (net.Listener, func(net.Conn) bool, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return nil, nil, err
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		l.Close()
		return nil, nil, err
	}
	return l, isUs, nil
}

// isUs reports whether the other end of a connection is a process of this user.
func isUs(c net.Conn) bool {
	u, ok := c.(*net.UnixConn)
	return ok && peerIsUs(u)
}

// dial reaches the app behind a socket if both are this user's.
func dial(ctx context.Context, socket string) (net.Conn, error) {
	info, err := os.Lstat(socket)
	if err != nil {
		return nil, err
	}
	if info.Mode().Type() != fs.ModeSocket || !ours(info) {
		return nil, fmt.Errorf("%s is not ours", socket)
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	if !isUs(c) {
		c.Close()
		return nil, errors.New("another user listens for links")
	}
	return c, nil
}

// private reports whether a file belongs to this user and nobody else may use it.
func private(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 == 0 && ours(info) }

// ours reports whether a file belongs to this user.
func ours(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

// tryLock takes the lock of a file (flock(2)) unless another process has it. The lock ends with the
// process, however that ends.
func tryLock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
