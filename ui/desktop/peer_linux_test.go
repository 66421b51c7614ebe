package desktop

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

const nobody = 65534

// asNobody runs f as another user, on a thread of its own that ends with it.
func asNobody(t *testing.T, f func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread is of no use to others
		if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, nobody, nobody, nobody); e != 0 {
			done <- e
			return
		}
		done <- f()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestSocketOfAnotherUser: files of another user are not used, and processes of another user, however
// they came to the socket, are neither listened to nor told a link.
func TestSocketOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("not tried: only root can be another user too")
		return
	}
	socket := place(t)
	dir := filepath.Dir(socket)
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if _, err := Socket(); err == nil {
		t.Error("a folder of another user was accepted")
	}

	open, err := os.MkdirTemp("", "open") // its parents let everybody through
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(open) })
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(open, "app")
	got := first(t, socket)
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	asNobody(t, func() error {
		c, err := net.Dial("unix", socket)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			return err
		}
		_, _ = io.WriteString(c, "a link of another user\n") // it may have hung up already
		if answer, _ := io.ReadAll(c); len(answer) > 0 {
			t.Errorf("another user was answered %q", answer)
		}
		return nil
	})
	handsOver(t, socket, "ours")
	if link := <-got; link != "ours" {
		t.Errorf("the app took %q", link)
	}

	var l net.Listener
	socket = filepath.Join(open, "trap")
	asNobody(t, func() (err error) { l, err = net.Listen("unix", socket); return err })
	defer l.Close()
	if _, err := dial(t.Context(), socket); err == nil {
		t.Error("the socket of another user was used")
	}
	if err := os.Chown(socket, 0, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t.Context(), socket); err == nil {
		t.Error("an app of another user was reached")
	}
}
