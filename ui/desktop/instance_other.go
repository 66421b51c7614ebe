//go:build !unix

package desktop

import (
	"context"
	"io/fs"
	"net"
	"os"
	"path/filepath"
)

// socketFolder is a folder in the user's profile, which the system keeps others out of.
func socketFolder() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "parley")
}

// private cannot tell from a file's mode who may use it; the folder keeps others out.
func private(fs.FileInfo) bool { return true }

func listen(socket string) (net.Listener, func(net.Conn) bool, error) { return listenLoopback(socket) }

func dial(ctx context.Context, socket string) (net.Conn, error) { return dialLoopback(ctx, socket) }
