//go:build unix

package desktop

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// connect reaches the app of a socket as any program can.
func connect(socket string) (net.Conn, error) { return net.Dial("unix", socket) }

// TestStaleSocket: what an app left that ended without a goodbye does not keep the next from
// starting.
func TestStaleSocket(t *testing.T) {
	socket := place(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if err := os.WriteFile(socket+".lock", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	first(t, socket)
	handsOver(t, socket, "a link")
	info, err := os.Stat(socket)
	if err != nil || !private(info) {
		t.Errorf("the socket is not private: %v, %v", info.Mode(), err)
	}
}

func TestSocketIsPrivate(t *testing.T) {
	socket := place(t)
	dir := filepath.Dir(socket)
	if err := os.WriteFile(socket+".lock", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(socket+".lock", 0o666); err != nil { // others could hold it
		t.Fatal(err)
	}
	if in, err := Start(t.Context(), socket, ""); err == nil {
		in.Close()
		t.Error("a lock that others can take was accepted")
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Socket(); err == nil {
		t.Error("a folder that others can read was accepted")
	}
	if err := os.Remove(socket + ".lock"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := Socket(); err == nil {
		t.Error("a link to a folder elsewhere was accepted")
	}
}
