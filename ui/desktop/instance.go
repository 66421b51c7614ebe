package desktop

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A link that is clicked while the app runs opens in the window that is there. The app
// listens on a socket that only this user can reach; a second start that was given a link
// and nothing else passes it on and ends. An app that is busy in a meeting declines, and the
// link gets a window of its own: no click ends a call.

// instanceTimeout bounds what either side waits for the other; both are on this machine.
const instanceTimeout = time.Second

// maxLink bounds what the socket reads, in bytes.
const maxLink = 4096

// Socket is where the app of this user and profile listens. Its folder is private:
// links are secrets.
func Socket() (string, error) {
	config, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = os.TempDir()
	}
	dir = filepath.Join(dir, fmt.Sprintf("parley-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	if !info.IsDir() || info.Mode().Perm() != 0o700 {
		return "", fmt.Errorf("%s is not private", dir)
	}
	// Profiles differ by their settings' folder; a socket's path is short (108 bytes).
	return filepath.Join(dir, fmt.Sprintf("%x", sha256.Sum256([]byte(config)))[:16]), nil
}

// PassOn gives a link to the app that runs already and says whether it took it.
func PassOn(socket, link string) bool {
	c, err := net.DialTimeout("unix", socket, instanceTimeout)
	if err != nil {
		return false
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(instanceTimeout)); err != nil {
		return false
	}
	if _, err := fmt.Fprintln(c, link); err != nil {
		return false
	}
	answer, err := bufio.NewReader(io.LimitReader(c, 16)).ReadString('\n')
	return err == nil && answer == "ok\n"
}

// ReceiveLinks listens for links until ctx ends; take says whether it wants one. Another app
// that listens already keeps the socket.
func ReceiveLinks(ctx context.Context, socket string, take func(link string) bool) error {
	if c, err := net.DialTimeout("unix", socket, instanceTimeout); err == nil {
		c.Close()
		return nil
	}
	_ = os.Remove(socket) // of an app that ended without a goodbye
	l, err := net.Listen("unix", socket)
	if err != nil {
		return fmt.Errorf("listen for links: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		} else if err != nil {
			return fmt.Errorf("listen for links: %w", err)
		}
		receiveLink(c, take)
	}
}

// receiveLink serves one connection: a line with a link, a line with the answer.
func receiveLink(c net.Conn, take func(string) bool) {
	defer c.Close()
	if c.SetDeadline(time.Now().Add(instanceTimeout)) != nil {
		return
	}
	line, err := bufio.NewReader(io.LimitReader(c, maxLink)).ReadString('\n')
	if err != nil {
		return
	}
	answer := "busy"
	if take(strings.TrimSpace(line)) {
		answer = "ok"
	}
	_, _ = fmt.Fprintln(c, answer) // whoever does not wait for it opens a window
}
