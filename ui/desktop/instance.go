package desktop

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// One app, one window. The first start of a user and profile takes a lock and listens on a socket
// that only this user can reach. A later start hands its link over and ends.

const (
	// answerTimeout is how long either side waits for the other; both are on this machine.
	answerTimeout = 2 * time.Second
	// listenTimeout is how long to wait for an app that has the lock but does not listen yet.
	listenTimeout = 2 * time.Second
	// maxLink bounds what the socket reads, in bytes.
	maxLink = 4096
	// maxStarts is how many starts are served at a time.
	maxStarts = 8
)

// accepted is the answer to a start whose link was taken.
const accepted = "ok\n"

// Socket is where the app of this user and profile listens. Its folder is ours and private:
// links are secrets.
func Socket() (string, error) {
	config, _ := os.UserConfigDir() // empty where there is no home: a profile like another
	dir := socketFolder()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	if !info.IsDir() || !private(info) {
		return "", fmt.Errorf("%s is not ours alone", dir)
	}
	// Profiles differ by their settings' folder; a socket's path is short (108 bytes).
	return filepath.Join(dir, fmt.Sprintf("%x", sha256.Sum256([]byte(config)))[:16]), nil
}

// Instance is the one app of a user and profile. Close it, or Receive until its context ends.
type Instance struct {
	lock     *os.File
	listener net.Listener
	admits   func(net.Conn) bool // whether the other end is a start of this user
}

// Start makes this process the one app, or hands link to the app that runs already; link may be
// empty. It returns nil and no error when that app took it. With an error, this process is on its
// own: it can neither hand over nor be found.
func Start(ctx context.Context, socket, link string) (*Instance, error) {
	if len(link) >= maxLink || strings.Contains(link, "\n") {
		return nil, errors.New("the link is too long to be passed on")
	}
	ctx, cancel := context.WithTimeout(ctx, listenTimeout)
	defer cancel()
	for {
		in, err := claim(socket)
		if in != nil || err != nil {
			return in, err
		}
		c, err := dial(ctx, socket)
		if err == nil {
			defer c.Close()
			return nil, say(c, link)
		}
		select { // it may not listen yet, or just have ended
		case <-ctx.Done():
			return nil, fmt.Errorf("the app that runs does not answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// claim becomes the one app, or returns nil if there is one.
func claim(socket string) (*Instance, error) {
	lock, err := openPrivate(socket + ".lock")
	if err != nil {
		return nil, fmt.Errorf("one app, one window: %w", err)
	}
	free, err := tryLock(lock)
	if err != nil || !free {
		lock.Close()
		return nil, err
	}
	// We have the lock, so an existing socket is left over from a crash.
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		lock.Close()
		return nil, fmt.Errorf("remove a stale socket: %w", err)
	}
	l, admits, err := listen(socket)
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("listen for links: %w", err)
	}
	return &Instance{lock, l, admits}, nil
}

// openPrivate opens the lock file, and refuses one that others may open.
func openPrivate(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || !private(info)) {
		err = fmt.Errorf("%s is not ours alone", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// say sends a link and waits for the answer.
func say(c net.Conn, link string) error {
	if err := c.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	if _, err := fmt.Fprintln(c, link); err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	answer, err := bufio.NewReader(io.LimitReader(c, 16)).ReadString('\n')
	if err != nil {
		return fmt.Errorf("the app that runs does not answer: %w", err)
	}
	if answer != accepted {
		return errors.New("the app that runs takes no links")
	}
	return nil
}

// Close releases the lock, so that another start becomes the one app.
func (in *Instance) Close() error { return errors.Join(in.listener.Close(), in.lock.Close()) }

// Receive passes the links of later starts to take until ctx ends; a start without a link passes an empty one. It
// calls take from several goroutines.
func (in *Instance) Receive(ctx context.Context, take func(link string)) error {
	defer in.Close()
	stop := context.AfterFunc(ctx, func() { in.listener.Close() })
	defer stop()
	var starts errgroup.Group
	starts.SetLimit(maxStarts)
	defer func() { _ = starts.Wait() }() // serve returns no error
	for {
		c, err := in.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		} else if err != nil {
			return fmt.Errorf("listen for links: %w", err)
		}
		starts.Go(func() error { in.serve(ctx, c, take); return nil })
	}
}

// serve handles one start: it reads a line with a link and writes a line with the answer.
func (in *Instance) serve(ctx context.Context, c net.Conn, take func(string)) {
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	defer c.Close()
	if c.SetDeadline(time.Now().Add(answerTimeout)) != nil || !in.admits(c) {
		return
	}
	line, err := bufio.NewReader(io.LimitReader(c, maxLink)).ReadString('\n')
	if err != nil {
		return
	}
	// A start that gets no answer opens its own window. So answer first, and take the link only if the
	// answer went out.
	if _, err := io.WriteString(c, accepted); err == nil {
		take(strings.TrimSpace(line))
	}
}
